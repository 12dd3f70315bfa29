"""Which process is which: a pid alone may have been given to another, a pid with its start time may not.

Every child carries the home in its environment, and so does what it starts. By that mark, what is left of an
earlier run or of an ended child is found; nothing without the mark of this very home is ever touched.
Processes whose environment cannot be read (another user's) are passed over.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

HOME_MARK = "MIYABI_INSTANCE_HOME"
CHILD_MARK = "MIYABI_INSTANCE_CHILD"

# The places of the fields from the third on.
_PARENT, _SESSION, _START, _RESIDENT = 1, 3, 19, 21
_TIMES = slice(11, 15)
"""Of the process in user and kernel mode, and of the children that it has waited for."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A process for good."""

    pid: int
    start_ticks: int
    """Clock ticks from the machine's boot to the process's start."""

    def alive(self) -> bool:
        """Say whether the process still runs; one that only waits to be reaped does not."""
        return identify(self.pid) == self

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Signal this process, if it is still the one: never another that was given its pid meanwhile."""
        with contextlib.suppress(ProcessLookupError, PermissionError), _held(self.pid) as process:
            if not self.alive():  # looked at after the process was taken hold of
                return
            if process is None:
                os.kill(self.pid, number)
            else:
                signal.pidfd_send_signal(process, number)


@contextlib.contextmanager
def _held(pid: int) -> Iterator[int | None]:
    """Yield a descriptor that stands for the process itself, or None where a sandbox refuses such ones."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except OSError:
        yield None
        return
    try:
        yield process
    finally:
        os.close(process)


def identify(pid: int) -> Identity | None:
    """Return the identity of a running process, or None."""
    fields = _stat(pid)
    if fields is None or fields[0] in {"Z", "X"}:
        return None
    return Identity(pid, int(fields[_START]))


def lineage(pid: int) -> frozenset[int]:
    """Return the pid and those of its ancestors."""
    found: set[int] = set()
    while pid > 0 and pid not in found:
        found.add(pid)
        fields = _stat(pid)
        pid = int(fields[_PARENT]) if fields else 0
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of processes."""

    pid: int
    parent: int
    session: int
    start_ticks: int
    resident_pages: int
    cpu_ticks: int
    """Of the process and of its children that it has waited for."""
    running: bool
    """False where it only waits to be reaped."""


def rows() -> Iterator[Row]:
    """Return every process as the kernel shows it now."""
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names are enough, and there are many
        fields = _stat(int(entry)) if entry.isdigit() else None
        if fields is not None:
            parent, session, start, resident = (int(fields[at]) for at in (_PARENT, _SESSION, _START, _RESIDENT))
            ticks = sum(map(int, fields[_TIMES]))
            yield Row(int(entry), parent, session, start, resident, ticks, running=fields[0] not in {"Z", "X"})


def descendants(pid: int) -> list[Identity]:
    """Return the running processes that descend from this one, without itself.

    One that ends while this looks hands its children to an ancestor, so a second look may find more.
    """
    table = list(rows())
    found: dict[int, Row] = {}
    parents = {pid}
    while parents:
        generation = {row.pid: row for row in table if row.parent in parents and row.pid not in found}
        found |= generation
        parents = set(generation)
    return [Identity(row.pid, row.start_ticks) for row in found.values() if row.running]


def marked(home: str, children: Collection[str] | None = None) -> Iterator[Identity]:
    """Find the running processes that carry the home's mark, of these children or of all."""
    mark = os.fsencode(f"{HOME_MARK}={home}")
    owners = None if children is None else {os.fsencode(f"{CHILD_MARK}={name}") for name in children}
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names are enough, and there are many
        if not entry.isdigit():
            continue
        if not _carries(entry, mark, owners):
            continue
        found = identify(int(entry))
        # Looked at again: the process that was identified must be the one with the mark.
        if found and _carries(entry, mark, owners):
            yield found


def kill_marked(home: str, children: Collection[str] | None = None) -> set[Identity]:
    """Kill the marked processes, but never the caller or its ancestors; return those that were found."""
    spared = lineage(os.getpid())
    found = {identity for identity in marked(home, children) if identity.pid not in spared}
    for identity in found:
        identity.kill()
    return found


def sweep(home: str, *, deadline_seconds: float = 2.0) -> int:
    """Kill every process with the home's mark and wait until none is left; return how many there were.

    For a home without a supervisor, or by the supervisor itself before its first child and after its last.
    """
    until = time.monotonic() + deadline_seconds
    killed: set[Identity] = set()
    while found := kill_marked(home):
        killed |= found
        if time.monotonic() > until:
            break
        time.sleep(0.01)
    return len(killed)


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/<pid>/stat from the third, the state, on: a name may contain anything."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return fields if len(fields) > _RESIDENT else None


def _carries(entry: str, mark: bytes, owners: set[bytes] | None) -> bool:
    try:
        environment = Path(f"/proc/{entry}/environ").read_bytes()
    except OSError:
        return False
    variables = set(environment.split(b"\0"))
    return mark in variables and (owners is None or bool(owners & variables))
