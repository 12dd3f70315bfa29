from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.aws.waiting import Pending, Progress, wait_for
from miyabi.model.errors import Unavailable


class Time:
    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def after(looks: int) -> Iterator[str | Pending]:
    for number in range(looks):
        yield Pending(f"{number} of {looks}")
    while True:
        yield "there"


def test_what_is_there_at_once_is_not_waited_for() -> None:
    time = Time()
    found = wait_for("it", lambda: 7, deadline=timedelta(0), clock=lambda: time.now, sleep=time.sleep)
    assert found == 7
    assert time.slept == []


def test_every_look_that_found_it_pending_is_reported() -> None:
    time, looks, seen = Time(), after(2), list[Progress]()
    wait_for(
        "it",
        lambda: next(looks),
        deadline=timedelta(seconds=9),
        step=timedelta(seconds=2),
        progress=seen.append,
        clock=lambda: time.now,
        sleep=time.sleep,
    )
    assert [(one.what, one.detail, one.elapsed.total_seconds()) for one in seen] == [
        ("it", "0 of 2", 0),
        ("it", "1 of 2", 2),
    ]


def test_an_interruption_goes_through() -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wait_for("it", lambda: Pending("no"), deadline=timedelta(seconds=9), sleep=interrupted)


@given(st.floats(0, 100), st.floats(0.1, 10))
def test_the_deadline_is_met_exactly_and_said_with_what_was_missing(deadline: float, step: float) -> None:
    time = Time()
    with pytest.raises(Unavailable, match=r"waited \d+ s for it: not yet"):
        wait_for(
            "it",
            lambda: Pending("not yet"),
            deadline=timedelta(seconds=deadline),
            step=timedelta(seconds=step),
            clock=lambda: time.now,
            sleep=time.sleep,
        )
    assert sum(time.slept) == pytest.approx(deadline, abs=0.002)
