"""The control plane's one worker thread, and the loops that run beside it.

API calls and loops change state on that thread only, so it is the lock. A loop observes, plans and applies in
`step()`; it says when to look again and is woken earlier when something changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import ParamSpec, Protocol, TypeVar

from miyabi.localcloud.control.store import Store

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """Return the instant, in UTC."""
    return datetime.now(UTC)


class Loop(Protocol):
    """A control loop: level-based, so an extra look changes nothing."""

    name: str

    async def step(self) -> timedelta:
        """Observe, plan, apply; return after which time to look again if nothing wakes the loop before."""
        ...


class Engine:
    """Owns the worker thread, the store and the loops' wake-ups."""

    def __init__(self, store: Store, *, clock: Clock = wall_clock) -> None:
        self.store = store
        self.clock = clock
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="control")
        self._wakers: list[asyncio.Event] = []
        self._event_loop: asyncio.AbstractEventLoop | None = None

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call on the worker thread, inside a transaction that commits before this returns."""

        def inside() -> T:
            with self.store.transaction():
                return call(*args, **kwargs)

        self._event_loop = asyncio.get_running_loop()
        return await self._event_loop.run_in_executor(self._worker, inside)

    async def idle(self) -> None:
        """Wait until the worker has done what was asked of it before."""
        await asyncio.get_running_loop().run_in_executor(self._worker, lambda: None)

    def wake(self) -> None:
        """Let every loop look now. Callable from any thread."""
        if self._event_loop is not None:
            self._event_loop.call_soon_threadsafe(self._set_all)

    def _set_all(self) -> None:
        for event in self._wakers:
            event.set()

    async def supervise(self, loop: Loop, *, retry: timedelta = timedelta(seconds=1)) -> None:
        """Run a loop until cancelled. A step that fails is logged and tried again; the other loops go on."""
        event = asyncio.Event()
        self._wakers.append(event)
        self._event_loop = asyncio.get_running_loop()
        failures = _Failures(loop.name)
        try:
            while True:
                event.clear()
                try:
                    pause = await loop.step()
                    failures.ended()
                except asyncio.CancelledError:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever it is, the loop goes on
                    failures.add(error, retry)
                    pause = retry
                try:
                    async with asyncio.timeout(max(pause.total_seconds(), 0)):
                        await event.wait()
                except TimeoutError:
                    pass
        finally:
            self._wakers.remove(event)

    def close(self) -> None:
        """Finish what the worker has begun, then close the store."""
        self._worker.submit(self.store.close)
        self._worker.shutdown(wait=True)


class _Failures:
    """Logs a loop's failures when they change, not each second: a disk that is full must not be filled by its log."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._text = ""
        self._count = 0

    def add(self, error: Exception, retry: timedelta) -> None:
        text = f"{type(error).__name__}: {error}"
        if text != self._text:
            self._close()
            log.error("loop %s failed; trying again every %s until it works", self._name, retry, exc_info=error)
        self._text = text
        self._count += 1

    def ended(self) -> None:
        if self._count:
            self._close()
            log.info("loop %s works again", self._name)
            self._text = ""

    def _close(self) -> None:
        if self._count > 1:
            log.error("loop %s failed %d times in this way: %s", self._name, self._count, self._text)
        self._count = 0
