"""Removing expired and deleted events, a batch at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.logs.base import LogsBase
from miyabi.localcloud.control.logs.streams import EVENT_OVERHEAD

if TYPE_CHECKING:
    from miyabi.localcloud.control.logs import Logs

_BATCH = 5_000


class Retention(LogsBase):
    """What the retention loop asks of the service."""

    def purge(self) -> bool:
        """Remove one batch of events that nobody can see any more; say whether there may be more."""
        removed = self._purge_deleted() or self._purge_expired()
        if removed:
            self._database.give_back()
        return removed

    def _purge_deleted(self) -> bool:
        for (stream_id,) in self._database.execute("SELECT stream_id FROM deleted_streams LIMIT 1").fetchall():
            with self._database.transaction():
                removed = self._database.execute(
                    "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE stream_id=? LIMIT ?)",
                    stream_id,
                    _BATCH,
                ).rowcount
                if removed < _BATCH:
                    self._database.execute("DELETE FROM deleted_streams WHERE stream_id=?", stream_id)
            return True
        return False

    def _purge_expired(self) -> bool:
        now = self._now()
        for group in self._groups("WHERE retention_days IS NOT NULL"):
            with self._database.transaction():
                expired = self._database.execute(
                    "SELECT id, LENGTH(CAST(message AS BLOB)) FROM events WHERE group_id=? AND timestamp<?"
                    " ORDER BY timestamp LIMIT ?",
                    group.id,
                    group.oldest(now),
                    _BATCH,
                ).fetchall()
                self._database.execute_many("DELETE FROM events WHERE id=?", ((one[0],) for one in expired))
                # A deleted stream's events were subtracted when it was deleted, and are removed before these.
                self._database.execute(
                    "UPDATE groups SET stored_bytes=stored_bytes-? WHERE id=?",
                    sum(one[1] + EVENT_OVERHEAD for one in expired),
                    group.id,
                )
            if expired:
                return True
        return False


class RetentionLoop:
    """Removes what has expired or was deleted; queries have long stopped showing it."""

    name = "logs-retention"

    def __init__(self, engine: Engine, logs: Logs, *, interval: timedelta = timedelta(hours=1)) -> None:
        self._engine = engine
        self._logs = logs
        self._interval = interval

    async def step(self) -> timedelta:
        """Remove everything that is due, giving the thread back after each batch."""
        while await self._engine.run(self._logs.purge):
            pass
        return self._interval
