"""What load balancers answer: AWS/ApplicationELB, from HAProxy's log and its own counts of connections.

Source: docs.aws.amazon.com, "CloudWatch metrics for your Application Load Balancer". What is zero has no datapoint, but
for the numbers of hosts. Health checks do not pass the balancer, so they are not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from miyabi.localcloud.control.elbv2.desired import backend_name
from miyabi.localcloud.control.elbv2.nouns import Nouns
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.samplers.requests import Tally
from miyabi.localcloud.control.samplers.sampler import PATIENCE, answer
from miyabi.localcloud.data.haproxy import Observed
from miyabi.model.load_balancing import TargetState
from miyabi.model.metrics import Kind, Measurement, Sample

_CLASSES = range(2, 6)
_OWN_CODES = (500, 502, 503, 504)


class Balancer(Protocol):
    """The part of HAProxy's driver that the sampler needs."""

    async def observe(self) -> Observed | None: ...


@dataclass(frozen=True, slots=True)
class Group:
    """A target group with requests: where it belongs and how many may take them."""

    name: str
    """`targetgroup/<name>/<id>`"""
    backend: str
    healthy: int
    unhealthy: int


@dataclass(frozen=True, slots=True)
class Served:
    """A load balancer, by what HAProxy calls its listeners and target groups."""

    region: str
    name: str
    """`app/<name>/<id>`"""
    address: str
    groups: tuple[Group, ...]


@dataclass(slots=True)
class _Sums:
    chosen: int = 0
    target_codes: Counter[int] = field(default_factory=Counter)
    own_codes: Counter[int] = field(default_factory=Counter)
    seconds: Counter[float] = field(default_factory=Counter)

    def add(self, tally: Tally) -> None:
        self.chosen += tally.chosen
        self.target_codes += tally.target_codes
        self.own_codes += tally.own_codes
        self.seconds += tally.seconds


