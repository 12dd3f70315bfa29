"""When a process that ended is started again."""

from __future__ import annotations

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 5.0
STEADY_SECONDS = 30.0
"""A process that ran this long is restarted as if for the first time."""


def next_delay(previous: float | None, ran_seconds: float) -> float:
    """Return the seconds to wait before the restart.

    previous: the delay before the run that has just ended; None if it was the first.
    """
    if previous is None or ran_seconds >= STEADY_SECONDS:
        return FIRST_SECONDS
    return min(previous * 2, LONGEST_SECONDS)
