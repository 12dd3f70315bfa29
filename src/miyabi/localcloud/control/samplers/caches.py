"""What cache nodes use: AWS/ElastiCache. Source: docs.aws.amazon.com, "Metrics for Valkey and Redis OSS"."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from miyabi.localcloud.control.elasticache.clusters import Clusters
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.samplers.sampler import PATIENCE, answer
from miyabi.localcloud.data.cache_node import NodeAt
from miyabi.model.elasticache import CacheStatus
from miyabi.model.metrics import Kind, Measurement, Sample

_NODE = "0001"
_COUNTED = {"CacheHits": "keyspace_hits", "CacheMisses": "keyspace_misses", "Evictions": "evicted_keys"}


class Node(Protocol):
    """The part of the driver that the sampler needs."""

    async def report(self, node: NodeAt) -> Mapping[str, str] | None: ...


@dataclass(frozen=True, slots=True)
class _Look:
    at: datetime
    run_id: str
    counts: Mapping[str, float]
    cpu_seconds: float


class CacheSampler:
    """Hits, misses, memory, connections, items and CPU of every available node."""

    name = "caches"
    period = timedelta(minutes=1)

    def __init__(self, engine: Engine, clusters: Clusters, driver: Node, *, patience: timedelta = PATIENCE) -> None:
        self._engine = engine
        self._clusters = clusters
        self._driver = driver
        self._patience = patience
        self._before: dict[str, _Look] = {}

    async def measure(self, now: datetime) -> Sequence[Measurement]:
        """Ask all of them at once; one that does not answer has no datapoint."""
        nodes = await self._engine.run(self._available)
        reports = await asyncio.gather(*(answer(self._driver.report(node), self._patience) for node in nodes))
        before, self._before = self._before, {}
        found: list[Measurement] = []
        for node, report in zip(nodes, reports, strict=True):
            if report is not None:
                look = _look(report, now)
                self._before[node.name] = look
                found += _told(node, report, look, before.get(node.name))
        return found

    def _available(self) -> list[NodeAt]:
        return [
            NodeAt(region, row.id, row.generation, row.address, row.port)
            for region in self._clusters.clusters.regions()
            for row in self._clusters.clusters.list(region)
            if row.status is CacheStatus.AVAILABLE
        ]


def _look(report: Mapping[str, str], now: datetime) -> _Look:
    counts = {name: float(report[field]) for name, field in _COUNTED.items()}
    cpu = float(report["used_cpu_sys"]) + float(report["used_cpu_user"])
    return _Look(now, report["run_id"], counts, cpu)


def _told(node: NodeAt, report: Mapping[str, str], look: _Look, before: _Look | None) -> Iterator[Measurement]:
    used, most = float(report["used_memory"]), float(report.get("maxmemory", 0))
    items = sum(
        int(value.partition("keys=")[2].partition(",")[0]) for key, value in report.items() if _is_database(key)
    )
    yield from _levels(
        node,
        {
            ("BytesUsedForCache", "Bytes"): used,
            ("CurrConnections", "Count"): float(report["connected_clients"]),
            ("CurrItems", "Count"): float(items),
            **({("DatabaseMemoryUsagePercentage", "Percent"): 100 * used / most} if most else {}),
        },
    )
    if before is None:
        return
    # A node that was started anew counts from nothing.
    since = before.counts if before.run_id == look.run_id else dict.fromkeys(look.counts, 0.0)
    counted = {name: max(value - since[name], 0.0) for name, value in look.counts.items()}
    for name, count in counted.items():
        for dimensions in _dimensions(node):
            yield Measurement(node.region, "AWS/ElastiCache", name, dimensions, "Count", Sample.of(count), Kind.COUNT)
    reads = counted["CacheHits"] + counted["CacheMisses"]
    if reads:
        yield from _levels(node, {("CacheHitRate", "Percent"): 100 * counted["CacheHits"] / reads})
    elapsed = (look.at - before.at).total_seconds()
    if before.run_id == look.run_id and elapsed > 0:
        share = 100 * max(look.cpu_seconds - before.cpu_seconds, 0.0) / elapsed
        yield from _levels(node, {("EngineCPUUtilization", "Percent"): share})


def _is_database(key: str) -> bool:
    return key.startswith("db") and key[2:].isdigit()


def _levels(node: NodeAt, values: Mapping[tuple[str, str], float]) -> Iterator[Measurement]:
    for (name, unit), value in values.items():
        for dimensions in _dimensions(node):
            yield Measurement(node.region, "AWS/ElastiCache", name, dimensions, unit, Sample.of(value))


def _dimensions(node: NodeAt) -> tuple[dict[str, str], ...]:
    cluster = {"CacheClusterId": node.cluster_id}
    return cluster, cluster | {"CacheNodeId": _NODE}
