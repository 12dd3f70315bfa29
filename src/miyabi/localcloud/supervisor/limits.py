"""Holding children to their CPU and memory: control groups of either version, or looking at their memory.

What a child starts is held with it. A group is made before the child and removed after it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from miyabi.environment.control_groups import ROOT, find_places
from miyabi.localcloud.processes import ProcessSpec
from miyabi.policy.limiter import CPU, CPU_PERIOD, MEMORY, Choice, Limiter, choose_limiter, cpu_quota

log = logging.getLogger("supervisor")

_MICROSECONDS = 1_000_000


@dataclass(slots=True)
class Group:
    """The control groups of one child."""

    version: int
    directories: tuple[Path, ...]
    memory: Path | None

    def enter(self) -> None:
        """Put the calling process into it: between fork and exec."""
        for directory in self.directories:
            (directory / "cgroup.procs").write_text("0")

    def out_of_memory(self) -> bool:
        """Say whether the kernel has killed something in it for its memory."""
        if self.memory is None:
            return False
        name = "memory.oom_control" if self.version == 1 else "memory.events"
        try:
            lines = (self.memory / name).read_text().splitlines()
        except OSError:
            return False
        return any(line.startswith("oom_kill ") and line.split()[1] != "0" for line in lines)

    def kill(self) -> None:
        """Kill everything in it."""
        for directory in self.directories:
            with contextlib.suppress(OSError):
                for pid in (directory / "cgroup.procs").read_text().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)

    def remove(self) -> None:
        """Remove it; what is still in it has been killed and may take a moment."""
        for directory in self.directories:
            for _ in range(50):
                try:
                    directory.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.002)
                else:
                    break


class Limits:
    """Makes the groups of one home's children."""

    def __init__(self, home: str, *, asked: str | None = None, root: Path = ROOT) -> None:
        found = find_places(root, take=True)
        offered = {kind: set(places.by_controller) for kind, places in found.items()}
        self.choice: Choice = choose_limiter(offered, asked=asked)
        self._places = found.get(self.choice.limiter)
        self._prefix = _prefix(home)

    @property
    def polls(self) -> bool:
        """Whether memory has to be looked at."""
        return self.choice.limiter is Limiter.POLLING

    def group(self, spec: ProcessSpec) -> Group | None:
        """Make the groups of a child that has limits. OSError: the kernel refuses."""
        if self._places is None or not (spec.cpu_units or spec.memory_bytes):
            return None
        name = self._prefix + sha256(spec.name.encode()).hexdigest()[:16]
        chosen = {MEMORY: spec.memory_bytes, CPU: spec.cpu_units}
        made = {kind: self._places.by_controller[kind] / name for kind, limit in chosen.items() if limit}
        group = Group(self._places.version, tuple(dict.fromkeys(made.values())), made.get(MEMORY))
        group.remove()  # what an earlier child of that name left, with its counters
        try:
            for directory in group.directories:
                directory.mkdir(exist_ok=True)
            self._set(made, chosen)
        except OSError:
            group.remove()
            raise
        return group

    def _set(self, made: Mapping[str, Path], chosen: Mapping[str, int]) -> None:
        first = self._places is not None and self._places.version == 1
        if memory := made.get(MEMORY):
            _write(memory / ("memory.limit_in_bytes" if first else "memory.max"), chosen[MEMORY])
            with contextlib.suppress(OSError):  # a kernel that does not account swap
                _write(memory / ("memory.memsw.limit_in_bytes" if first else "memory.swap.max"), _swap(first, chosen))
        if cpu := made.get(CPU):
            lengths = (CPU_PERIOD, cpu_quota(chosen[CPU]))
            period, quota = (int(length.total_seconds() * _MICROSECONDS) for length in lengths)
            if first:
                _write(cpu / "cpu.cfs_period_us", period)
                _write(cpu / "cpu.cfs_quota_us", quota)
            else:
                (cpu / "cpu.max").write_text(f"{quota} {period}")


def _swap(first: bool, chosen: Mapping[str, int]) -> int:  # noqa: FBT001 - private
    return chosen[MEMORY] if first else 0


def _write(path: Path, number: int) -> None:
    path.write_text(str(number))


def sweep_groups(home: str, *, root: Path = ROOT) -> None:
    """Remove the groups that a supervisor of this home left behind, as far as nothing is in them."""
    for place in {place for found in find_places(root).values() for place in found.by_controller.values()}:
        for directory in place.glob(f"{_prefix(home)}*"):
            with contextlib.suppress(OSError):
                directory.rmdir()


def _prefix(home: str) -> str:
    return f"miyabi-{sha256(home.encode()).hexdigest()[:12]}-"
