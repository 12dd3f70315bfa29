"""What runs of a local cloud, seen from outside it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from miyabi.environment.home import Home
from miyabi.localcloud.processes import ProcessState
from miyabi.localcloud.supervisor import presence
from miyabi.localcloud.supervisor.identity import Identity, identify
from miyabi.localcloud.supervisor_client import BlockingSupervisorClient
from miyabi.model.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Running:
    """A local cloud that runs."""

    pid: int
    """The supervisor's."""
    processes: tuple[ProcessState, ...]
    answering: bool
    """False: the supervisor is there but does not answer, so `processes` is empty."""

    def process(self, name: str) -> ProcessState | None:
        """Return the process of this name."""
        return next((state for state in self.processes if state.name == name), None)


def inspect(home: Home) -> Running | None:
    """Return what runs of this local cloud, or None."""
    supervisor = supervisor_of(home)
    if supervisor is None:
        return None
    try:
        return Running(supervisor.pid, BlockingSupervisorClient(home.run).list(), answering=True)
    except Unavailable:
        return Running(supervisor.pid, (), answering=False) if supervisor.alive() else None


def supervisor_of(home: Home) -> Identity | None:
    """Return the supervisor's process: the one that listens, else the one that the pid file names."""
    with contextlib.suppress(Unavailable):
        pid = BlockingSupervisorClient(home.run).pid()
        if pid > 0 and (found := identify(pid)) is not None:
            return found
    return presence.announced(home.run)
