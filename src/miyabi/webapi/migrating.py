"""Brings the schema to what this version of the service needs: forward only, one task at a time."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from miyabi.webapi.statements import (
    CREATE_MIGRATIONS,
    LIST_MIGRATIONS,
    MIGRATION_LOCK,
    RECORD_MIGRATION,
    RELEASE_MIGRATION_LOCK,
    TRY_MIGRATION_LOCK,
)

log = logging.getLogger(__name__)

_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_LOCK_TIMEOUT = "SET lock_timeout = '3s'"
"""A change of a table must not queue everybody else behind it: it is tried again."""


class BrokenSchema(Exception):
    """The schema cannot be brought to what this version needs; trying again does not help."""


class AnotherMigrates(Exception):
    """Another task holds the lock."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """The digest of what the file says."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """Return the steps in order; a file whose name has no number is an error."""
    found = []
    for file in (files("miyabi.webapi") / "migrations").iterdir():
        if file.name.endswith(".sql"):
            match = _FILE.fullmatch(file.name)
            if match is None:
                raise BrokenSchema(f"a migration is named {file.name}, not <four digits>_<words>.sql")
            found.append(Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
    found.sort(key=lambda step: step.number)
    if [step.number for step in found] != list(range(1, len(found) + 1)):
        raise BrokenSchema("the numbers of the migrations have a gap or a number twice")
    return found


def missing(steps: Sequence[Migration], applied: dict[int, str]) -> list[Migration]:
    """Return the steps that a database lacks, by the checksums of those that it has.

    A database that is ahead is fine: a newer version of the service only adds. Raises `BrokenSchema` where what was
    applied under a number is not what this version has there.
    """
    for step in steps:
        if applied.get(step.number, step.checksum) != step.checksum:
            raise BrokenSchema(f"migration {step.number:04} ({step.name}) is not the one that was applied")
    return [step for step in steps if step.number not in applied]


async def migrate(connection: asyncpg.Connection, steps: Sequence[Migration]) -> None:
    """Apply what is missing. Raises `AnotherMigrates`, `BrokenSchema`, and what the connection raises."""
    if not await connection.fetchval(TRY_MIGRATION_LOCK.sql, MIGRATION_LOCK):
        raise AnotherMigrates("another task applies the migrations")
    try:
        await connection.execute(_LOCK_TIMEOUT)
        await connection.execute(CREATE_MIGRATIONS.sql)
        rows = await connection.fetch(LIST_MIGRATIONS.sql)
        for step in missing(steps, {row["number"]: row["checksum"] for row in rows}):
            await _apply(connection, step)
    finally:
        if not connection.is_closed():
            await connection.execute(RELEASE_MIGRATION_LOCK.sql.replace("$1", str(MIGRATION_LOCK)))


async def _apply(connection: asyncpg.Connection, step: Migration) -> None:
    async with connection.transaction():
        await connection.execute(step.sql)
        await connection.execute(RECORD_MIGRATION.sql, step.number, step.name, step.checksum)
    log.info("applied migration %04d (%s)", step.number, step.name)
