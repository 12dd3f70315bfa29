"""The loop that turns what tasks print into log events."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.logs.output_file import Chunk, punch_hole, read_chunk
from miyabi.localcloud.control.logs.sources import Source

if TYPE_CHECKING:
    from miyabi.localcloud.control.logs import Logs

_PUNCH_BYTES = 8 * 1_048_576


class IngestLoop:
    """Looks at the followed files a few times a second, as long as there are any."""

    name = "logs-ingest"

    def __init__(
        self, engine: Engine, logs: Logs, *, poll: timedelta = timedelta(seconds=0.25), punch_bytes: int = _PUNCH_BYTES
    ) -> None:
        self._engine = engine
        self._logs = logs
        self._poll = poll
        self._punch_bytes = punch_bytes
        self._sizes: dict[str, int] = {}
        """The size of each file when there was nothing more to store of it."""
        self._punched: dict[str, int] = {}

    async def step(self) -> timedelta:
        """Store what was printed since the last step; remove the files of finished tasks."""
        sources = await self._engine.run(self._logs.sources)
        if not sources:
            return timedelta(hours=1)  # follow() wakes us
        chunks, sizes = await asyncio.to_thread(self._read, [one for one in sources if not one.drained])
        if chunks:
            await self._engine.run(self._logs.store, chunks)
        self._sizes.update(sizes)
        drained = [source.path for source in sources if source.drained]
        drained += [chunk.path for chunk in chunks if chunk.drained]
        await asyncio.to_thread(self._tidy, chunks, drained)
        for path in drained:
            await self._engine.run(self._logs.forget, path)
        return timedelta(0) if any(chunk.more for chunk in chunks) else self._poll

    def _read(self, sources: list[Source]) -> tuple[list[Chunk], dict[str, int]]:
        chunks: list[Chunk] = []
        sizes: dict[str, int] = {}
        for source in sources:
            size = _size(source.path)
            if not source.finished and size in {None, self._sizes.get(source.path)}:
                continue
            chunk = read_chunk(source.path, source.position, finished=source.finished)
            if chunk is not None:
                chunks.append(chunk)
            if size is not None and (chunk is None or not chunk.more):
                sizes[source.path] = size
        return chunks, sizes

    def _tidy(self, chunks: list[Chunk], drained: list[str]) -> None:
        """Free what was stored of growing files, and remove the finished ones."""
        for chunk in chunks:
            punched = self._punched.get(chunk.path, 0)
            if not chunk.drained and chunk.end - punched >= self._punch_bytes:
                punch_hole(chunk.path, punched, chunk.end)  # where it cannot be done, the file just stays large
                self._punched[chunk.path] = chunk.end
        for path in drained:
            Path(path).unlink(missing_ok=True)
            self._sizes.pop(path, None)
            self._punched.pop(path, None)


def _size(path: str) -> int | None:
    try:
        return Path(path).stat().st_size
    except FileNotFoundError:
        return None
