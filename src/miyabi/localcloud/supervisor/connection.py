"""A client's connection: whole lines in, whole lines out, never waiting for a slow client."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from miyabi.localcloud.supervisor import wire

_LARGEST_BACKLOG = 8 << 20


class Connection:
    """One connected client."""

    def __init__(self, peer: socket.socket) -> None:
        peer.setblocking(False)  # noqa: FBT003 - the socket's own signature
        self.socket = peer
        self.descriptor = peer.fileno()
        self.watching = False
        self._inbox = bytearray()
        self._skipping = False
        self._outbox = bytearray()

    @property
    def backlog(self) -> int:
        """Bytes that the client has not taken yet."""
        return len(self._outbox)

    def receive(self) -> list[bytes]:
        """Return the lines that have come; one that is too long is refused here.

        ConnectionError: the client is gone.
        """
        try:
            chunk = self.socket.recv(1 << 16)
        except BlockingIOError:
            return []
        if not chunk:
            raise ConnectionResetError("closed by the client")
        self._inbox += chunk
        *lines, rest = self._inbox.split(b"\n")
        self._inbox = rest
        if lines and self._skipping:
            self._skipping = False
            del lines[0]
            self.send({"ok": False, "code": wire.INVALID, "error": f"a line has at most {wire.LONGEST_LINE} bytes"})
        if len(rest) > wire.LONGEST_LINE or self._skipping:
            self._skipping = True
            self._inbox.clear()
        return [bytes(line) for line in lines if line.strip()]

    def send(self, body: Mapping[str, object]) -> None:
        """Send a line, now or when the client takes it. ConnectionError: it never does."""
        self._outbox += wire.line(body)
        self.flush()
        if len(self._outbox) > _LARGEST_BACKLOG:
            raise ConnectionAbortedError("the client does not read")

    def flush(self) -> None:
        """Send what waits, as far as the client takes it."""
        try:
            while self._outbox:
                del self._outbox[: self.socket.send(self._outbox)]
        except BlockingIOError:
            pass
