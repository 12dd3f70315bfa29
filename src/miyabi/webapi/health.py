"""How the service's dependencies are, without waiting for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Protocol

from miyabi.model.errors import Unavailable

Body = dict[str, object]


class Dependency(Protocol):
    """Something that the service asks over the network."""

    @property
    def reason(self) -> str | None:
        """Why it is down, in words that may be shown to anybody."""
        ...

    async def probe(self) -> Body:
        """Ask for an answer, and return what else there is to say. Raises `Unavailable`."""
        ...


class Check:
    """The check of one dependency. Callers share one probe, and nobody waits longer than the timeout."""

    def __init__(self, dependency: Dependency | None, timeout_seconds: float) -> None:
        self._dependency = dependency
        self._timeout_seconds = timeout_seconds
        self._probe: asyncio.Task[Body] | None = None

    async def __call__(self) -> Body:
        """Return the status: ok, down or unconfigured."""
        if self._dependency is None:
            return {"status": "unconfigured"}
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._run(self._dependency))
        try:
            # The probe goes on and has limits of its own: to cancel it would cost its connection.
            async with asyncio.timeout(self._timeout_seconds):
                return await asyncio.shield(self._probe)
        except TimeoutError:
            return {"status": "down", "reason": self._dependency.reason or "no answer in time"}

    @staticmethod
    async def _run(dependency: Dependency) -> Body:
        began = time.perf_counter()
        try:
            more = await dependency.probe()
        except Unavailable as error:
            return {"status": "down", "reason": dependency.reason or error.message}
        return {"status": "ok", "latency_ms": round((time.perf_counter() - began) * 1000, 2), **more}


async def run_checks(checks: Mapping[str, Check]) -> dict[str, Body]:
    """Run every check at the same time."""
    answers = await asyncio.gather(*(check() for check in checks.values()))
    return dict(zip(checks, answers, strict=True))
