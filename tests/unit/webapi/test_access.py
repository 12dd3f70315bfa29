"""Who a key belongs to."""

from __future__ import annotations

from miyabi.webapi.access import Keys


def test_a_key_belongs_to_its_name_and_anything_else_to_nobody() -> None:
    keys = Keys({"admin": "a-key", "reader": "ключ"})
    assert keys.name_of("a-key") == "admin"
    assert keys.name_of("ключ") == "reader"
    for other in ("", "A-key", "a-key ", "admin", "a-ke", "\udcff"):
        assert keys.name_of(other) is None
    assert Keys({}).name_of("") is None
