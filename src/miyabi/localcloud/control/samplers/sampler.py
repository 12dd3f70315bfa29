"""What every sampler offers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from miyabi.model.metrics import Measurement

T = TypeVar("T")
PATIENCE = timedelta(seconds=1)
"""How long a part may take to answer a sampler: less than the loop waits for the sampler with all its parts."""


async def answer(asked: Awaitable[T | None], patience: timedelta) -> T | None:
    """Return what a part answers; None where it says nothing in that time."""
    try:
        async with asyncio.timeout(patience.total_seconds()):
            return await asked
    except TimeoutError:
        return None


class Sampler(Protocol):
    """Measures one kind of part. Asked at the end of each of its periods."""

    name: str
    period: timedelta
    """At clock speed 1. At speed n it is asked n times as often."""

    async def measure(self, now: datetime) -> Sequence[Measurement]:
        """Return what the period since the last call was like; the first call has only levels to tell.

        It must end within a second, with what it has: a part that does not answer has no datapoint. What it counts it
        counts between calls, whatever time went by: ratios are over the time that really passed.
        """
        ...
