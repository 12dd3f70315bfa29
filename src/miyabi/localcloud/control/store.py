"""Rows of the live services: SQLite, committed before the API answers.

A row is a frozen dataclass kept as JSON under (kind, region, key). One thread uses a store; `Engine` owns that thread.
"""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from miyabi.localcloud.control.sqlite import open_database
from miyabi.model.errors import Internal

Row = TypeVar("Row")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    kind TEXT NOT NULL, region TEXT NOT NULL, key TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (kind, region, key)
) WITHOUT ROWID;
"""


class Store:
    """One SQLite file with the rows of every live service."""

    def __init__(self, path: Path) -> None:
        self.connection = open_database(path, (_SCHEMA,))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything inside, or nothing. Nesting joins the outer transaction."""
        if self.connection.in_transaction:
            yield
            return
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:  # a full disk may have ended it already
                self.connection.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Take back what was done inside where it fails; the transaction around it can go on."""
        with self.transaction():
            self.connection.execute("SAVEPOINT part")
            try:
                yield
            except BaseException:
                if self.connection.in_transaction:  # a full disk may have ended it already
                    self.connection.execute("ROLLBACK TO part")
                    self.connection.execute("RELEASE part")
                raise
            self.connection.execute("RELEASE part")

    def close(self) -> None:
        """Fold the write-ahead log in and close the file."""
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.connection.close()


class Table(Generic[Row]):
    """The rows of one kind, for instance `Table(store, "ecs.service", Service)`."""

    def __init__(self, store: Store, kind: str, row_type: type[Row]) -> None:
        self._store = store
        self._kind = kind
        self._decoder = msgspec.json.Decoder(row_type)
        self._encoder = msgspec.json.Encoder()

    def get(self, region: str, key: str) -> Row | None:
        """Return the row, or None."""
        found = self._store.connection.execute(
            "SELECT body FROM rows WHERE kind=? AND region=? AND key=?", (self._kind, region, key)
        ).fetchone()
        return None if found is None else self._decoder.decode(found[0])

    def list(self, region: str, *, prefix: str = "") -> builtins.list[Row]:
        """Return the region's rows in key order, those whose key starts with `prefix`."""
        found = self._store.connection.execute(
            "SELECT body FROM rows WHERE kind=? AND region=? AND key>=? AND key<? ORDER BY key",
            (self._kind, region, prefix, prefix + "\U0010ffff"),
        ).fetchall()
        return [self._decoder.decode(body) for (body,) in found]

    def regions(self) -> builtins.list[str]:
        """Return the regions that have rows of this kind."""
        found = self._store.connection.execute(
            "SELECT DISTINCT region FROM rows WHERE kind=? ORDER BY region", (self._kind,)
        ).fetchall()
        return [region for (region,) in found]

    def put(self, region: str, key: str, row: Row) -> None:
        """Insert or replace the row; its version counts up. Raises `Internal` where it could not be read back."""
        body = self._encoder.encode(row)
        try:
            self._decoder.decode(body)
        except msgspec.DecodeError as error:
            raise Internal(f"a row of {self._kind} could not be read back: {error}") from error
        self._store.connection.execute(
            "INSERT INTO rows (kind, region, key, version, body) VALUES (?, ?, ?, 1, ?)"
            " ON CONFLICT (kind, region, key) DO UPDATE SET version=version+1, body=excluded.body",
            (self._kind, region, key, body),
        )

    def delete(self, region: str, key: str) -> None:
        """Remove the row if it is there."""
        self._store.connection.execute(
            "DELETE FROM rows WHERE kind=? AND region=? AND key=?", (self._kind, region, key)
        )
