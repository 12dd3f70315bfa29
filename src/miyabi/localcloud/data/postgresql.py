"""PostgreSQL servers: one data directory, socket and process for each DB instance.

databases/<DbiResourceId>/   data/  socket/  postgresql.log
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

import asyncpg

from miyabi.environment.home import Home, write_private
from miyabi.localcloud.data import postgresql_roles as roles
from miyabi.localcloud.data.postgresql_binaries import Binaries, Launch
from miyabi.localcloud.data.server_certificate import Authority
from miyabi.localcloud.processes import ProcessSpec, ProcessState
from miyabi.localcloud.supervisor_client import SupervisorClient
from miyabi.model.errors import Conflict, Failed, NotFound

_PREFIX = "postgresql/"
_ANSWER_SECONDS = 3.0
_SQL_SECONDS = 20.0
_INITIALISE_SECONDS = 60.0
_TAIL_BYTES = 16 * 1024
# What it finds before it can log has its name in front. Refused sessions are fatal too, but not to the server.
_FATAL = re.compile(r"(?:::@:\[\d+\]:(?:FATAL|PANIC):|^\S*postgres: )\s*(.*)")
_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)


class Answer(Enum):
    """What a server says when it is asked."""

    SERVES = auto()
    NOT_YET = auto()
    """It refuses: it starts, recovers, stops or does not listen."""
    NONE = auto()
    """It says nothing within the deadline."""


@dataclass(frozen=True, slots=True)
class Server:
    """What a server is started with."""

    resource_id: str
    address: str
    port: int
    configuration: str
    """Lines of postgresql.conf: the parameters."""
    force_tls: bool


class PostgresDriver:
    """Makes, starts, asks and removes the servers of one home."""

    def __init__(self, home: Home, supervisor: SupervisorClient, authority: Authority, launch: Launch) -> None:
        self._home = home
        self._supervisor = supervisor
        self._authority = authority
        self._launch = launch

    async def processes(self) -> dict[str, ProcessState]:
        """Return the servers' processes by resource id."""
        states = await self._supervisor.list()
        return {state.name.removeprefix(_PREFIX): state for state in states if state.name.startswith(_PREFIX)}

    def is_initialised(self, resource_id: str) -> bool:
        """Say whether the data directory is there, whole."""
        return (self._data(resource_id) / "PG_VERSION").exists()

    def major(self, resource_id: str) -> str:
        """Return the major version that made the data directory."""
        return (self._data(resource_id) / "PG_VERSION").read_text().strip()

    async def initialise(self, resource_id: str, binaries: Binaries) -> None:
        """Make the data directory: whole, or not at all. Failed: initdb refuses."""
        directory = self._directory(resource_id)
        data, fresh = self._data(resource_id), directory / "data.new"
        await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)
        for path in (directory, directory / "socket", fresh):
            path.mkdir(mode=0o700, exist_ok=True, parents=True)
            self._launch.own(path)
        locale = ("--locale-provider=builtin",) if int(binaries.major) >= 17 else ()
        arguments = (
            *("-U", roles.SUPERUSER, "--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8"),
            *("--locale=C.UTF-8", *locale, "--data-checksums", "--no-instructions"),
        )
        code, output = await self._run(*self._launch.argv(binaries.bin / "initdb", fresh, *arguments))
        if code != 0:
            raise Failed(f"initdb failed with exit code {code}: {_last_line(output)}")
        fresh.rename(data)

    async def start(self, server: Server, binaries: Binaries) -> str | None:
        """Write the configuration and start the server; return why it cannot start with that, or None."""
        self._write(server)
        data = self._data(server.resource_id)
        program = binaries.bin / "postgres"
        if not self._authority.issued(data, server.address):
            await asyncio.to_thread(self._authority.issue, data, server.address)
            for name in ("server.crt", "server.key"):
                self._launch.own(data / name)
        code, output = await self._run(*self._launch.argv(program, data, "-C", "shared_buffers"))
        if code != 0:
            return _last_line(output)
        spec = ProcessSpec(
            name=f"{_PREFIX}{server.resource_id}",
            argv=self._launch.argv(program, data),
            env=dict(self._launch.environment),
            cwd=str(self._directory(server.resource_id)),
            output=str(self._directory(server.resource_id) / "postgresql.log"),
            restart=True,
        )
        await self._supervisor.start(spec)
        return None

    def last_words(self, resource_id: str) -> str:
        """Return the last reason that the server gave for not starting."""
        try:
            with (self._directory(resource_id) / "postgresql.log").open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        said = [_FATAL.search(line) for line in lines]
        found = [match[1] for match in said if match]
        return found[-1] if found else ""

    async def stop(self, resource_id: str) -> None:
        """Ask the server to end its sessions and itself."""
        # PostgreSQL: SIGINT to the first process is a fast shutdown; its children are its own business.
        await self._signal(resource_id, signal.SIGINT)

    async def kill(self, resource_id: str) -> None:
        """End the server at once, without a checkpoint."""
        await self._signal(resource_id, signal.SIGQUIT)

    async def destroy(self, resource_id: str) -> None:
        """End a server that does not even heed signals, and its sessions; the next start recovers."""
        await self._signal(resource_id, signal.SIGKILL, group=True)

    async def _signal(self, resource_id: str, number: signal.Signals, *, group: bool = False) -> None:
        with contextlib.suppress(Conflict, NotFound):
            await self._supervisor.signal(f"{_PREFIX}{resource_id}", number, group=group)

    async def ask(self, resource_id: str, port: int) -> Answer:
        """Ask the server whether it serves."""
        try:
            async with self._connection(resource_id, port, _ANSWER_SECONDS) as connection:
                serves = await connection.fetchval("SELECT NOT pg_is_in_recovery()")
        except TimeoutError:
            return Answer.NONE
        except _AWAY:
            return Answer.NOT_YET
        return Answer.SERVES if serves else Answer.NOT_YET

    def process_name(self, resource_id: str) -> str:
        """Return the name of a server's process."""
        return f"{_PREFIX}{resource_id}"

    async def connections(self, resource_id: str, port: int) -> int | None:
        """Return how many clients are connected, without this one; None where the server does not answer."""
        try:
            async with self._connection(resource_id, port, _ANSWER_SECONDS) as connection:
                count: int = await connection.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                    " AND pid <> pg_backend_pid()"
                )
        except _AWAY:
            return None
        return count

    async def stored_bytes(self, resource_id: str) -> int:
        """Return the size of the data directory."""
        return await asyncio.to_thread(_size_of, self._data(resource_id))

    async def prepare(self, resource_id: str, port: int, username: str, verifier: str, database: str | None) -> None:
        """Make the master user and its database, set its password. Repeating it is harmless."""
        async with self._connection(resource_id, port, _SQL_SECONDS) as connection:
            await roles.ensure_own_database(connection)
            await roles.prepare(connection, username, verifier)
            if database is not None:
                await roles.ensure_database(connection, database, username)

    async def reload(self, server: Server) -> None:
        """Give the running server its configuration again; what needs a restart waits for one."""
        self._write(server)
        async with self._connection(server.resource_id, server.port, _SQL_SECONDS) as connection:
            await connection.execute("SELECT pg_reload_conf()")

    async def remove(self, resource_id: str) -> None:
        """Remove everything of an instance whose server has ended."""
        with contextlib.suppress(NotFound):
            await self._supervisor.forget(f"{_PREFIX}{resource_id}")
        await asyncio.to_thread(shutil.rmtree, self._directory(resource_id), ignore_errors=True)

    def _write(self, server: Server) -> None:
        data = self._data(server.resource_id)
        for name, content in (
            ("postgresql.conf", _configuration(server)),
            ("pg_hba.conf", _access(force_tls=server.force_tls)),
        ):
            write_private(data / name, content.encode())
            self._launch.own(data / name)

    @contextlib.asynccontextmanager
    async def _connection(self, resource_id: str, port: int, seconds: float) -> AsyncIterator[asyncpg.Connection]:
        # By way of an open directory: 107 bytes are the most that a socket's path may have, a home may be deep.
        directory = os.open(self._directory(resource_id) / "socket", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            host = f"/proc/self/fd/{directory}"
            try:
                connection = await _connect(host, port, roles.SUPERUSER, seconds)
            except asyncpg.InvalidCatalogNameError:
                connection = await _connect(host, port, "postgres", seconds)  # the server is new
        finally:
            os.close(directory)
        try:
            yield connection
        finally:
            with contextlib.suppress(*_AWAY):
                await connection.close(timeout=1.0)

    async def _run(self, *argv: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=dict(self._launch.environment),
            cwd="/",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(_INITIALISE_SECONDS):
                output, _ = await process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        return process.returncode or 0, output.decode(errors="replace")

    def _directory(self, resource_id: str) -> Path:
        return self._home.databases / resource_id

    def _data(self, resource_id: str) -> Path:
        return self._directory(resource_id) / "data"


def _size_of(directory: Path) -> int:
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):  # a file that ends while this looks
                total += os.stat(os.path.join(folder, name)).st_blocks * 512  # noqa: PTH116, PTH118 - many
    return total


async def _connect(host: str, port: int, database: str, seconds: float) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=host,
        port=port,
        user=roles.SUPERUSER,
        database=database,
        password="",
        timeout=seconds,
        command_timeout=seconds,
        statement_cache_size=0,
    )


def _configuration(server: Server) -> str:
    fixed = {
        "listen_addresses": f"'{server.address}'",
        "port": str(server.port),
        "unix_socket_directories": "'../socket'",
        "unix_socket_permissions": "0600",
        "ssl": "on",
        "ssl_cert_file": "'server.crt'",
        "ssl_key_file": "'server.key'",
        "log_destination": "stderr",
        "log_timezone": "'UTC'",
        "logging_collector": "off",
        "archive_mode": "off",
        "huge_pages": "off",
    }
    lines = [f"{name} = {value}" for name, value in fixed.items()]
    return "\n".join(["# Written by Miyabi.", *lines, server.configuration, ""])


def _access(*, force_tls: bool) -> str:
    kind = "hostssl" if force_tls else "host"
    return "\n".join(
        [
            f"local all {roles.SUPERUSER} trust",
            "local all all reject",
            f"host all {roles.SUPERUSER} all reject",
            f"{kind} all all all scram-sha-256",
            "",
        ]
    )


def _last_line(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it says nothing"
