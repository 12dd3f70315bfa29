"""How much memory children use, with all that they started: for where no control group limits it."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from miyabi.localcloud.supervisor.identity import Row, rows

_PAGE = os.sysconf("SC_PAGE_SIZE")
_PSS = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)


def over_limit(limits: Mapping[int, int]) -> dict[int, int]:
    """Return the children that use more than they may: pid → bytes used. limits: pid → bytes.

    The sum of resident pages counts shared ones more than once, so where that is too much, shares are counted.
    """
    table = {row.pid: row for row in rows()}
    found = {}
    for pid, limit in limits.items():
        family = family_of(pid, table.values())
        if sum(table[one].resident_pages for one in family) * _PAGE > limit:
            used = sum(memory_of(table[one]) for one in family)
            if used > limit:
                found[pid] = used
    return found


def family_of(pid: int, table: Collection[Row]) -> set[int]:
    """Return a session's leader, its session, and all their descendants."""
    family = {row.pid for row in table if pid in (row.pid, row.session)}
    while more := {row.pid for row in table if row.parent in family} - family:
        family |= more
    return family


def memory_of(row: Row) -> int:
    """Return the bytes that a process uses; of pages that it shares only its part, where the kernel tells."""
    try:
        found = _PSS.search(Path(f"/proc/{row.pid}/smaps_rollup").read_bytes())
    except OSError:
        found = None
    return int(found[1]) * 1024 if found else row.resident_pages * _PAGE
