"""What services use: AWS/ECS, and ECS/ContainerInsights where a cluster has it.

Source: docs.aws.amazon.com, "Amazon ECS service utilization metrics" and "Amazon ECS Container Insights metrics".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from miyabi.localcloud.control.ecs.launch import process_name
from miyabi.localcloud.control.ecs.tables import EcsTables
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.samplers.processes import ProcessUsage, Supervisor
from miyabi.localcloud.control.samplers.usage import Span
from miyabi.model.ecs import Service, Task, TaskStatus
from miyabi.model.metrics import Measurement, Sample

MINUTE = timedelta(minutes=1)
HIGH_RESOLUTION = timedelta(seconds=20)
_UNITS_PER_CPU = 1024
_MIB = 1024 * 1024
ServiceKey = tuple[str, str, str]
"""Region, cluster, service."""


@dataclass(frozen=True, slots=True)
class RunningTask:
    """A running task of a service."""

    key: ServiceKey
    id: str
    cpu_units: float
    memory_mib: float
    processes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TaskUse:
    """What a running task did since the last look."""

    task: RunningTask
    cpu_units: float | None
    memory_mib: float
    seconds: float
    """For how long it did."""


class TaskUsage:
    """Looks at the running tasks of services."""

    def __init__(self, engine: Engine, tables: EcsTables, supervisor: Supervisor) -> None:
        self._engine = engine
        self._tables = tables
        self._usage = ProcessUsage(supervisor)

    async def look(self, now: datetime) -> list[TaskUse]:
        """Return what each did; of one whose processes are gone nothing is known."""
        tasks = await self._engine.run(self._running)
        spans = await self._usage.look({name for task in tasks for name in task.processes}, now)
        return [use for task in tasks if (use := _use(task, spans)) is not None]

    def _running(self) -> list[RunningTask]:
        return [
            _running_task(region, row)
            for region in self._tables.tasks.regions()
            for row in self._tables.tasks.list(region)
            if row.service_name is not None and row.last_status is TaskStatus.RUNNING
        ]


class EcsSampler:
    """CPUUtilization and MemoryUtilization of services, one value a task, in percent of the task's size.

    Those of clusters are, on AWS, of the EC2 launch type only.

    wanted: called on the worker thread; only these services are told of. None: all.
    """

    def __init__(
        self,
        usage: TaskUsage,
        engine: Engine,
        *,
        period: timedelta = MINUTE,
        wanted: Callable[[], set[ServiceKey]] | None = None,
    ) -> None:
        self.name = f"ecs-{int(period.total_seconds())}"
        self.period = period
        self._usage = usage
        self._engine = engine
        self._wanted = wanted

    async def measure(self, now: datetime) -> Sequence[Measurement]:
        """Measure every running task."""
        wanted = None if self._wanted is None else await self._engine.run(self._wanted)
        if wanted is not None and not wanted:
            return ()
        values: dict[tuple[str, tuple[tuple[str, str], ...], str], list[tuple[float, float]]] = defaultdict(list)
        uses = await self._usage.look(now)
        longest = max((use.seconds for use in uses), default=0.0)
        for use in uses:
            # A task that has only just started counts for as much as it ran: its start is not the service's load.
            weight = use.seconds / longest if longest > 0 and use.seconds > 0 else 1.0
            region, cluster, service = use.task.key
            if wanted is not None and use.task.key not in wanted:
                continue
            dimensions = (("ClusterName", cluster), ("ServiceName", service))
            memory = 100 * use.memory_mib / use.task.memory_mib
            values[region, dimensions, "MemoryUtilization"].append((memory, weight))
            if use.cpu_units is not None:
                cpu = 100 * use.cpu_units / use.task.cpu_units
                values[region, dimensions, "CPUUtilization"].append((cpu, weight))
        return [
            Measurement(region, "AWS/ECS", name, dict(dimensions), "Percent", Sample.weighted(found))
            for (region, dimensions, name), found in values.items()
        ]


class InsightsSampler:
    """Container Insights of the clusters that have it. Network bytes are left out: tasks share one loopback device."""

    name = "container-insights"
    period = MINUTE

    def __init__(self, usage: TaskUsage, engine: Engine, tables: EcsTables) -> None:
        self._usage = usage
        self._engine = engine
        self._tables = tables

    async def measure(self, now: datetime) -> Sequence[Measurement]:
        """Count the tasks of every service, also where there is none, and measure the running ones."""
        uses = await self._usage.look(now)
        found = await self._engine.run(lambda: list(self._counted()))
        watched = {(one.region, one.dimensions["ClusterName"]) for one in found}
        by_service: dict[ServiceKey, list[TaskUse]] = defaultdict(list)
        for use in uses:
            if use.task.key[:2] in watched:
                by_service[use.task.key].append(use)
        for key, mine in by_service.items():
            found += _utilized(key, mine)
        return found

    def _counted(self) -> Iterator[Measurement]:
        for region in self._tables.clusters.regions():
            tasks_of = self._tables.open_tasks(region)
            for cluster in self._tables.clusters.list(region):
                if cluster.status != "ACTIVE" or not _has_insights(cluster.settings):
                    continue
                services = self._tables.services.list(region, prefix=f"{cluster.name}/")
                active = [row for row in services if row.status == "ACTIVE"]
                for service in active:
                    yield from _counts(region, service, tasks_of.get(service.key, ()))
                tasks = self._tables.tasks.list(region, prefix=f"{cluster.name}/")
                running = sum(task.last_status is TaskStatus.RUNNING for task in tasks)
                dimensions = {"ClusterName": cluster.name}
                yield _insight(region, "TaskCount", dimensions, "Count", running)
                yield _insight(region, "ServiceCount", dimensions, "Count", len(active))


def _counts(region: str, service: Service, tasks: Sequence[Task]) -> Iterator[Measurement]:
    dimensions = {"ClusterName": service.cluster_name, "ServiceName": service.name}
    running = sum(task.last_status is TaskStatus.RUNNING for task in tasks)
    pending = sum(task.last_status.rank < TaskStatus.RUNNING.rank for task in tasks)
    counts = {"RunningTaskCount": running, "PendingTaskCount": pending, "DesiredTaskCount": service.desired_count}
    for name, count in counts.items():
        yield _insight(region, name, dimensions, "Count", count)


def _running_task(region: str, row: Task) -> RunningTask:
    return RunningTask(
        key=(region, row.cluster_name, row.service_name or ""),
        id=row.id,
        cpu_units=float(row.cpu),
        memory_mib=float(row.memory),
        processes=tuple(process_name(row, container) for container in row.containers),
    )


def _use(task: RunningTask, spans: Mapping[str, Span]) -> TaskUse | None:
    mine = [spans[name] for name in task.processes if name in spans]
    if not mine:
        return None
    known = [span.cpu for span in mine if span.cpu is not None]
    cpu = sum(known) * _UNITS_PER_CPU if known else None
    seconds = max(span.seconds for span in mine)
    return TaskUse(task, cpu, sum(span.memory_bytes for span in mine) / _MIB, seconds)


def _utilized(key: ServiceKey, uses: Sequence[TaskUse]) -> Iterator[Measurement]:
    region, cluster, service = key
    dimensions = {"ClusterName": cluster, "ServiceName": service}
    columns = {
        ("CpuUtilized", "None"): [use.cpu_units for use in uses if use.cpu_units is not None],
        ("CpuReserved", "None"): [use.task.cpu_units for use in uses],
        ("MemoryUtilized", "Megabytes"): [use.memory_mib for use in uses],
        ("MemoryReserved", "Megabytes"): [use.task.memory_mib for use in uses],
    }
    for (name, unit), values in columns.items():
        if values:
            yield _insight(region, name, dimensions, unit, *values)


def _insight(region: str, name: str, dimensions: Mapping[str, str], unit: str, *values: float) -> Measurement:
    return Measurement(region, "ECS/ContainerInsights", name, dimensions, unit, Sample.of(*map(float, values)))


def _has_insights(settings: Sequence[Mapping[str, str]]) -> bool:
    return any(one["name"] == "containerInsights" and one["value"] in {"enabled", "enhanced"} for one in settings)
