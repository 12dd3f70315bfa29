"""The SQLite file of CloudWatch's samples, apart from the other services' because it grows and is pruned.

A series is a metric with its dimensions and unit. Its samples are kept once a second or once a minute and get coarser
with age. Beside the public series lie the evaluator's own: where control loops run faster than the wall clock, alarms
look at those.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from miyabi.localcloud.control.sqlite import open_database
from miyabi.model.metrics import Sample
from miyabi.policy.histogram import condensed
from miyabi.policy.tempo import WALL, Tempo

_SCHEMA = """
CREATE TABLE series (
    id INTEGER PRIMARY KEY AUTOINCREMENT, own INTEGER NOT NULL, region TEXT NOT NULL, namespace TEXT NOT NULL,
    name TEXT NOT NULL, dimensions TEXT NOT NULL, unit TEXT NOT NULL, last INTEGER NOT NULL DEFAULT 0,
    UNIQUE (own, region, namespace, name, dimensions, unit)
);
-- at: the beginning of what the row covers, in seconds since 1970; width: its length, 1, 60, 300 or 3600.
-- seen: MessagePack of [[value, count], ...], or NULL where only the statistics are known.
CREATE TABLE points (
    series INTEGER NOT NULL, at INTEGER NOT NULL, width INTEGER NOT NULL,
    count REAL NOT NULL, total REAL NOT NULL, minimum REAL NOT NULL, maximum REAL NOT NULL, seen BLOB,
    PRIMARY KEY (series, at, width)
) WITHOUT ROWID;
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_UPSERT = """
INSERT INTO points VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (series, at, width) DO UPDATE SET
    count = count + excluded.count, total = total + excluded.total, minimum = MIN(minimum, excluded.minimum),
    maximum = MAX(maximum, excluded.maximum), seen = joined(seen, excluded.seen)
"""
_BATCH = 5_000
_SPEED = "clock speed"
_LISTED_TO_SECONDS = 600
"""When a series was written last is kept no finer than this: lists ask for hours."""

Row = tuple[int, int, Sample]
"""When a row begins, its width, what was seen."""


@dataclass(frozen=True, slots=True)
class Series:
    """A metric's name. `own`: one of the evaluator's."""

    region: str
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    """Sorted."""
    unit: str
    own: bool = False


