"""How long a service waits before it starts a task again that keeps failing."""

from __future__ import annotations

from datetime import timedelta

LONGEST = timedelta(minutes=15)
"""AWS: "up to 15 minutes". The steps below that are ours; AWS publishes none."""


def start_delay(failures: int) -> timedelta:
    """Return the pause before the next start after `failures` starts in a row that never got healthy.

    None after no failure: a task that was healthy and died is replaced at once. Then 1, 2, 4 ... seconds.
    """
    if failures <= 0:
        return timedelta(0)
    return min(LONGEST, timedelta(seconds=2 ** min(failures - 1, 10)))
