"""How every SQLite file of a home is opened: private, committed to the disk itself, of a known version."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from miyabi.model.errors import Conflict


def open_database(path: Path, migrations: Sequence[str], *, pragmas: Sequence[str] = ()) -> sqlite3.Connection:
    """Open a file and bring it to the newest version.

    migrations: script n leads from version n to n + 1 (`PRAGMA user_version`); the first also accepts a file that was
    written before versions were. pragmas: to be set before the first table. Conflict: a newer Miyabi's file.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in (*pragmas, "journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(migrations):
        connection.close()
        raise Conflict(
            f"{path} was written by a newer Miyabi (version {version}; this one knows {len(migrations)})",
            hint="Use that version, or choose another directory with MIYABI_HOME.",
        )
    try:
        _migrate(connection, migrations, version)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, migrations: Sequence[str], version: int) -> None:
    for number, script in enumerate(migrations[version:], version + 1):
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version={number};\nCOMMIT;")
