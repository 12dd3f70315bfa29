"""By what a task's CPU and memory are limited: the best that this machine and user offer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Limiter(StrEnum):
    """The ways to hold a process to its limits, best first."""

    SYSTEMD_SCOPE = "systemd scope"
    """cgroup v2 in a scope that systemd delegates."""
    CGROUP_V2 = "cgroup v2"
    CGROUP_V1 = "cgroup v1"
    POLLING = "memory polling"
    """Memory is looked at regularly; nothing limits CPU."""


MEMORY, CPU = "memory", "cpu"
_BOTH = frozenset({MEMORY, CPU})
POLL_EVERY = timedelta(seconds=0.25)
CPU_UNITS = 1024
"""ECS's units in one vCPU."""
CPU_PERIOD = timedelta(milliseconds=100)
_LEAST_QUOTA = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Choice:
    """The limiter in use."""

    limiter: Limiter
    lost: str = ""
    """What it does not do, and why no better one is used; empty where nothing is lost."""

    @property
    def text(self) -> str:
        """One line for people."""
        return f"{self.limiter}: {self.lost}" if self.lost else f"{self.limiter}: CPU and memory of tasks are limited"


def choose_limiter(offered: Mapping[Limiter, Collection[str]], *, asked: str | None = None) -> Choice:
    """Return the best limiter.

    offered: which of `MEMORY` and `CPU` each limiter can hold here. asked: the limiter that somebody insists on, by
    its name; one that is not offered is not used.
    """
    groups = [limiter for limiter in Limiter if limiter is not Limiter.POLLING]
    fit = [limiter for limiter in groups if set(offered.get(limiter, ())) >= _BOTH]
    if asked is not None:
        wanted = [limiter for limiter in fit if limiter.value == asked]
        if wanted:
            return Choice(wanted[0])
        if asked == Limiter.POLLING:
            return _polling("it was asked for")
    if fit:
        return Choice(fit[0])
    return _polling("neither systemd nor a cgroup may be used by this user")


def _polling(why: str) -> Choice:
    every = f"{POLL_EVERY.total_seconds():g} s"
    return Choice(
        Limiter.POLLING, f"memory of tasks is looked at every {every}, their CPU is not limited, because {why}"
    )


def cpu_quota(units: int) -> timedelta:
    """Return the CPU time that a task of so many units gets in each `CPU_PERIOD`."""
    return max(_LEAST_QUOTA, CPU_PERIOD * units / CPU_UNITS)
