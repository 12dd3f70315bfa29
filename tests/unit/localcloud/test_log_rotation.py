"""Logs of the home's own processes stay small, and their writers go on writing."""

from __future__ import annotations

from pathlib import Path

from miyabi.environment.home import Home
from miyabi.localcloud.control.log_rotation import rotate_logs


def test_a_log_over_the_limit_is_copied_and_emptied_while_its_writer_goes_on(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()
    (home.databases / "db-1").mkdir()
    small, large, database = home.log / "small.log", home.log / "large.log", home.databases / "db-1" / "postgresql.log"
    small.write_bytes(b"s" * 100)
    database.write_bytes(b"d" * 101)
    with large.open("ab", buffering=0) as writer:
        writer.write(b"old" + b"l" * 100)
        assert rotate_logs(home, limit_bytes=100) == [large, database]
        writer.write(b"after")
    assert large.read_bytes() == b"after"
    kept = large.with_name("large.log.1")
    assert kept.read_bytes() == b"l" * 100, "the newest lines are kept"
    assert kept.stat().st_mode & 0o077 == 0
    assert small.stat().st_size == 100
    assert rotate_logs(home, limit_bytes=100) == []
