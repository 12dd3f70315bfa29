"""What HAProxy's log tells of each request, gathered until a sampler asks.

HAProxy sends a line a request to a loopback address of the instance. While nobody listens there, as when the control
plane is started again, it keeps some 10,000 of them. A worker that a reload has replaced sends the lines of its last
requests to a socket in the home instead, where nothing waits for a listener.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
import os
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from miyabi.environment.home import Instance
from miyabi.localcloud.data.haproxy_config import LogTo

log = logging.getLogger(__name__)

_PORT = 5140
_LINES_BYTES = 64 * 1024
_NO_SERVER = "<NOSRV>"


def log_of(instance: Instance) -> LogTo:
    """Return where an instance's log goes: an address of its own, the first three of a subnet are never handed out."""
    token = hashlib.sha256(f"requests {instance.secret_key}".encode()).hexdigest()[:24]
    return LogTo(f"127.{instance.block}.0.2", _PORT, token)


@dataclass(slots=True)
class Tally:
    """Requests of one frontend and backend. An answer is the target's or the balancer's own."""

    chosen: int = 0
    """Requests for which a target was chosen."""
    target_codes: Counter[int] = field(default_factory=Counter)
    own_codes: Counter[int] = field(default_factory=Counter)
    seconds: Counter[float] = field(default_factory=Counter)
    """Times until a target's answer began, to three digits."""


class _Datagrams(asyncio.DatagramProtocol):
    """Hands on each datagram: a line."""

    def __init__(self, take_line: Callable[[bytes], None]) -> None:
        self._take_line = take_line

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002
        self._take_line(data)


class RequestLog:
    """Receives the log, and adds it up by frontend and backend.

    folder: HAProxy's working directory.
    """

    def __init__(self, log_to: LogTo, folder: Path) -> None:
        self._log_to = log_to
        self._folder = folder
        self._token = log_to.token.encode()
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._server: asyncio.Server | None = None
        self._datagrams: asyncio.DatagramTransport | None = None
        self._reading: set[asyncio.Task[None]] = set()
        self.received = 0
        """Requests since the beginning."""
        self.unread = 0
        """Lines that could not be read, or that came from somebody else."""

    async def listen(self) -> None:
        """Begin to receive. OSError: the address cannot be bound."""
        self._server = await asyncio.start_server(
            self._accept, self._log_to.address, self._log_to.port, limit=_LINES_BYTES
        )
        self._datagrams, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(self._take_line), sock=self._bound()
        )

    async def close(self) -> None:
        """Receive no more."""
        if self._datagrams is not None:
            self._datagrams.close()
        if self._server is not None:
            self._server.close()
            for reading in self._reading:
                reading.cancel()
            await asyncio.gather(*self._reading, return_exceptions=True)
            await self._server.wait_closed()

    def _bound(self) -> socket.socket:
        (self._folder / self._log_to.socket).unlink(missing_ok=True)
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        # By way of an open directory: 107 bytes are the most that a socket's path may have, a home may be deep.
        directory = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            bound.bind(f"/proc/self/fd/{directory}/{self._log_to.socket}")
        except OSError:
            bound.close()
            raise
        finally:
            os.close(directory)
        return bound

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reading = asyncio.create_task(self._receive(reader, writer))
        self._reading.add(reading)
        reading.add_done_callback(self._reading.discard)

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self._take_line(line)
        except (OSError, ValueError):  # the worker has ended, or it is not HAProxy that speaks
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _take_line(self, line: bytes) -> None:
        """Take one line: token, frontend, backend, server, status, when the request went and the answer came."""
        token, _, rest = line.strip().partition(b" ")
        if not hmac.compare_digest(token, self._token):
            self.unread += 1
            return
        try:
            frontend, backend, server, status, sent, answered = rest.decode("latin-1").split()
            tally = self._tallies.setdefault((frontend, backend), Tally())
            code = int(status)
            self.received += 1
            tally.chosen += server != _NO_SERVER
            if answered == "-":
                tally.own_codes[code] += 1
                return
            tally.target_codes[code] += 1
            if sent != "-":
                tally.seconds[float(f"{max(int(answered) - int(sent), 0) / 1e6:.3g}")] += 1
        except ValueError:
            self.unread += 1

    def take(self) -> dict[tuple[str, str], Tally]:
        """Return what has come in since the last time."""
        taken, self._tallies = self._tallies, {}
        return taken
