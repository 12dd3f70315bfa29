"""Asking the supervisor: an async client for the control plane and a blocking one for commands."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal as signals
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from miyabi.localcloud.processes import ProcessSpec, ProcessState
from miyabi.localcloud.supervisor import wire
from miyabi.localcloud.supervisor.wire import Body
from miyabi.model.errors import Conflict, Internal, InvalidInput, MiyabiError, NotFound, Unavailable

_LONGEST_ANSWER = 64 << 20


class NotExecutable(InvalidInput):
    """The program is not there or cannot be executed."""


_ERRORS: dict[str, type[MiyabiError]] = {
    wire.INVALID: InvalidInput,
    wire.NOT_FOUND: NotFound,
    wire.NOT_EXECUTABLE: NotExecutable,
    wire.EXISTS: Conflict,
    wire.ENDED: Conflict,
    wire.RUNNING: Conflict,
    wire.STOPPING: Unavailable,
    wire.UNAVAILABLE: Unavailable,
}


class SupervisorClient:
    """The supervisor of the home whose `run` directory this is. A connection for every request."""

    def __init__(self, run: Path, *, timeout_seconds: float = 10.0) -> None:
        self._run = run
        self._timeout = timeout_seconds

    async def start(self, spec: ProcessSpec) -> ProcessState:
        """Start the process, unless it runs from an equal spec already.

        Conflict: another runs under the name, or it has ended and is not restarted (forget it first).
        NotExecutable: `argv[0]` is not found on the spec's PATH or cannot be executed.
        """
        body = await self._ask({"op": "start", "spec": wire.spec_body(spec)})
        return wire.state_of(body["process"])

    async def signal(self, name: str, number: signals.Signals, *, group: bool = True) -> None:
        """Signal the process group, or only its first process.

        SIGTERM, SIGINT, SIGQUIT and SIGKILL also end its restarts, except for the control plane.
        NotFound: no such process. Conflict: it has ended.
        """
        await self._ask({"op": "signal", "name": name, "signal": int(number), "group": group})

    async def list(self) -> tuple[ProcessState, ...]:
        """Return every process, and the records of those that ended and were not forgotten."""
        body = await self._ask({"op": "list"})
        return tuple(wire.state_of(state) for state in body["processes"])

    async def alive(self, name: str) -> None:
        """Say that the process of this name works. It is killed when it has said so and then is silent too long."""
        await self._ask({"op": "alive", "name": name})

    async def forget(self, name: str) -> None:
        """Drop the record of a process that ended. NotFound: there is none. Conflict: it runs."""
        await self._ask({"op": "forget", "name": name})

    async def watch(self) -> AsyncIterator[ProcessState]:
        """Yield the state of every process, then each state that changes.

        Unavailable: the supervisor is gone.
        """
        reader, writer = await self._connect()
        try:
            writer.write(wire.line({"op": "watch"}))
            body = await _answer(reader, self._run)
            for state in body["processes"]:
                yield wire.state_of(state)
            while True:
                body = _checked(await _line(reader, self._run))
                yield wire.state_of(body["process"])
        finally:
            writer.close()

    async def _ask(self, request: Body) -> Body:
        try:
            async with asyncio.timeout(self._timeout):
                reader, writer = await self._connect()
                try:
                    writer.write(wire.line(request))
                    return await _answer(reader, self._run)
                finally:
                    writer.close()
        except TimeoutError as error:
            raise _silent(self._run, self._timeout) from error

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            with _address(self._run) as address:
                return await asyncio.open_unix_connection(address, limit=_LONGEST_ANSWER)
        except OSError as error:
            raise _absent(self._run) from error


class BlockingSupervisorClient:
    """The same for commands, which have no event loop."""

    def __init__(self, run: Path) -> None:
        self._run = run

    def pid(self) -> int:
        """Return the supervisor's process id, as the kernel knows it. Unavailable: none listens."""
        with self._connect(1.0) as connection:
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            pid: int = struct.unpack("3i", credentials)[0]
            return pid

    def list(self, *, timeout_seconds: float = 5.0) -> tuple[ProcessState, ...]:
        """Return every process, and the records of those that ended and were not forgotten."""
        body = self._ask({"op": "list"}, timeout_seconds)
        return tuple(wire.state_of(state) for state in body["processes"])

    def signal(self, name: str, number: signals.Signals, *, timeout_seconds: float = 5.0) -> None:
        """Signal a process as `SupervisorClient.signal` does."""
        self._ask({"op": "signal", "name": name, "signal": int(number), "group": True}, timeout_seconds)

    def stop(self, *, timeout_seconds: float) -> None:
        """End everything and wait for it. Unavailable: not done in time."""
        self._ask({"op": "stop"}, timeout_seconds)

    def _ask(self, request: Body, timeout_seconds: float) -> Body:
        try:
            with self._connect(timeout_seconds) as connection, connection.makefile("rb") as lines:
                connection.sendall(wire.line(request))
                answer = lines.readline(_LONGEST_ANSWER)
        except TimeoutError as error:
            raise _silent(self._run, timeout_seconds) from error
        except OSError as error:
            raise _absent(self._run) from error
        if not answer.endswith(b"\n"):
            raise _absent(self._run)
        return _checked(wire.parse(answer))

    def _connect(self, timeout_seconds: float) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_seconds)
        try:
            with _address(self._run) as address:
                connection.connect(address)
        except OSError as error:
            connection.close()
            raise _absent(self._run) from error
        return connection


@contextlib.contextmanager
def _address(run: Path) -> Iterator[str]:
    """Yield the socket's address by way of an open directory: 107 bytes are the most, a home may be deep."""
    directory = os.open(run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{wire.SOCKET}"
    finally:
        os.close(directory)


async def _answer(reader: asyncio.StreamReader, run: Path) -> Body:
    return _checked(await _line(reader, run))


async def _line(reader: asyncio.StreamReader, run: Path) -> Body:
    try:
        line = await reader.readline()
    except OSError as error:
        raise _absent(run) from error
    if not line.endswith(b"\n"):
        raise _absent(run)
    return wire.parse(line)


def _checked(body: Body) -> Body:
    if body.get("ok") is False:
        raise _ERRORS.get(body.get("code", ""), Internal)(body.get("error", "the supervisor refused"))
    return body


def _absent(run: Path) -> Unavailable:
    return Unavailable(f"no supervisor runs for {run.parent}", hint="Start the local cloud: miyabi up")


def _silent(run: Path, seconds: float) -> Unavailable:
    return Unavailable(
        f"the supervisor of {run.parent} did not answer within {seconds:.0f} s",
        hint=f"Look at {run.parent}/log/supervisor.log; `miyabi down` ends it in any case.",
    )
