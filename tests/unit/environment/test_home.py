"""A home of an earlier format is upgraded, one of a later format refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from miyabi.environment.home import FORMAT, Home, Instance
from miyabi.model.errors import Conflict

FIRST = Instance(1, "0123abcd", 90, 4566, "1" * 12, "us-west-2", "AKIA", "secret")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    home.write_instance(FIRST)
    (home.state / "journal.jsonl").write_bytes(b'{"format":2,"moto":"5.2.5"}\n')
    return home


def test_a_home_of_format_1_gets_a_directory_for_its_journal(home: Home) -> None:
    upgraded = home.upgrade()
    assert upgraded is not None
    assert upgraded.format == FORMAT
    assert upgraded == home.read_instance() == home.upgrade()
    journal = home.state / "journal" / "00000001.jsonl"
    assert journal.read_bytes() == b'{"format":2,"moto":"5.2.5"}\n'
    assert (home.state / "journal").stat().st_mode & 0o077 == 0
    assert not (home.state / "journal.jsonl").exists()


def test_an_upgrade_that_died_half_way_goes_on(home: Home) -> None:
    (home.state / "journal").mkdir()
    os.replace(home.state / "journal.jsonl", home.state / "journal" / "00000001.jsonl")  # noqa: PTH105
    upgraded = home.upgrade()
    assert upgraded is not None
    assert upgraded.format == FORMAT
    assert (home.state / "journal" / "00000001.jsonl").exists()


def test_a_newer_home_is_refused(home: Home) -> None:
    record = json.loads(home.instance_file.read_bytes())
    home.instance_file.write_text(json.dumps(record | {"format": FORMAT + 1}))
    with pytest.raises(Conflict, match="newer Miyabi") as caught:
        home.upgrade()
    assert caught.value.hint is not None
