"""PostgreSQL: a pool that comes when the database does, named statements, bounded in time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import asyncpg

from miyabi.model.errors import InvalidInput, Unavailable
from miyabi.webapi.logs import FIELDS
from miyabi.webapi.migrating import AnotherMigrates, BrokenSchema, Migration, migrate
from miyabi.webapi.settings import DatabaseSettings
from miyabi.webapi.statements import PROBE, Statement

log = logging.getLogger(__name__)

Row = Any
"""asyncpg's record: values by column."""

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_MIGRATION_SECONDS = 300.0

# By PostgreSQL's classes of errors: connection, authorisation, no such database, rolled back, no resources left, lock
# not available, an operator stepped in (also: statement timeout), system error.
_AWAY = frozenset({"08", "28", "3D", "40", "53", "55", "57", "58"})
_READ_ONLY = "25006"
"""What was the primary is one no longer."""


class State(StrEnum):
    """How the database stands."""

    STARTING = "starting"
    UP = "up"
    DOWN = "down"
    BROKEN = "broken"
    """It answers, but the schema is not what this version of the service can work with."""


class Database:
    """Runs statements on a pool of connections. `run` brings it up and keeps trying until it is there."""

    def __init__(self, settings: DatabaseSettings, steps: Sequence[Migration], *, application: str) -> None:
        self._settings = settings
        self._steps = steps
        self._application = application
        self._pool: asyncpg.Pool | None = None
        self.state = State.STARTING
        self.reason: str | None = None
        """Why it is not up."""

    async def run(self) -> None:
        """Connect, bring the schema up to date, and open the pool; try until it works or is cancelled."""
        pause = _FIRST_PAUSE_SECONDS
        while self._pool is None:
            try:
                await self._migrate()
                self._pool = await self._open()
            except AnotherMigrates:
                pause = _FIRST_PAUSE_SECONDS
            except BrokenSchema as error:
                self._note(State.BROKEN, str(error))
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                self._note(State.DOWN, _reason(error), str(error))
            except Exception as error:
                # Whatever it is, the task must not stay without a database for ever because of it.
                log.exception("bringing the database up failed")
                self._note(State.DOWN, _reason(error))
            if self._pool is None:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        self._note(State.UP)

    async def close(self) -> None:
        """Let go of every connection."""
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                async with asyncio.timeout(self._settings.connect_timeout_seconds):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    async def fetch(self, statement: Statement, *arguments: object) -> list[Row]:
        """Run a statement and return its rows.

        Raises `Unavailable` where the database does not answer in time, `InvalidInput` where it cannot hold a value.
        """
        pool = self._pool
        if pool is None:
            raise _unavailable()
        try:
            async with pool.acquire(timeout=self._settings.connect_timeout_seconds) as connection:
                with self._timed(statement):
                    rows: list[Row] = await connection.fetch(statement.sql, *arguments)
        except asyncpg.DataError as error:
            raise InvalidInput(f"the database cannot hold this: {error}") from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:  # OSError: a timeout too
            if isinstance(error, ValueError):  # a value that cannot be sent
                raise InvalidInput(f"the database cannot hold this: {error}") from error
            if isinstance(error, asyncpg.PostgresError) and not _is_away(error):
                raise
            self._note_failure(pool, statement, error)
            raise _unavailable() from error
        self._note(State.UP)
        return rows

    async def probe(self) -> dict[str, object]:
        """Ask for an answer; return how many connections there are. Raises `Unavailable`."""
        if self.state is State.BROKEN:
            raise Unavailable(self.reason or "broken")
        await self.fetch(PROBE)
        pool = self._pool
        if pool is None:
            return {}
        counts = {"open": pool.get_size(), "idle": pool.get_idle_size(), "max": pool.get_max_size()}
        return {"connections": counts}

    async def _migrate(self) -> None:
        settings = {**self._session(), "statement_timeout": "0"}
        connection = await asyncpg.connect(
            self._settings.url, timeout=self._settings.connect_timeout_seconds, server_settings=settings
        )
        try:
            async with asyncio.timeout(_MIGRATION_SECONDS):
                await migrate(connection, self._steps)
        except asyncpg.PostgresError as error:
            if _is_away(error):
                raise
            raise BrokenSchema(f"a migration failed: {_reason(error)}: {error}") from error
        finally:
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await connection.close(timeout=1)

    async def _open(self) -> asyncpg.Pool:
        return await asyncpg.create_pool(
            self._settings.url,
            min_size=self._settings.connections_min,
            max_size=self._settings.connections_max,
            timeout=self._settings.connect_timeout_seconds,
            # The server keeps the limit; this one is for a server that does not even answer that.
            command_timeout=self._settings.statement_timeout_seconds + 1,
            server_settings=self._session(),
            reset=_nothing_to_reset,
        )

    def _session(self) -> dict[str, str]:
        return {
            "application_name": self._application,
            "statement_timeout": str(int(self._settings.statement_timeout_seconds * 1000)),
            "idle_in_transaction_session_timeout": "10000",
            "timezone": "UTC",
        }

    @contextlib.contextmanager
    def _timed(self, statement: Statement) -> Any:
        began = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - began
            if seconds > self._settings.slow_statement_seconds:
                fields = {"statement": statement.name, "duration_ms": round(seconds * 1000, 1)}
                log.warning("slow statement %s: %.1f s", statement.name, seconds, extra={FIELDS: fields})

    def _note_failure(self, pool: asyncpg.Pool, statement: Statement, error: Exception) -> None:
        busy = isinstance(error, TimeoutError) and pool.get_size() == pool.get_max_size() and not pool.get_idle_size()
        if busy or isinstance(error, asyncpg.QueryCanceledError):  # the database is there, but slow
            why = f"all {pool.get_size()} connections are busy" if busy else str(error)
            fields = {FIELDS: {"statement": statement.name}}
            log.warning("statement %s was not answered: %s", statement.name, why, extra=fields)
            return
        self._note(State.DOWN, _reason(error), str(error))

    def _note(self, state: State, reason: str | None = None, detail: str = "") -> None:
        """Keep the state and why; log when it changes, with what is not for everybody to read."""
        if state is not self.state:
            if state is State.UP:
                log.info("the database is up")
            else:
                log.error("the database is %s: %s", state, ": ".join(part for part in (reason, detail) if part))
        self.state, self.reason = state, reason


async def _nothing_to_reset(_: asyncpg.Connection) -> None:
    """No statement leaves anything behind in its session, so nothing is asked between two of them."""


def _unavailable() -> Unavailable:
    return Unavailable("the database does not answer", hint="try again in some seconds; /health says how it is")


def _is_away(error: asyncpg.PostgresError) -> bool:
    code = error.sqlstate or ""
    return code[:2] in _AWAY or code == _READ_ONLY


def _reason(error: Exception) -> str:
    """Return an error in words that may be shown to anybody."""
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
