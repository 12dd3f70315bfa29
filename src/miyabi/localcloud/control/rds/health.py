"""What the loop remembers of a server between two looks. Nothing of it has to survive a restart."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from miyabi.localcloud.processes import ProcessState

PROBE_EVERY = timedelta(seconds=5)
_PATIENCE = 3
"""Failed probes in a row before a server that answered before counts as silent."""
UNHEARD_PATIENCE = 2
"""The same where nothing at all came within the probe's deadline."""
RESTARTING = timedelta(seconds=10)
"""How long after a crash the supervisor is trusted to have started the server again."""


@dataclass(slots=True)
class Health:
    """One server's process."""

    pid: int
    started_at: float
    failed_starts: int = 0
    """How many servers before this one ended without an answer, in a row."""
    answered_at: datetime | None = None
    failures: int = 0
    silent_since: datetime | None = None
    stop_asked_at: datetime | None = None
    follows_crash: bool = False
    """The server before it ended without being asked to."""

    @property
    def process(self) -> tuple[int, float]:
        """Which process this is."""
        return self.pid, self.started_at

    def probe_due(self, now: datetime) -> bool:
        """Say whether the server should be asked again."""
        return self.answered_at is None or self.failures > 0 or now - self.answered_at >= PROBE_EVERY

    def answered(self, now: datetime) -> None:
        """Note an answer."""
        self.answered_at, self.failures, self.failed_starts, self.silent_since = now, 0, 0, None

    def silent(self, now: datetime, *, patience: int = _PATIENCE) -> None:
        """Note that no answer came, or none that it serves."""
        self.failures += 1
        if self.silent_since is None and (self.answered_at is None or self.failures >= patience):
            self.silent_since = now

    @property
    def ended_unasked_and_unheard(self) -> bool:
        """Whether the server, now that it has ended, never answered and was not told to stop."""
        return self.answered_at is None and self.stop_asked_at is None

    @property
    def answering(self) -> bool:
        """Whether the server counts as one that answers."""
        return self.answered_at is not None and self.silent_since is None


@dataclass(slots=True)
class Healths:
    """The servers' health by resource id."""

    known: dict[str, Health] = field(default_factory=dict)

    def of(self, resource_id: str, process: ProcessState) -> Health:
        """Return the health of this very process: another one starts anew."""
        known = self.known.get(resource_id)
        if known is None or (known.pid, known.started_at) != (process.pid, process.started_at):
            failed = known.failed_starts + 1 if known is not None and known.ended_unasked_and_unheard else 0
            crash = known is not None and known.stop_asked_at is None
            known = self.known[resource_id] = Health(process.pid, process.started_at, failed, follows_crash=crash)
        return known

    def restarting(self, resource_id: str, process: ProcessState, now: datetime) -> bool:
        """Say whether a server that ended by itself is about to be started again."""
        if process.running or process.ended_at is None:
            return False
        recently = now.timestamp() - process.ended_at < RESTARTING.total_seconds()
        return recently and self.of(resource_id, process).stop_asked_at is None
