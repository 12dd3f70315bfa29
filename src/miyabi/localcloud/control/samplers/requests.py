"""What HAProxy's log tells of each request, gathered until a sampler asks.

HAProxy sends a datagram a request to a loopback address of the instance. What is answered while nobody listens there,
as when the control plane is started again, is not counted.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import socket
from collections import Counter
from dataclasses import dataclass, field

from miyabi.environment.home import Instance
from miyabi.localcloud.data.haproxy_config import LogTo

log = logging.getLogger(__name__)

_PORT = 5140
_BUFFER_BYTES = 4 * 1024 * 1024
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


class RequestLog(asyncio.DatagramProtocol):
    """Receives the log, and adds it up by frontend and backend."""

    def __init__(self, log_to: LogTo) -> None:
        self._log_to = log_to
        self._token = log_to.token.encode()
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = asyncio.Event()
        self.unread = 0
        """Lines that could not be read, or that came from somebody else."""

    async def listen(self) -> None:
        """Begin to receive. OSError: the address cannot be bound."""
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            own.bind((self._log_to.address, self._log_to.port))
            loop = asyncio.get_running_loop()
            self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=own)
        except BaseException:
            own.close()
            raise

    async def close(self) -> None:
        """Receive no more."""
        if self._transport is not None:
            self._transport.close()
            await self._closed.wait()

    def connection_lost(self, _error: Exception | None) -> None:
        """Note that the socket is closed."""
        self._closed.set()

    def datagram_received(self, data: bytes, _addr: object) -> None:
        """Take one line: token, frontend, backend, server, status, when the request went and the answer came."""
        token, _, line = data.partition(b" ")
        if not hmac.compare_digest(token, self._token):
            self.unread += 1
            return
        try:
            frontend, backend, server, status, sent, answered = line.decode("latin-1").split()
            tally = self._tallies.setdefault((frontend, backend), Tally())
            code = int(status)
            tally.chosen += server != _NO_SERVER
            if answered == "-":
                tally.own_codes[code] += 1
                return
            tally.target_codes[code] += 1
            if sent != "-":
                tally.seconds[float(f"{max(int(answered) - int(sent), 0) / 1e6:.3g}")] += 1
        except ValueError:
            self.unread += 1

    def gathered(self) -> int:
        """Return how many requests have come in since the last `take`."""
        tallies = self._tallies.values()
        return sum(tally.target_codes.total() + tally.own_codes.total() for tally in tallies)

    def take(self) -> dict[tuple[str, str], Tally]:
        """Return what has come in since the last time."""
        taken, self._tallies = self._tallies, {}
        return taken
