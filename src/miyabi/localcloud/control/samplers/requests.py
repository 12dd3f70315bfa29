"""What HAProxy's log tells of each request, gathered until a sampler asks.

HAProxy sends a datagram a request to a loopback address of the instance. What is answered while nobody listens there,
as when the control plane is started again, is not counted.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

PORT = 5140
_BUFFER_BYTES = 4 * 1024 * 1024
_NO_SERVER = "<NOSRV>"
_FIELDS = 6


def log_address(block: int) -> str:
    """Return the instance's own address for the log: the first three of a subnet are never handed out."""
    return f"127.{block}.0.2"


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

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = asyncio.Event()
        self.unread = 0
        """Lines that could not be read."""

    async def listen(self, address: str, port: int = PORT) -> None:
        """Begin to receive. OSError: the address cannot be bound."""
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            own.bind((address, port))
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
        """Take one line: frontend, backend, server, status, and when the request went and the answer came."""
        fields = data.decode("latin-1").split()
        try:
            frontend, backend, server, status, sent, answered = fields[-_FIELDS:]
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

    def take(self) -> dict[tuple[str, str], Tally]:
        """Return what has come in since the last time."""
        taken, self._tallies = self._tallies, {}
        return taken