def sorted_dimensions(dimensions: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return dimensions as a series has them."""
    return tuple(sorted(dimensions.items()))


class MetricDatabase:
    """The connection. A change is committed before the method that made it returns."""

    def __init__(self, path: Path, tempo: Tempo = WALL) -> None:
        """Open the file. tempo: the evaluator's own samples of another clock speed mean nothing, and are removed."""
        self._connection = open_database(path, (_SCHEMA,), pragmas=("auto_vacuum=INCREMENTAL",))
        self._connection.create_function("joined", 2, _joined, deterministic=True)
        self._ids: dict[Series, int] = {}
        self._last: dict[int, int] = {}
        speed = str(tempo.speed)
        if self._setting(_SPEED) != speed:
            self.drop_own()
            self._connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (_SPEED, speed))

    def write(self, points: Iterable[tuple[Series, int, int, Sample]]) -> None:
        """Add samples to what is there: series, second, width, sample."""
        with self._transaction():
            rows = [
                (
                    self._id_of(series, at),
                    at,
                    width,
                    sample.count,
                    sample.total,
                    sample.minimum,
                    sample.maximum,
                    _packed(sample.values),
                )
                for series, at, width, sample in points
            ]
            self._connection.executemany(_UPSERT, rows)

    def read(self, series: Sequence[Series], begin: int, end: int, period: int) -> Iterator[Row]:
        """Yield the samples from begin to before end, oldest first; with the values where they are known.

        period: in seconds; as on AWS there is nothing where only rows are left that are no part of such a period.
        """
        columns = "at, width, count, total, minimum, maximum, seen"
        for row in self._rows(columns, series, begin, end, period, "ORDER BY at"):
            at, width, count, total, minimum, maximum, seen = row
            yield at, width, Sample(count, total, minimum, maximum, _unpacked(seen))

    def aggregate(
        self, series: Sequence[Series], begin: int, end: int, period: int
    ) -> Iterator[tuple[int, float, float, float, float, int]]:
        """Yield of each period that `read` has samples of its number counted from begin, their count, sum, minimum and
        maximum, and in how many rows they are."""
        columns = f"(at - {begin}) / {period}, SUM(count), SUM(total), MIN(minimum), MAX(maximum), COUNT(*)"
        return self._rows(columns, series, begin, end, period, "AND count > 0 GROUP BY 1 ORDER BY 1")

    def units(self, series: Series) -> list[Series]:
        """Return the series that a metric has under whatever unit."""
        found = self._connection.execute(
            "SELECT unit FROM series WHERE own=? AND region=? AND namespace=? AND name=? AND dimensions=? ORDER BY id",
            (*_named(series)[:5],),
        )
        return [
            Series(series.region, series.namespace, series.name, series.dimensions, unit, series.own)
            for (unit,) in found.fetchall()
        ]

    def listed(self, region: str, namespace: str | None, name: str | None, since: int) -> list[Series]:
        """Return the public series that had a sample since then, in the order of their names."""
        where = "own=0 AND region=? AND last>=?"
        values: list[Any] = [region, since]
        for column, value in (("namespace", namespace), ("name", name)):
            if value is not None:
                where += f" AND {column}=?"
                values.append(value)
        order = "namespace, name, dimensions, unit"
        rows = self._connection.execute(
            f"SELECT {order} FROM series WHERE {where} ORDER BY {order}",  # noqa: S608 - columns of ours
            values,
        )
        return [
            Series(region, found, metric, tuple((key, value) for key, value in json.loads(dimensions)), unit)
            for found, metric, dimensions, unit in rows.fetchall()
        ]

    def after(self, series: int) -> int | None:
        """Return the number of the next series, for walks over all of them."""
        found = self._connection.execute("SELECT MIN(id) FROM series WHERE id>?", (series,)).fetchone()
        return None if found[0] is None else int(found[0])

    def coarsen(self, series: int, width: int, into: int, before: int) -> bool:
        """Take a series' samples of a width that are older into rows of the next; say whether there may be more."""
        rows = self._connection.execute(
            "SELECT series, at, count, total, minimum, maximum, seen FROM points"
            " WHERE series=? AND at<? AND width=? LIMIT ?",
            (series, before, width, _BATCH),
        ).fetchall()
        if rows:
            with self._transaction():
                self._connection.executemany(
                    _UPSERT, ((series, at - at % into, into, *values) for _, at, *values in rows)
                )
                self._connection.executemany(
                    "DELETE FROM points WHERE series=? AND at=? AND width=?", ((series, row[1], width) for row in rows)
                )
        return len(rows) == _BATCH

    def drop(self, series: int, before: int) -> None:
        """Remove a series' samples that are older."""
        self._connection.execute("DELETE FROM points WHERE series=? AND at<?", (series, before))

    def drop_own(self, before: int | None = None) -> None:
        """Remove the evaluator's own samples, all or those before a second of its time."""
        with self._transaction():
            self._connection.execute(
                "DELETE FROM points WHERE series IN (SELECT id FROM series WHERE own=1) AND (?1 IS NULL OR at<?1)",
                (before,),
            )

    def forget(self, before: int) -> None:
        """Remove series that had no sample since then, and give free pages back."""
        with self._transaction():
            self._connection.execute(
                "DELETE FROM series WHERE last<? AND NOT EXISTS (SELECT 1 FROM points WHERE series=series.id)",
                (before,),
            )
        self._ids.clear()
        self._last.clear()
        self._connection.execute("PRAGMA incremental_vacuum(2000)").fetchall()

    def close(self) -> None:
        """Fold the write-ahead log in and close the file."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    def _rows(
        self, columns: str, series: Sequence[Series], begin: int, end: int, period: int, rest: str
    ) -> Iterator[Any]:
        ids = [found for one in series if (found := self._known(one)) is not None]
        marks = ", ".join("?" * len(ids))
        where = f"series IN ({marks}) AND at>=? AND at<? AND (width<=60 OR ? % width=0)"
        sql = f"SELECT {columns} FROM points WHERE {where} {rest}"  # noqa: S608
        return self._connection.execute(sql, (*ids, begin, end, period)) if ids else iter(())

    def _known(self, series: Series) -> int | None:
        known = self._ids.get(series)
        if known is None:
            found = self._connection.execute(
                "SELECT id FROM series WHERE own=? AND region=? AND namespace=? AND name=? AND dimensions=? AND unit=?",
                _named(series),
            ).fetchone()
            if found is None:
                return None
            known = self._ids[series] = int(found[0])
        return known

    def _id_of(self, series: Series, at: int) -> int:
        known = self._known(series)
        if known is None:
            cursor = self._connection.execute(
                "INSERT INTO series (own, region, namespace, name, dimensions, unit, last)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*_named(series), at),
            )
            known = self._ids[series] = int(cursor.lastrowid or 0)
            self._last[known] = at
        elif at >= self._last.get(known, 0) + _LISTED_TO_SECONDS:
            self._connection.execute("UPDATE series SET last=? WHERE id=? AND last<?", (at, known, at))
            self._last[known] = at
        return known

    def _setting(self, name: str) -> str | None:
        found = self._connection.execute("SELECT value FROM settings WHERE name=?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def _transaction(self) -> _Transaction:
        return _Transaction(self)

    def begin(self) -> None:
        """Begin a transaction."""
        self._connection.execute("BEGIN IMMEDIATE")

    def end(self, *, keep: bool) -> None:
        """Commit a transaction, or take it back: then ids that were given may not exist."""
        self._connection.execute("COMMIT" if keep else "ROLLBACK")
        if not keep:
            self._ids.clear()
            self._last.clear()


class _Transaction:
    def __init__(self, database: MetricDatabase) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.begin()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._database.end(keep=kind is None)


def _named(series: Series) -> tuple[int, str, str, str, str, str]:
    dimensions = json.dumps(series.dimensions, separators=(",", ":"))
    return int(series.own), series.region, series.namespace, series.name, dimensions, series.unit


_VALUES = tuple[tuple[float, float], ...]
_DECODER = msgspec.msgpack.Decoder(_VALUES)
_ENCODER = msgspec.msgpack.Encoder()


def _packed(values: _VALUES) -> bytes | None:
    if len(values) > 1:
        return _ENCODER.encode(condensed(values))
    return _ENCODER.encode(values) if values else None


def _unpacked(seen: bytes | None) -> _VALUES:
    return _DECODER.decode(seen) if seen else ()


def _joined(one: bytes | None, other: bytes | None) -> bytes | None:
    """Return all values of both, or nothing where those of one are unknown."""
    if one is None or other is None:
        return None
    return _packed(_unpacked(one) + _unpacked(other))
