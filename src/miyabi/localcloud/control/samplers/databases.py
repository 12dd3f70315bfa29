"""What databases use: AWS/RDS. Source: docs.aws.amazon.com, "Amazon CloudWatch metrics for Amazon RDS".

Latencies and operations of the disk are left out: PostgreSQL's own times include the page cache, RDS's are those of
the volume.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.rds.catalogue import CLASSES
from miyabi.localcloud.control.rds.service import Rds
from miyabi.localcloud.control.samplers.processes import ProcessUsage, Supervisor
from miyabi.localcloud.control.samplers.sampler import PATIENCE, answer
from miyabi.localcloud.control.samplers.usage import Span
from miyabi.model.metrics import Measurement, Sample
from miyabi.model.rds import DbInstance, InstanceStatus

_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Instance:
    """A DB instance that is available."""

    region: str
    identifier: str
    resource_id: str
    port: int
    vcpus: int
    memory_bytes: int
    storage_bytes: int


class Server(Protocol):
    """The part of the driver that the sampler needs."""

    def process_name(self, resource_id: str) -> str: ...

    async def connections(self, resource_id: str, port: int) -> int | None: ...

    async def stored_bytes(self, resource_id: str) -> int: ...


class DatabaseSampler:
    """Connections, CPU, memory and storage of every available instance."""

    name = "databases"
    period = timedelta(minutes=1)

    def __init__(
        self, engine: Engine, rds: Rds, driver: Server, supervisor: Supervisor, *, patience: timedelta = PATIENCE
    ) -> None:
        self._engine = engine
        self._rds = rds
        self._driver = driver
        self._patience = patience
        self._usage = ProcessUsage(supervisor)

    async def measure(self, now: datetime) -> Sequence[Measurement]:
        """Ask all of them at once; one that does not answer has no number of connections."""
        instances = await self._engine.run(self._available)
        names = {one.resource_id: self._driver.process_name(one.resource_id) for one in instances}
        spans = await self._usage.look(set(names.values()), now)
        told = await asyncio.gather(*(self._told(one, spans.get(names[one.resource_id])) for one in instances))
        return [one for found in told for one in found]

    def _available(self) -> list[Instance]:
        return [
            _instance(region, row)
            for region in self._rds.instances.regions()
            for row in self._rds.instances.list(region)
            if row.status is InstanceStatus.AVAILABLE
        ]

    async def _told(self, one: Instance, span: Span | None) -> list[Measurement]:
        connections, stored = await asyncio.gather(
            answer(self._driver.connections(one.resource_id, one.port), self._patience),
            self._driver.stored_bytes(one.resource_id),
        )
        values: dict[tuple[str, str], float] = {("FreeStorageSpace", "Bytes"): one.storage_bytes - stored}
        if connections is not None:
            values["DatabaseConnections", "Count"] = connections
        if span is not None:
            values["FreeableMemory", "Bytes"] = one.memory_bytes - span.memory_bytes
            if span.cpu is not None:
                values["CPUUtilization", "Percent"] = 100 * span.cpu / one.vcpus
        return list(_measured(one, values))


def _instance(region: str, row: DbInstance) -> Instance:
    vcpus, gib = CLASSES[row.instance_class]
    storage = int(row.settings["AllocatedStorage"]) * _GIB
    return Instance(region, row.identifier, row.resource_id, row.port, vcpus, gib * _GIB, storage)


def _measured(one: Instance, values: Mapping[tuple[str, str], float]) -> Iterator[Measurement]:
    dimensions = {"DBInstanceIdentifier": one.identifier}
    for (name, unit), value in values.items():
        yield Measurement(one.region, "AWS/RDS", name, dimensions, unit, Sample.of(max(float(value), 0.0)))
