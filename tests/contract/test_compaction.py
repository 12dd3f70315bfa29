"""The journal of a running control plane is compacted beside it, and a start after many changes is quick."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from moto.core.base_backend import BackendDict
from moto.ssm.models import ssm_backends

from miyabi.environment.home import Home
from miyabi.localcloud.control.compaction import CompactionLoop, compact
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.fingerprint import fingerprint
from miyabi.localcloud.control.journal import Journal
from miyabi.localcloud.control.journal_layout import JournalLayout
from miyabi.localcloud.control.snapshot import read, write
from miyabi.localcloud.control.stock import StockServices
from miyabi.localcloud.control.stock_objects import Unrestorable
from miyabi.localcloud.control.store import Store
from miyabi.model.errors import Internal
from tests.contract.control_api import ACCOUNT, REGION, new_instance
from tests.contract.test_journal import parameter

CHANGES = 600
NOW = datetime(2025, 11, 18, tzinfo=UTC)


@pytest.fixture(scope="module")
def compacted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with many changes, compacted by the processes that do it for a running control plane."""
    BackendDict.reset()
    home = Home(tmp_path_factory.mktemp("many"))
    home.create()
    home.write_instance(new_instance())
    journal = Journal(home.state, StockServices(ACCOUNT))
    for number in range(CHANGES):
        journal.run(parameter(f"/p/{number % 300}", f"{number}"), "ssm", REGION, now=NOW)
    before = journal.rotate()
    journal.close()
    JournalLayout(home.state / "journal").part(7).touch()  # another one's maker died
    assert asyncio.run(compact(home, before)), "the snapshot did not come back as it was"
    JournalLayout(home.state / "journal").tidy()
    BackendDict.reset()
    return home.root


def opened_new(root: Path) -> Journal:
    Home(root).create()
    return opened(root)


def opened(root: Path) -> Journal:
    BackendDict.reset()
    return Journal(root / "state", StockServices(ACCOUNT))


def test_a_start_after_many_changes_replays_none_of_them(compacted: Path) -> None:
    """The best of three: other work on the machine only adds time."""
    seconds = []
    for _ in range(3):
        journal = opened(compacted)
        began = time.monotonic()
        assert journal.replay() == 0
        seconds.append(time.monotonic() - began)
        assert journal.length == CHANGES
        journal.close()
    assert min(seconds) <= 5


def test_the_segments_that_a_snapshot_replaces_are_archived_and_private(compacted: Path) -> None:
    layout = JournalLayout(compacted / "state" / "journal")
    assert layout.snapshots() == [2]
    assert layout.segments() == [2]
    assert layout.archived() == [1]
    assert not list(layout.root.glob("*.part"))
    for path in layout.root.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_another_versions_or_a_damaged_snapshot_is_passed_over_for_the_archive(compacted: Path, tmp_path: Path) -> None:
    for number, (old, new) in enumerate([(b"moto 5", b"moto 4"), (b'"sha256":"', b'"sha256":"0')]):
        root = tmp_path / str(number)
        shutil.copytree(compacted, root)
        snapshot = JournalLayout(root / "state" / "journal").snapshot(2)
        snapshot.write_bytes(snapshot.read_bytes().replace(old, new, 1))
        with pytest.raises(Unrestorable):
            read(snapshot)
    journal = opened(root)
    assert journal.replay() == CHANGES
    journal.close()
    (root / "state" / "journal" / "archive" / "00000001.jsonl").unlink()
    journal = opened(root)
    with pytest.raises(Internal, match="is missing") as caught:
        journal.replay()
    journal.close()
    assert caught.value.hint is not None


def test_a_running_control_plane_compacts_when_enough_has_come_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")
    BackendDict.reset()
    home = Home(tmp_path)
    home.create()
    home.write_instance(new_instance())
    engine = Engine(Store(home.state / "control.sqlite"))
    journal = Journal(home.state, StockServices(ACCOUNT))
    for number in range(3):
        journal.run(parameter(f"/p/{number}", "x" * 100_000), "ssm", REGION, now=NOW)
    loop = CompactionLoop(engine, journal, home, entries=journal.uncompacted + 1)
    asyncio.run(loop.step())
    assert journal.layout.snapshots() == []
    journal.run(parameter("/p/3", "v"), "ssm", REGION, now=NOW)
    asyncio.run(loop.step())
    assert journal.layout.snapshots() == [2]
    assert journal.uncompacted == 0
    assert journal.forget_bodies() == 0, "the archive still needs them"
    (journal.layout.archive / "00000001.jsonl").unlink()
    assert journal.forget_bodies() == 3
    journal.run(parameter("/p/4", "v"), "ssm", REGION, now=NOW)
    engine.close()
    journal.close()
    journal = opened(tmp_path)
    assert journal.replay() == 1
    assert (journal.length, journal.uncompacted) == (5, 1)
    journal.close()


def test_what_cannot_come_back_the_same_is_not_compacted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")
    journal = opened_new(tmp_path)
    journal.run(parameter("/p", "v"), "ssm", REGION, now=NOW)
    journal.close()
    thing = threading.current_thread()
    vars(ssm_backends[ACCOUNT][REGION])["thing"] = thing
    with pytest.raises(Unrestorable):
        write(tmp_path / "snapshot", journal.state(), "")
    vars(ssm_backends[ACCOUNT][REGION])["thing"] = lambda: thing
    with pytest.raises(Unrestorable, match="captures variables"):
        write(tmp_path / "snapshot", journal.state(), "")
    del vars(ssm_backends[ACCOUNT][REGION])["thing"]
    before = fingerprint(journal.state())
    ssm_backends[ACCOUNT][REGION]._parameters["/p"][0].value = "w"
    assert fingerprint(journal.state()) != before


def test_the_archive_keeps_its_newest_segments_up_to_a_size(tmp_path: Path) -> None:
    layout = JournalLayout(tmp_path)
    layout.create()
    for number in range(1, 6):
        (tmp_path / f"{number:08}.jsonl").write_bytes(b"x" * 100)
    layout.part(5).touch()
    layout.adopt(5)
    layout.tidy(archive_bytes=250)
    assert (layout.archived(), layout.segments()) == ([3, 4], [5])
