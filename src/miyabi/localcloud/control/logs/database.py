"""The SQLite file of CloudWatch Logs, apart from the other services' because it grows and is pruned."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from miyabi.localcloud.control.sqlite import open_database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT, region TEXT NOT NULL, name TEXT NOT NULL, created INTEGER NOT NULL,
    class TEXT NOT NULL, kms_key TEXT, protected INTEGER NOT NULL, retention_days INTEGER,
    stored_bytes INTEGER NOT NULL DEFAULT 0, tags TEXT NOT NULL,
    UNIQUE (region, name)
);
CREATE TABLE IF NOT EXISTS streams (
    id INTEGER PRIMARY KEY AUTOINCREMENT, group_id INTEGER NOT NULL, name TEXT NOT NULL, created INTEGER NOT NULL,
    first_event INTEGER, last_event INTEGER, last_ingestion INTEGER,
    UNIQUE (group_id, name)
);
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, group_id INTEGER NOT NULL, stream_id INTEGER NOT NULL,
    timestamp INTEGER NOT NULL, ingestion INTEGER NOT NULL, message TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_of_group ON events (group_id, timestamp);
CREATE INDEX IF NOT EXISTS events_of_stream ON events (stream_id, timestamp);
-- Deleted streams whose events are still to be removed.
CREATE TABLE IF NOT EXISTS deleted_streams (stream_id INTEGER PRIMARY KEY);
-- Output files of tasks: what lies before position is in events.
CREATE TABLE IF NOT EXISTS sources (
    path TEXT PRIMARY KEY, region TEXT NOT NULL, group_name TEXT NOT NULL, stream_name TEXT NOT NULL,
    position INTEGER NOT NULL DEFAULT 0, last_timestamp INTEGER NOT NULL DEFAULT 0,
    finished INTEGER NOT NULL DEFAULT 0, drained INTEGER NOT NULL DEFAULT 0
);
"""


class LogDatabase:
    """The connection. A change is committed before the method that made it returns."""

    def __init__(self, path: Path) -> None:
        # auto_vacuum takes effect in a new file only
        self._connection = open_database(path, (_SCHEMA,), pragmas=("auto_vacuum=INCREMENTAL",))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything inside, or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Run one statement."""
        return self._connection.execute(sql, values)

    def execute_many(self, sql: str, rows: Iterator[tuple[Any, ...]]) -> None:
        """Run one statement for every row."""
        self._connection.executemany(sql, rows)

    def give_back(self) -> None:
        """Return free pages to the file system."""
        self._connection.execute("PRAGMA incremental_vacuum(2000)").fetchall()

    def close(self) -> None:
        """Fold the write-ahead log in and close the file."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()
