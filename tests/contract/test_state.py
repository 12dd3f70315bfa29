"""What the live services keep can be read back, and a loop that keeps failing does not fill the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.retries import KeptAnswers
from miyabi.localcloud.control.store import Store, Table
from miyabi.model.errors import Internal


@dataclass(frozen=True)
class Row:
    """A row."""

    name: str
    count: int


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "control.sqlite")
    yield store
    store.close()


def test_a_row_that_could_not_be_read_back_is_not_stored(store: Store) -> None:
    table = Table(store, "row", Row)
    table.put("r", "k", Row("a", 1))
    with pytest.raises(Internal, match="row could not be read back"):
        table.put("r", "k", replace(Row("a", 1), count="many"))  # type: ignore[arg-type]
    assert table.get("r", "k") == Row("a", 1)


def test_a_part_that_fails_is_taken_back_alone(store: Store) -> None:
    table = Table(store, "row", Row)

    def fail() -> None:
        with store.savepoint():
            table.put("r", "inside", Row("b", 2))
            raise ValueError("no")

    with store.transaction():
        table.put("r", "before", Row("a", 1))
        with pytest.raises(ValueError, match="no"):
            fail()
        with store.savepoint():
            table.put("r", "after", Row("c", 3))
    assert [row.name for row in table.list("r")] == ["c", "a"]


def test_the_newest_answers_are_kept_and_failures_of_ours_are_not(store: Store) -> None:
    kept = KeptAnswers(store)
    for number in range(600):
        kept.put(f"key {number}", (200, {"A": "b"}, str(number).encode()))
    kept.put("failed", (500, {}, b""))
    assert kept.get("key 599") == (200, {"A": "b"}, b"599")
    assert kept.get("key 88") == (200, {"A": "b"}, b"88")
    assert kept.get("key 87") is None
    assert kept.get("failed") is None


def test_an_answer_is_kept_only_if_its_change_is(store: Store) -> None:
    kept = KeptAnswers(store)

    def change_and_fail() -> None:
        with store.transaction():
            kept.put("key", (200, {}, b""))
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        change_and_fail()
    assert kept.get("key") is None


class Failing:
    """Fails ten times in one way, five times in another, then works and stops the test."""

    name = "failing"

    def __init__(self) -> None:
        self.steps = 0
        self.done = asyncio.Event()

    async def step(self) -> timedelta:
        self.steps += 1
        if self.steps <= 15:
            raise OSError("disk full" if self.steps <= 10 else "no such file")
        self.done.set()
        return timedelta(hours=1)


def test_a_loop_that_keeps_failing_is_logged_when_its_failure_changes(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        loop = Failing()
        engine = Engine(store)
        task = asyncio.create_task(engine.supervise(loop, retry=timedelta(0)))
        await asyncio.wait_for(loop.done.wait(), 10)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with caplog.at_level(logging.INFO):
        asyncio.run(run())
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("miyabi")]
    assert [message.split(";")[0] for message in messages] == [
        "loop failing failed",
        "loop failing failed 10 times in this way: OSError: disk full",
        "loop failing failed",
        "loop failing failed 5 times in this way: OSError: no such file",
        "loop failing works again",
    ]
