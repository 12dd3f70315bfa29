"""The orderly end: first the control plane, so that it replaces no task, then the tasks, then the rest."""

from __future__ import annotations

import logging
import signal
from collections import deque

from miyabi.localcloud.supervisor import wire
from miyabi.localcloud.supervisor.children import Children

log = logging.getLogger("supervisor")

CONTROL_SECONDS = 5.0
REST_SECONDS = 3.0
GIVE_UP_SECONDS = 2.0
"""How long a killed process may take to vanish before the next are ended."""


def phase_of(name: str) -> int:
    """Return in which phase the child of this name ends."""
    if name == wire.CONTROL:
        return 0
    return 1 if name.startswith("task/") else 2


class Shutdown:
    """Ends all children: SIGTERM, a deadline for each phase, SIGKILL."""

    def __init__(self, children: Children, task_seconds: float) -> None:
        children.close()
        self._children = children
        self._seconds = [CONTROL_SECONDS, task_seconds, REST_SECONDS]
        self._phases = deque(range(len(self._seconds)))
        self._steps: deque[tuple[signal.Signals | None, float]] = deque()
        self._until: float | None = None

    def hurry(self) -> None:
        """Wait no longer: kill what is left."""
        self._seconds = [0.0] * len(self._seconds)
        if self._steps and self._steps[0][0] is signal.SIGKILL:
            self._until = None

    def advance(self, now: float) -> float | None:
        """Do what is due; return when to look again at the latest, or None when nothing is left to end."""
        while self._phases:
            left = [name for name in self._children.running() if phase_of(name) == self._phases[0]]
            if not left:
                self._next_phase()
                continue
            if self._until is None and not self._steps:
                self._steps.extend(
                    (
                        (signal.SIGTERM, self._seconds[self._phases[0]]),
                        (signal.SIGKILL, GIVE_UP_SECONDS),
                        (None, 0.0),
                    )
                )
            if self._until is None or now >= self._until:
                number, seconds = self._steps.popleft()
                if number is None:
                    log.error("left behind, did not end: %s", ", ".join(left))
                    self._next_phase()
                    continue
                for name in left:
                    self._children.signal(name, number, group=True)
                self._until = now + seconds
            return self._until
        return None

    def _next_phase(self) -> None:
        self._phases.popleft()
        self._steps.clear()
        self._until = None
