"""SQLite files have a version, are migrated step by step, and a newer one is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from miyabi.localcloud.control.sqlite import open_database
from miyabi.model.errors import Conflict

FIRST = "CREATE TABLE IF NOT EXISTS a (x);"
SECOND = "ALTER TABLE a ADD COLUMN y;"


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_a_file_from_before_versions_and_its_rows_come_along(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    old = sqlite3.connect(path, isolation_level=None)
    old.executescript(FIRST)
    old.execute("INSERT INTO a VALUES (1)")
    old.close()
    connection = open_database(path, (FIRST, SECOND))
    assert version(connection) == 2
    assert connection.execute("SELECT x, y FROM a").fetchall() == [(1, None)]
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection.close()
    again = open_database(path, (FIRST, SECOND))
    assert version(again) == 2
    again.close()
    assert path.stat().st_mode & 0o077 == 0


def test_a_migration_that_fails_leaves_the_version_before_it(tmp_path: Path) -> None:
    open_database(tmp_path / "f", (FIRST,)).close()
    with pytest.raises(sqlite3.OperationalError):
        open_database(tmp_path / "f", (FIRST, SECOND + "nonsense;"))
    connection = open_database(tmp_path / "f", (FIRST,))
    assert version(connection) == 1
    assert connection.execute("SELECT * FROM a").description[0][0] == "x"
    connection.close()


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    open_database(tmp_path / "f", (FIRST, SECOND)).close()
    with pytest.raises(Conflict, match="newer Miyabi") as caught:
        open_database(tmp_path / "f", (FIRST,))
    assert caught.value.hint is not None