class LoadBalancerSampler:
    """Requests, answers, times, hosts and connections of every load balancer.

    take: what the log has told since the last call, by HAProxy's frontend and backend.
    """

    name = "load-balancers"
    period = timedelta(minutes=1)

    def __init__(
        self,
        engine: Engine,
        rows: Nouns,
        balancer: Balancer,
        take: Callable[[], Mapping[tuple[str, str], Tally]],
        *,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._engine = engine
        self._rows = rows
        self._balancer = balancer
        self._take = take
        self._patience = patience
        self._connections: dict[tuple[int, str], int] = {}
        self._begun = False

    async def measure(self, now: datetime) -> Sequence[Measurement]:  # noqa: ARG002 - it counts, whatever time it is
        """Tell of the period since the last call."""
        served = await self._engine.run(self._served)
        seen = await answer(self._balancer.observe(), self._patience)
        # Last: what is taken is told, also where the loop has lost its patience before. What was answered while nobody
        # was here comes in at the beginning: it is kept until the first period to be told of is over.
        tallies = self._take() if self._begun else {}
        self._begun = True
        found = [one for balancer in served for one in _answers(balancer, tallies)]
        return found + list(self._connected(served, seen))

    async def rest(self) -> Sequence[Measurement]:
        """Tell of the requests since the last call, and of nothing else: it is the end."""
        served = await self._engine.run(self._served)
        tallies = self._take()
        found = [one for balancer in served for one in _answers(balancer, tallies)]
        return [one for one in found if one.kind is not Kind.LEVEL]

    def _served(self) -> list[Served]:
        found = []
        for region in self._rows.load_balancers.regions():
            owners = self._rows.load_balancer_of_group(region)
            for row in self._rows.load_balancers.list(region):
                groups = [
                    group
                    for arn, owner in owners.items()
                    if owner == row.arn and (group := self._group(region, arn)) is not None
                ]
                name = row.arn.partition("loadbalancer/")[2]
                found.append(Served(region, name, row.address, tuple(groups)))
        return found

    def _group(self, region: str, arn: str) -> Group | None:
        row = self._rows.target_groups.get(region, arn)
        if row is None:
            return None
        states = Counter(target.health.state for target in self._rows.targets_of(region, arn))
        unhealthy = states[TargetState.UNHEALTHY] + states[TargetState.INITIAL]
        return Group(arn.rpartition(":")[2], backend_name(row), states[TargetState.HEALTHY], unhealthy)

    def _connected(self, served: Sequence[Served], seen: Observed | None) -> Iterator[Measurement]:
        """Tell of connections; a worker that is new has counted from nothing."""
        if seen is None:
            return
        before, self._connections = self._connections, {}
        for balancer in served:
            dimensions = {"LoadBalancer": balancer.name}
            active = new = 0
            for worker in seen.workers:
                for name, (current, total) in worker.connections.items():
                    if name.rpartition(":")[0] == balancer.address:
                        active += current
                        self._connections[worker.pid, name] = total
                        new += total - before.get((worker.pid, name), 0 if before else total)
            backends = {group.backend for group in balancer.groups}
            active += sum(
                count
                for worker in seen.workers
                for (backend, _), count in worker.sessions.items()
                if backend in backends
            )
            if active:
                yield _level(balancer.region, "ActiveConnectionCount", dimensions, active)
            if new > 0:
                yield _measured(balancer.region, "NewConnectionCount", dimensions, new)


def _answers(balancer: Served, tallies: Mapping[tuple[str, str], Tally]) -> Iterator[Measurement]:
    whole = _Sums()
    by_backend = {group.backend: _Sums() for group in balancer.groups}
    for (frontend, backend), tally in tallies.items():
        if frontend.rpartition(":")[0] == balancer.address:
            whole.add(tally)
            if backend in by_backend:
                by_backend[backend].add(tally)
    yield from _told(balancer.region, {"LoadBalancer": balancer.name}, whole)
    yield from _own(balancer, whole)
    for group in balancer.groups:
        yield from _of_group(balancer, group, by_backend[group.backend])


def _own(balancer: Served, whole: _Sums) -> Iterator[Measurement]:
    """Tell of the answers that the balancer gave by itself."""
    counts = {
        f"HTTPCode_ELB_{status}XX_Count": sum(
            number for code, number in whole.own_codes.items() if code // 100 == status
        )
        for status in _CLASSES
        if status > 2
    }
    counts |= {f"HTTPCode_ELB_{code}_Count": whole.own_codes[code] for code in _OWN_CODES}
    for name, count in counts.items():
        if count:
            yield _measured(balancer.region, name, {"LoadBalancer": balancer.name}, count)


def _of_group(balancer: Served, group: Group, sums: _Sums) -> Iterator[Measurement]:
    both = {"TargetGroup": group.name, "LoadBalancer": balancer.name}
    yield from _told(balancer.region, both, sums)
    if sums.chosen:
        share = sums.chosen / max(group.healthy, 1)
        for dimensions in (both, {"TargetGroup": group.name}):
            yield _measured(balancer.region, "RequestCountPerTarget", dimensions, share)
    for name, count in (("HealthyHostCount", group.healthy), ("UnHealthyHostCount", group.unhealthy)):
        yield _level(balancer.region, name, both, count)


def _told(region: str, dimensions: Mapping[str, str], sums: _Sums) -> Iterator[Measurement]:
    if sums.chosen:
        yield _measured(region, "RequestCount", dimensions, sums.chosen)
    for status in _CLASSES:
        count = sum(number for code, number in sums.target_codes.items() if code // 100 == status)
        if count:
            yield _measured(region, f"HTTPCode_Target_{status}XX_Count", dimensions, count)
    if sums.seconds:
        values = tuple((value, float(count)) for value, count in sums.seconds.items())
        count, total = sum(sums.seconds.values()), sum(value * number for value, number in values)
        sample = Sample(count, total, min(sums.seconds), max(sums.seconds), values)
        yield Measurement(region, _SPACE, "TargetResponseTime", dimensions, "Seconds", sample, Kind.SPREAD)


_SPACE = "AWS/ApplicationELB"


def _measured(region: str, name: str, dimensions: Mapping[str, str], count: float) -> Measurement:
    return Measurement(region, _SPACE, name, dimensions, "Count", Sample.of(float(count)), Kind.COUNT)


def _level(region: str, name: str, dimensions: Mapping[str, str], count: float) -> Measurement:
    return Measurement(region, _SPACE, name, dimensions, "Count", Sample.of(float(count)))
