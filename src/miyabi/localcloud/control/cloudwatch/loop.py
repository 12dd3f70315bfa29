"""The loop that measures, evaluates and scales, in this order at each boundary; and the one that coarsens old data."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from miyabi.localcloud.control.cloudwatch.alarms import CloudWatch
from miyabi.localcloud.control.cloudwatch.evaluation import MINUTE, Evaluation
from miyabi.localcloud.control.ecs.troubles import Troubles
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.samplers import Sampler
from miyabi.model.metrics import Measurement

log = logging.getLogger(__name__)

_CADENCES = (10, 20, 30, MINUTE)
_TICK = _CADENCES[0]
_MEASURED_WITHIN = timedelta(seconds=2)
_HELD_BACK = timedelta(seconds=1)
_DAY = 86_400
_AGES = ((1, 60, _DAY // 8), (60, 300, 15 * _DAY), (300, 3600, 63 * _DAY))
"""Width, next width, and the age in seconds at which the one becomes the other."""
_OLDEST = 455 * _DAY
_OWN_KEPT = 8 * _DAY


class Scaling(Protocol):
    """The part of Application Auto Scaling that alarms speak to."""

    def act(self, cadences: Collection[int], newest: Mapping[tuple[str, str], float | None], now: datetime) -> bool: ...


class MetricsLoop:
    """At each boundary of the loops' own time: samplers measure, alarms are evaluated, policies scale."""

    name = "metrics"

    def __init__(self, engine: Engine, cloudwatch: CloudWatch, samplers: Sequence[Sampler], scaling: Scaling) -> None:
        self._engine = engine
        self._cloudwatch = cloudwatch
        self._samplers = samplers
        self._evaluation = Evaluation(cloudwatch)
        self._scaling = scaling
        self._troubles = Troubles(log)
        self._measured: dict[str, int] = {}
        """The boundary to which each sampler has measured."""
        self._evaluated: dict[int, int] = {}
        """By cadence."""

    async def step(self) -> timedelta:
        """Do what is due; look again at the next boundary."""
        tempo, now = self._cloudwatch.tempo, self._engine.clock()
        await self._measure(now)
        due = {cadence: tempo.last_boundary(now, cadence) for cadence in _CADENCES}
        first = not self._evaluated
        # What the control plane missed while it was away is not made up for: the next boundary sees all periods.
        new = {} if first else {one: end for one, end in due.items() if end > self._evaluated[one]}
        self._evaluated = due
        held_back = await self._engine.run(self._look, new)
        ahead = tempo.instant(tempo.last_boundary(now, _TICK) + _TICK) - self._engine.clock()
        return min(ahead, _HELD_BACK) if held_back else ahead

    async def _measure(self, now: datetime) -> None:
        tempo = self._cloudwatch.tempo
        due = []
        for sampler in self._samplers:
            period = int(sampler.period.total_seconds())
            end = tempo.last_boundary(now, period)
            if end > self._measured.get(sampler.name, 0):
                due.append((sampler, period, end))
        if not due:
            return
        found = await asyncio.gather(*(self._ask(sampler, now) for sampler, _, _ in due))
        detailed = {
            _name(one) for (_, period, _), given in zip(due, found, strict=True) if period < MINUTE for one in given
        }
        for (sampler, period, end), given in zip(due, found, strict=True):
            # The first time it has only begun to count.
            if sampler.name in self._measured and given:
                kept = [one for one in given if period < MINUTE or _name(one) not in detailed]
                width = MINUTE if period >= MINUTE else 1
                await self._engine.run(self._cloudwatch.measured, kept, end - period, width)
            self._measured[sampler.name] = end

    async def _ask(self, sampler: Sampler, now: datetime) -> Sequence[Measurement]:
        try:
            async with asyncio.timeout(_MEASURED_WITHIN.total_seconds()):
                found = await sampler.measure(now)
        except Exception as error:  # noqa: BLE001 - one that fails leaves the others alone
            self._troubles.add(f"sampler {sampler.name}", error)
            return ()
        self._troubles.clear(f"sampler {sampler.name}")
        return found

    def _look(self, due: Mapping[int, int]) -> bool:
        """Evaluate and scale; return whether actions of composite alarms are held back."""
        now = self._engine.clock()
        for cadence, boundary in due.items():
            self._evaluation.evaluate(cadence, boundary, now)
        held_back = self._evaluation.compose(now)
        if self._scaling.act(due.keys(), self._evaluation.newest, now):
            self._engine.wake()
        return held_back


class Ending(Protocol):
    """A sampler that has counted something since it was asked last."""

    async def rest(self) -> Sequence[Measurement]: ...


async def record_rest(engine: Engine, cloudwatch: CloudWatch, sampler: Ending) -> None:
    """Record what a sampler counted in the begun minute, before the control plane ends."""
    try:
        began = cloudwatch.tempo.last_boundary(engine.clock(), MINUTE)
        await engine.run(cloudwatch.measured, await sampler.rest(), began, MINUTE)
    except Exception:
        log.exception("what was counted in the begun minute is lost")


class MetricRetentionLoop:
    """Makes old samples coarser, and removes the oldest."""

    name = "metrics-retention"

    def __init__(self, engine: Engine, cloudwatch: CloudWatch, *, interval: timedelta = timedelta(hours=1)) -> None:
        self._engine = engine
        self._cloudwatch = cloudwatch
        self._interval = interval

    async def step(self) -> timedelta:
        """Do everything that is due, series by series, giving the thread back after each."""
        database = self._cloudwatch.database
        now = int(self._engine.clock().timestamp())
        series = 0
        while (following := await self._engine.run(database.after, series)) is not None:
            series = following
            for width, into, age in _AGES:
                while await self._engine.run(database.coarsen, series, width, into, now - age):
                    pass
            await self._engine.run(database.drop, series, now - _OLDEST)
        own = int(self._cloudwatch.tempo.seconds(self._engine.clock()))
        await self._engine.run(database.drop_own, own - _OWN_KEPT)
        await self._engine.run(database.forget, now - _OLDEST)
        await self._engine.run(self._cloudwatch.alarms.forget_history, self._engine.clock())
        return self._interval


def _name(one: Measurement) -> tuple[str, str, str, tuple[tuple[str, str], ...]]:
    return one.region, one.namespace, one.name, tuple(sorted(one.dimensions.items()))
