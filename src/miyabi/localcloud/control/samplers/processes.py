"""The supervisor's processes, as samplers ask for them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from miyabi.localcloud.control.samplers.usage import Span, Spans, used_by
from miyabi.localcloud.processes import ProcessState


class Supervisor(Protocol):
    """The part of the supervisor that samplers need."""

    async def list(self) -> tuple[ProcessState, ...]: ...


class ProcessUsage:
    """What chosen processes did since the last look."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._spans = Spans()

    async def look(self, names: Collection[str], now: datetime) -> dict[str, Span]:
        """Return it by name; a process that does not run is left out."""
        states = {one.name: one for one in await self._supervisor.list() if one.running and one.name in names}
        used = await asyncio.to_thread(used_by, {state.pid for state in states.values()})
        return self._spans.between(states, used, now)
