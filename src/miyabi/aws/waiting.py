"""Waiting for something to become true: with a deadline, visibly, and interruptible."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from miyabi.model.errors import Unavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pending:
    """Not there yet; the detail says what is still missing, for a person to read."""

    detail: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How a wait stands."""

    what: str
    detail: str
    elapsed: timedelta
    deadline: timedelta


_SHORTEST = 0.001
"""Seconds that are not worth another look."""

Report = Callable[[Progress], None]


def wait_for(
    what: str,
    look: Callable[[], T | Pending],
    *,
    deadline: timedelta,
    step: timedelta = timedelta(seconds=1),
    progress: Report | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Look until the answer is not `Pending`, and return it.

    what: a noun phrase: "service 'api' to be steady". progress: called after each look that found it pending.
    clock, sleep: seconds. A `sleep` that raises ends the wait; so does a signal, through KeyboardInterrupt.
    Raises Unavailable at the deadline, saying what was still missing; whatever `look` raises goes through.
    """
    start = clock()
    limit = deadline.total_seconds()
    while True:
        seen = look()
        if not isinstance(seen, Pending):
            return seen
        elapsed = clock() - start
        if progress is not None:
            progress(Progress(what, seen.detail, timedelta(seconds=elapsed), deadline))
        left = limit - elapsed
        if left < _SHORTEST:
            raise Unavailable(
                f"waited {limit:.0f} s for {what}: {seen.detail}",
                hint="nothing was undone",
            )
        sleep(min(step.total_seconds(), left))
