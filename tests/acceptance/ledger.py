"""Outside ledgers: what the API and the database acknowledged, kept by the test and by nobody else.

A writer without retries notes a change once its answer is there. What it notes must be found after any crash, as it
was answered: ids, creation dates, values, rows. A change without an answer may be there or not.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from tests.acceptance.cloud import Rehearsal
from tests.acceptance.ledger_kinds import KINDS, LOG_GROUP, Clients, Kind

# The last two are torn answers: a kill cut them off, and http.client takes headers that end early for whole ones.
REFUSED = (BotoCoreError, ClientError, ResponseParserError, KeyError)
_PAUSE_SECONDS = 0.02
_KEPT = 60
"""So many entries stay for the next checks; older ones are deleted, and must stay deleted."""


def clients_of(cloud: Rehearsal) -> Clients:
    """Return a function that gives clients which never send a request twice."""
    instance = cloud.instance()
    made: dict[str, Any] = {}
    config = Config(proxies={}, retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=15)

    def client(service: str) -> Any:
        if service not in made:
            made[service] = boto3.client(  # type: ignore[call-overload]
                service,
                endpoint_url=f"http://127.0.0.1:{instance['api_port']}",
                region_name=instance["region"],
                aws_access_key_id=instance["access_key"],
                aws_secret_access_key=instance["secret_key"],
                config=config,
            )
        return made[service]

    return client


@dataclass
class Entry:
    """An acknowledged change."""

    kind: Kind
    name: str
    seen: dict[str, Any] | None = None
    """What a look after the acknowledgement and before the crash showed; None where there was no time for it."""


@dataclass
class ApiLedger:
    """A writer of the API and what was acknowledged to it."""

    aws: Clients
    present: list[Entry] = field(default_factory=list)
    gone: list[Entry] = field(default_factory=list)
    """Acknowledged deletions of late."""
    acknowledged: int = 0
    refused: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def open(self) -> None:
        """Make what the entries lie in."""
        self.aws("logs").create_log_group(logGroupName=LOG_GROUP)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write meanwhile, in a thread of its own."""
        stop = threading.Event()
        thread = threading.Thread(target=self._write, args=(stop,), name="ledger")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(60)
            assert not thread.is_alive()

    def check(self) -> None:
        """Fail where an acknowledged change is not there as it was; then delete old ones."""
        for entry in self.present:
            found = entry.kind.read(self.aws, entry.name)
            what = f"{type(entry.kind).__name__} {entry.name}"
            assert found is not None, f"{what} was acknowledged and is not there"
            assert entry.seen in (None, found), f"{what} was {entry.seen} and is {found}"
            entry.seen = found
        for entry in self.gone:
            assert entry.kind.read(self.aws, entry.name) is None, f"{entry.name} was deleted and is there again"
        self.gone.clear()

    def clear(self) -> None:
        """Delete everything."""
        for entry in self.present:
            entry.kind.delete(self.aws, entry.name)
        self.aws("logs").delete_log_group(logGroupName=LOG_GROUP)

    def _write(self, stop: threading.Event) -> None:
        while not stop.wait(_PAUSE_SECONDS):
            number = next(self._numbers)
            entry = Entry(KINDS[number % len(KINDS)], f"ledger-{number:06}")
            try:
                entry.kind.create(self.aws, entry.name)
                self.present.append(entry)
                self.acknowledged += 1
                entry.seen = entry.kind.read(self.aws, entry.name)
                assert entry.seen is not None, f"{entry.name} was acknowledged and is not there"
                self._delete_oldest()
            except REFUSED:
                self.refused += 1

    def _delete_oldest(self) -> None:
        if len(self.present) > _KEPT:
            entry = self.present.pop(0)
            entry.kind.delete(self.aws, entry.name)  # without an answer either way is right: it is in no list
            self.gone.append(entry)


# The last one is what asyncpg says where the connection is lost between two of its steps.
LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class RowLedger:
    """Writers of a table, one commit a row, as pgbench does, and the rows whose commit was acknowledged."""

    TABLE = "kill_ledger"
    WRITERS = 4

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = itertools.count()
        self.acknowledged: set[int] = set()
        self.attempted = 0

    def open(self) -> None:
        """Make the table."""
        self._run(f"CREATE TABLE {self.TABLE} (number bigint PRIMARY KEY, at timestamptz DEFAULT now())")

    def clear(self) -> None:
        """Drop the table."""
        self._run(f"DROP TABLE {self.TABLE}")

    def check(self) -> None:
        """Fail where an acknowledged row is missing, or one is there that nobody wrote."""
        stored = {row["number"] for row in self._run(f"SELECT number FROM {self.TABLE}")}  # noqa: S608 - ours
        missing = self.acknowledged - stored
        assert not missing, f"{len(missing)} acknowledged rows are gone: {sorted(missing)[:10]}"
        assert all(0 <= number < self.attempted for number in stored)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write meanwhile, in a thread of its own."""
        stop = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._write(stop)), name="rows")
        with warnings.catch_warnings():
            # asyncpg leaves the socket of a connection that a kill cut off while it was made to the collector.
            warnings.filterwarnings("ignore", message="unclosed", category=ResourceWarning)
            thread.start()
            try:
                yield
            finally:
                stop.set()
                thread.join(60)
                assert not thread.is_alive()
                gc.collect()

    async def _write(self, stop: threading.Event) -> None:
        await asyncio.gather(*(self._writer(stop) for _ in range(self.WRITERS)))

    async def _writer(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                connection = await asyncpg.connect(self._url, timeout=5)
            except LOST:
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            try:
                while not stop.is_set():
                    await self._append(connection)
                await connection.close(timeout=5)
            except LOST:
                continue
            finally:
                connection.terminate()

    async def _append(self, connection: asyncpg.Connection) -> None:
        number = next(self._numbers)
        self.attempted = number + 1
        await connection.execute(f"INSERT INTO {self.TABLE} (number) VALUES ($1)", number, timeout=10)  # noqa: S608
        self.acknowledged.add(number)

    def _run(self, statement: str) -> list[Any]:
        async def run() -> list[Any]:
            connection = await asyncpg.connect(self._url, timeout=10)
            try:
                found: list[Any] = await connection.fetch(statement)
            finally:
                await connection.close()
            return found

        return asyncio.run(run())
