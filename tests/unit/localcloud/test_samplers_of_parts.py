"""What samplers tell, with stand-ins for the parts: also where one of them says nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tests.unit.localcloud.test_scaling_loop import World, requests

from miyabi.localcloud.control.cloudwatch import record_rest
from miyabi.localcloud.control.samplers.caches import CacheSampler
from miyabi.localcloud.control.samplers.databases import DatabaseSampler
from miyabi.localcloud.control.samplers.load_balancers import LoadBalancerSampler
from miyabi.localcloud.control.samplers.requests import Tally
from miyabi.localcloud.data.cache_node import NodeAt
from miyabi.localcloud.data.haproxy import Observed, Worker
from miyabi.localcloud.processes import ProcessState
from miyabi.model.elasticache import CacheStatus
from miyabi.model.metrics import Kind, Measurement
from miyabi.model.rds import InstanceStatus

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
REGION = "us-west-2"
AT_ONCE = timedelta(milliseconds=10)
INFO = {
    "run_id": "1",
    "keyspace_hits": "0",
    "keyspace_misses": "0",
    "evicted_keys": "0",
    "used_cpu_sys": "0",
    "used_cpu_user": "0",
    "used_memory": "100",
    "connected_clients": "1",
}


class Inline:
    """An engine without a thread of its own."""

    async def run(self, call: Callable[..., Any], *args: Any) -> Any:
        return call(*args)


async def silence() -> Any:
    await asyncio.Event().wait()


def table(*rows: Any) -> Any:
    return SimpleNamespace(regions=lambda: [REGION], list=lambda _region, prefix="": list(rows))  # noqa: ARG005


class Nodes:
    async def report(self, node: NodeAt) -> Mapping[str, str] | None:
        return INFO if node.cluster_id == "good" else cast("Mapping[str, str]", await silence())


class Servers:
    def process_name(self, resource_id: str) -> str:
        return resource_id

    async def connections(self, resource_id: str, port: int) -> int | None:
        return 3 if resource_id == "good" else cast("int", await silence())

    async def stored_bytes(self, resource_id: str) -> int:
        return 1


class Supervisor:
    async def list(self) -> tuple[ProcessState, ...]:
        return ()


class Balancer:
    """Answers what it is told to, or nothing."""

    def __init__(self) -> None:
        self.answers: Callable[[], Awaitable[Observed | None]] = silence

    async def observe(self) -> Observed | None:
        return await self.answers()


def test_a_cache_node_that_says_nothing_takes_no_other_s_datapoints() -> None:
    rows = [
        SimpleNamespace(id=name, generation=1, address="127.0.0.1", port=1, status=CacheStatus.AVAILABLE)
        for name in ("silent", "good")
    ]
    clusters = cast("Any", SimpleNamespace(clusters=table(*rows)))
    sampler = CacheSampler(cast("Any", Inline()), clusters, Nodes(), patience=AT_ONCE)
    found = asyncio.run(sampler.measure(NOW))
    assert {one.dimensions["CacheClusterId"] for one in found} == {"good"}


def test_a_server_that_says_nothing_has_no_connections_but_storage() -> None:
    rows = [
        SimpleNamespace(
            identifier=name,
            resource_id=name,
            port=1,
            instance_class="db.t3.micro",
            settings={"AllocatedStorage": 20},
            status=InstanceStatus.AVAILABLE,
        )
        for name in ("silent", "good")
    ]
    rds = cast("Any", SimpleNamespace(instances=table(*rows)))
    sampler = DatabaseSampler(cast("Any", Inline()), rds, Servers(), Supervisor(), patience=AT_ONCE)
    found = asyncio.run(sampler.measure(NOW))
    assert {(one.dimensions["DBInstanceIdentifier"], one.name) for one in found} == {
        ("silent", "FreeStorageSpace"),
        ("good", "FreeStorageSpace"),
        ("good", "DatabaseConnections"),
    }


def balancers() -> Any:
    row = SimpleNamespace(arn="arn:loadbalancer/app/lb/1", address="127.1.11.1")
    return SimpleNamespace(load_balancers=table(row), load_balancer_of_group=lambda _region: {})


def values(found: list[Measurement]) -> dict[str, float]:
    return {one.name: one.sample.total for one in found}


def test_requests_are_told_and_new_connections_later_where_haproxy_says_nothing() -> None:
    counted = {"new": 10}

    async def seen() -> Observed:
        return Observed("1", Worker(7, frozenset(), {}, {}, {"127.1.11.1:80": (2, counted["new"])}))

    def take() -> dict[tuple[str, str], Tally]:
        return {("127.1.11.1:80", "b"): Tally(chosen=5)}

    balancer = Balancer()
    balancer.answers = seen
    sampler = LoadBalancerSampler(cast("Any", Inline()), balancers(), balancer, take, patience=AT_ONCE)
    asyncio.run(sampler.measure(NOW))
    balancer.answers = silence
    counted["new"] = 14
    assert values(list(asyncio.run(sampler.measure(NOW)))) == {"RequestCount": 5}
    balancer.answers = seen
    found = values(list(asyncio.run(sampler.measure(NOW))))
    assert (found["NewConnectionCount"], found["ActiveConnectionCount"]) == (4, 2)


def test_requests_that_came_in_before_the_first_period_are_told_with_it_and_the_last_at_the_end() -> None:
    tallies = {("127.1.11.1:80", "b"): Tally(chosen=3)}

    def take() -> dict[tuple[str, str], Tally]:
        taken = dict(tallies)
        tallies.clear()
        return taken

    async def nothing() -> None:
        return None

    balancer = Balancer()
    balancer.answers = nothing
    sampler = LoadBalancerSampler(cast("Any", Inline()), balancers(), balancer, take)
    assert values(list(asyncio.run(sampler.measure(NOW)))) == {}
    assert values(list(asyncio.run(sampler.measure(NOW)))) == {"RequestCount": 3}
    tallies["127.1.11.1:80", "b"] = Tally(chosen=2)
    assert values(list(asyncio.run(sampler.rest()))) == {"RequestCount": 2}
    assert values(list(asyncio.run(sampler.measure(NOW)))) == {}


def test_requests_of_a_minute_in_which_the_control_plane_ends_are_in_its_sum(tmp_path: Path) -> None:
    world = World(tmp_path)

    class Ending:
        async def rest(self) -> list[Measurement]:
            return requests(100)(world)

    class Full:
        async def rest(self) -> list[Measurement]:
            raise OSError("No space left on device")

    engine = cast("Any", SimpleNamespace(clock=lambda: world.now, run=Inline().run))
    for sampler in (Full(), Ending()):
        asyncio.run(record_rest(engine, world.cloudwatch, sampler))
    began = world.now
    world.pass_(requests(20), minutes=1)
    asked = {"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCountPerTarget", "Statistics": ["Sum"]}
    asked |= {"Dimensions": [{"Name": "TargetGroup", "Value": "targetgroup/tg/2"}]}
    asked |= {"StartTime": began, "EndTime": world.now, "Period": 60}
    found = world.cloudwatch.get_metric_statistics(world.caller, asked)["Datapoints"]
    assert [one["Sum"] for one in found] == [(100 + 20) * 60 / 2]
    world.close()


def test_open_connections_are_a_level_and_new_ones_a_count() -> None:
    counted = {"new": 10}

    async def seen() -> Observed:
        counted["new"] += 1
        return Observed("1", Worker(7, frozenset(), {}, {}, {"127.1.11.1:80": (2, counted["new"])}))

    balancer = Balancer()
    balancer.answers = seen
    sampler = LoadBalancerSampler(cast("Any", Inline()), balancers(), balancer, dict)
    asyncio.run(sampler.measure(NOW))
    kinds = {one.name: one.kind for one in asyncio.run(sampler.measure(NOW))}
    assert kinds == {"ActiveConnectionCount": Kind.LEVEL, "NewConnectionCount": Kind.COUNT}


def test_what_haproxy_s_log_told_is_kept_where_the_sampler_is_given_up() -> None:
    taken: list[int] = []

    def take() -> dict[tuple[str, str], Tally]:
        taken.append(1)
        return {}

    sampler = LoadBalancerSampler(cast("Any", Inline()), balancers(), Balancer(), take)

    async def give_up() -> None:
        asking = asyncio.ensure_future(sampler.measure(NOW))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    asyncio.run(give_up())
    assert taken == []
