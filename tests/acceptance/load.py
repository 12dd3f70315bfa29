"""A steady load on a balancer: open-loop, no retries, every request accounted for.

Requests leave at their intended instants whatever the answers do, so a stall shows as late answers and not as fewer
requests. Connections are kept alive and used again, as browsers and SDKs do: a balancer that closes one under a
request loses it here.
"""

from __future__ import annotations

import asyncio
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Sent:
    """One request: when it was due and when it ended (monotonic seconds), and its status or what went wrong."""

    number: int
    due: float
    ended: float
    status: int
    error: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.status == 200

    @property
    def seconds(self) -> float:
        return self.ended - self.due


class SteadyLoad:
    """GETs (or what `request` builds) at a steady rate in a thread of its own, from entering to leaving.

    with SteadyLoad(url, rate=200) as load: …; then `load.sent`, `load.lost` and `load.summary()`.
    request: number → (method, path, headers, body); None sends GET of the URL's path.
    """

    def __init__(
        self,
        url: str,
        *,
        rate: int = 200,
        request: Callable[[int], tuple[str, str, dict[str, str], bytes]] | None = None,
        expected: frozenset[int] = frozenset({200}),
    ) -> None:
        parts = urllib.parse.urlsplit(url)
        assert parts.hostname is not None
        assert parts.hostname.startswith("127."), "loopback only"
        self._host, self._port = parts.hostname, parts.port or 80
        self._path = parts.path or "/"
        self._rate = rate
        self._request = request or (lambda _: ("GET", self._path, {}, b""))
        self._expected = expected
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load")
        self.sent: list[Sent] = []

    @property
    def lost(self) -> list[Sent]:
        """What was not answered as expected, in the order of its ends."""
        return [one for one in self.sent if one.status not in self._expected]

    def summary(self) -> str:
        """Say how many were sent and lost, and how."""
        kinds = Counter(one.error or str(one.status) for one in self.lost)
        return f"{len(self.lost)} of {len(self.sent)} lost: {dict(kinds)}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(TIMEOUT_SECONDS + 15)
        assert not self._thread.is_alive(), "the load did not end"

    async def _run(self) -> None:
        began, number = time.monotonic(), 0
        running: set[asyncio.Task[None]] = set()
        while not self._stop.is_set():
            due = began + number / self._rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self._one(number, due))
            running.add(task)
            task.add_done_callback(running.discard)
            number += 1
        await asyncio.gather(*running)
        for _, writer in self._idle:
            writer.close()

    async def _one(self, number: int, due: float) -> None:
        status, headers, error = 0, {}, ""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                status, headers = await self._exchange(number)
        except (OSError, EOFError, ValueError, TimeoutError) as failure:
            error = f"{type(failure).__name__}: {failure}"
        self.sent.append(Sent(number, due, time.monotonic(), status, error, headers))

    async def _exchange(self, number: int) -> tuple[int, dict[str, str]]:
        """Send one request on a kept connection, or on a new one, and read its whole answer."""
        reader, writer = await self._connection()
        try:
            method, path, headers, body = self._request(number)
            lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}:{self._port}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            lines += [f"Content-Length: {len(body)}"] if body else []
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            await _drain_body(reader, found)
        except BaseException:
            writer.close()
            raise
        if found.get("connection", "").lower() == "close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        return int(head[0].split(" ")[1]), found

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self._host, self._port)


async def _drain_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> None:
    if "chunked" in headers.get("transfer-encoding", ""):
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    else:
        await reader.readexactly(int(headers.get("content-length", "0")))
