"""Output files of tasks: which stream each one feeds, and how far it has been read."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from miyabi.localcloud.control.logs.events import Events
from miyabi.localcloud.control.logs.names import checked_stream_name
from miyabi.localcloud.control.logs.output_file import Chunk
from miyabi.localcloud.control.logs.streams import Streams

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """A followed output file; what lies before `position` is stored."""

    path: str
    position: int
    finished: bool
    """Nothing will be appended any more."""
    drained: bool
    """Everything is stored: the file can go."""


class Sources(Streams, Events):
    """What ECS and the ingest loop ask of the service."""

    def follow(self, region: str, group: str, stream: str, path: str | Path) -> None:
        """Feed a stream, made if it is missing, from a file that need not exist yet. Idempotent.

        Raises ApiError ResourceNotFoundException where there is no such log group.
        """
        found = self._group(region, group)
        with self._database.transaction():
            self._new_stream(found, checked_stream_name(stream), self._now())
            added = self._database.execute(
                "INSERT OR IGNORE INTO sources (path, region, group_name, stream_name) VALUES (?, ?, ?, ?)",
                str(path),
                region,
                group,
                stream,
            ).rowcount
        if added:
            self._on_change()

    def open_stream(self, region: str, group: str, stream: str) -> None:
        """Make a stream if it is missing. Raises ApiError ResourceNotFoundException: there is no such log group."""
        found = self._group(region, group)
        with self._database.transaction():
            self._new_stream(found, checked_stream_name(stream), self._now())

    def finish(self, path: str | Path) -> None:
        """Say that nothing will be appended to the file: its rest is stored, then it is removed. Idempotent."""
        changed = self._database.execute(
            "UPDATE sources SET finished=1 WHERE path=? AND finished=0", str(path)
        ).rowcount
        if changed:
            self._on_change()

    def sources(self) -> list[Source]:
        """Return the files that are followed."""
        rows = self._database.execute("SELECT path, position, finished, drained FROM sources ORDER BY path")
        return [Source(path, position, bool(finished), bool(drained)) for path, position, finished, drained in rows]

    def store(self, chunks: Sequence[Chunk]) -> None:
        """Store what was read, and how far, in one transaction: so no line is lost, and none is stored twice."""
        with self._database.transaction():
            stored = [(self._store(chunk), chunk.messages) for chunk in chunks]
        for region, messages in stored:
            if region is not None:
                self._tell(region, messages)

    def _store(self, chunk: Chunk) -> str | None:
        """Return the region whose events the lines are now, if they are any."""
        row = self._database.execute(
            "SELECT region, group_name, stream_name, position, last_timestamp FROM sources WHERE path=?", chunk.path
        ).fetchone()
        if row is None or row[3] != chunk.begin:
            return None
        region, group_name, stream_name, _, last = row
        now = self._now()
        timestamp = max(now, last)  # a clock that was set back must not disturb the order of lines
        lines = [(timestamp, one) for one in chunk.messages]
        kept = bool(lines) and self._append_lines(region, group_name, stream_name, lines, now)
        self._database.execute(
            "UPDATE sources SET position=?, last_timestamp=?, drained=? WHERE path=?",
            chunk.end,
            timestamp,
            chunk.drained,
            chunk.path,
        )
        return str(region) if kept else None

    def _append_lines(
        self, region: str, group_name: str, stream_name: str, lines: Sequence[tuple[int, str]], now: int
    ) -> bool:
        """Store a task's lines; a stream that was deleted, or whose group was and is there again, is made again.

        Returns whether there is such a group.
        """
        groups = self._groups("WHERE region=? AND name=?", region, group_name)
        if not groups:
            if (region, group_name) not in self._missing:
                log.warning("log group %s in %s does not exist: what tasks print is dropped", group_name, region)
            self._missing.add((region, group_name))
            return False
        self._missing.discard((region, group_name))
        self._new_stream(groups[0], stream_name, now)
        self._append(groups[0], self._stream(groups[0], stream_name), lines, now)
        return True

    def forget(self, path: str) -> None:
        """Stop following a file that was drained and removed."""
        self._database.execute("DELETE FROM sources WHERE path=?", path)
