"""What families of processes use, from /proc: a child of the supervisor with everything that it started."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from miyabi.localcloud.processes import ProcessState
from miyabi.localcloud.supervisor.identity import Row, rows
from miyabi.localcloud.supervisor.memory import family_of, memory_of

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Used:
    """What a family has used so far, and uses now."""

    cpu_seconds: float
    memory_bytes: int


def used_by(leaders: Collection[int]) -> dict[int, Used]:
    """Return what the family of each leader uses, by its pid; of one that has ended nothing.

    CPU is that of all its living processes and of those that they have waited for, so it does not fall when one ends.
    """
    table: dict[int, Row] = {row.pid: row for row in rows()}
    found = {}
    for pid in leaders:
        if pid in table:
            family = family_of(pid, table.values())
            ticks = sum(table[one].cpu_ticks for one in family)
            found[pid] = Used(ticks / _TICKS, sum(memory_of(table[one]) for one in family))
    return found


@dataclass(frozen=True, slots=True)
class Span:
    """What a family did between two looks."""

    cpu: float | None
    """CPU seconds a second; None: it was seen for the first time, so nobody knows since when."""
    memory_bytes: int
    seconds: float = 0.0
    """For how long, where that is known."""


class Spans:
    """Remembers the look before, by process."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, int], tuple[datetime, float]] = {}
        self._begun = False

    def between(
        self, processes: Mapping[str, ProcessState], used: Mapping[int, Used], now: datetime
    ) -> dict[str, Span]:
        """Return what each process did since the last look; one that started since then, since its start."""
        before, self._before = self._before, {}
        found = {}
        for name, state in processes.items():
            one = used.get(state.pid)
            if one is None:
                continue
            key = (name, state.pid)
            self._before[key] = (now, one.cpu_seconds)
            since = before.get(key)
            if since is None and self._begun:
                since = (datetime.fromtimestamp(state.started_at, now.tzinfo), 0.0)
            seconds = (now - since[0]).total_seconds() if since is not None else 0.0
            found[name] = Span(_rate(since, one.cpu_seconds, now), one.memory_bytes, seconds)
        self._begun = True
        return found


def _rate(since: tuple[datetime, float] | None, cpu_seconds: float, now: datetime) -> float | None:
    if since is None:
        return None
    at, was = since
    elapsed = (now - at).total_seconds()
    return max(cpu_seconds - was, 0.0) / elapsed if elapsed > 0 else None
