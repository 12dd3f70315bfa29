"""Compaction: a snapshot in the place of the journal's finished segments.

Three processes take part. The control plane begins a new segment and starts the other two, one after the other. The
first replays what is finished, as a start would, and writes the state. The second, which has seen none of that, loads
the file and must arrive at the same fingerprint. Only then does the snapshot get its name, and the segments that it
replaces go to the archive. The live process is neither held up nor believed; a death at any step loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from datetime import timedelta

from miyabi.environment.home import Home
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.journal import Journal
from miyabi.localcloud.control.journal_layout import JournalLayout

log = logging.getLogger(__name__)

COMPACTED_ENTRIES = 500


class CompactionLoop:
    """Compacts when enough has come together for which no snapshot stands."""

    name = "compaction"

    def __init__(self, engine: Engine, journal: Journal, home: Home, *, entries: int = COMPACTED_ENTRIES) -> None:
        self._engine = engine
        self._journal = journal
        self._home = home
        self._entries = self._wanted = entries

    async def step(self) -> timedelta:
        """Compact if it is time. After a failure twice as much must come together."""
        if self._journal.uncompacted >= self._wanted:
            held = self._journal.uncompacted
            before = await self._engine.run(self._journal.rotate)
            if await compact(self._home, before):
                self._wanted = self._entries
                await self._engine.run(self._tidy, held)
            else:
                self._wanted = 2 * held
        return timedelta(minutes=1)

    def _tidy(self, held: int) -> None:
        """Runs on the worker: a body that a request is about to use must not go."""
        self._journal.compacted(held)
        if self._journal.layout.tidy():
            self._journal.forget_bodies()


async def compact(home: Home, before: int) -> bool:
    """Let a checked snapshot stand for the segments before one; return whether that was done."""
    layout = JournalLayout(home.state / "journal")
    layout.discard_parts()
    for act in ("build", "check"):
        code = await _run(home, before, act)
        if code:
            log.warning("the journal is not compacted: `%s` of the snapshot ended with %d", act, code)
            return False
    layout.adopt(before)
    log.info("the journal before segment %d is compacted", before)
    return True


async def _run(home: Home, before: int, act: str) -> int:
    command = ("-P", "-m", "miyabi.localcloud.control.rebuilding", "--home", str(home.root), "--before", str(before))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, "--parent", str(os.getpid()), act, env=os.environ | {"PYTHONHASHSEED": "0"}
    )
    try:
        return await process.wait()
    except BaseException:
        process.kill()
        raise
