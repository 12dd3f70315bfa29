"""What the API's answers cost: how often each operation ran, and how long the worker was at it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

_SCHEDULER = Path("/proc/thread-self/schedstat")


@dataclass(slots=True)
class Work:
    """Calls and seconds by operation, such as `ecs:CreateService`."""

    calls: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, seconds: float) -> None:
        """Count one call."""
        self.calls[name] = self.calls.get(name, 0) + 1
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


class Stopwatch:
    """Time of the thread that makes it: what it computes and what it waits for, disk included.

    Not the time in which it could run and other work had the processor: that says how busy the machine is.
    """

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._queued = _queued_seconds()

    def seconds(self) -> float:
        """Return the seconds since it was made."""
        return max(0.0, time.perf_counter() - self._began - (_queued_seconds() - self._queued))


def _queued_seconds() -> float:
    """Return how long this thread has stood in the run queue; 0 where the kernel does not say.

    Source: kernel.org, "Scheduler Statistics", /proc/<pid>/schedstat: the second figure, in nanoseconds.
    """
    try:
        return int(_SCHEDULER.read_bytes().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
