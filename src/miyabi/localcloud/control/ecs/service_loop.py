"""The service scheduler: keeps each service's tasks as asked and writes down what it did in ECS's words."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from miyabi.localcloud.control.ecs import deployments
from miyabi.localcloud.control.ecs.tables import EcsTables, new_id
from miyabi.localcloud.control.ecs.tasks import new_task, stop
from miyabi.localcloud.control.ecs.troubles import Troubles
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.service import ApiError, Caller
from miyabi.model.ecs import Service, Task, TaskStatus
from miyabi.model.load_balancing import TargetHealth, TargetState
from miyabi.policy.circuit_breaker import Breaker, judge
from miyabi.policy.scheduling import WITHOUT_CHECKS, Asked, Plan, Seen, Start, plan_service
from miyabi.policy.tempo import WALL, Tempo

log = logging.getLogger(__name__)

_IDLE = timedelta(seconds=5)
_RETRY = timedelta(seconds=1)


class Targets(Protocol):
    """The part of Elastic Load Balancing that ECS speaks to."""

    def register(
        self, region: str, target_group_arn: str, address: str, port: int, zone: str, now: datetime
    ) -> None: ...

    def deregister(self, region: str, target_group_arn: str, address: str, port: int, now: datetime) -> None: ...

    def target_health(self, region: str, target_group_arn: str, address: str, port: int) -> TargetHealth | None: ...


@dataclass(frozen=True, slots=True)
class _Open:
    """A service to look at. Nothing but this loop starts tasks of it, so others can only have ended since."""

    region: str
    key: str
    tasks: list[str]
    """The keys of its tasks that had not ended."""


class ServiceLoop:
    """Plans every service and applies the plan, each in its own transaction on the worker thread."""

    name = "ecs-services"

    def __init__(self, engine: Engine, tables: EcsTables, targets: Targets, account: str, tempo: Tempo = WALL) -> None:
        self._engine = engine
        self._tables = tables
        self._targets = targets
        self._account = account
        self._tempo = tempo
        self._troubles = Troubles(log)

    async def step(self) -> timedelta:
        """Look at every service once; one that fails does not keep the others from being looked at."""
        pauses = [_IDLE]
        changed = False
        rows = await self._engine.run(self._open)
        self._troubles.keep_only({_name_of(row) for row in rows})
        for row in rows:
            name = _name_of(row)
            try:
                plan = await self._engine.run(self._reconcile, row)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this service's
                self._troubles.add(name, error)
                pauses.append(_RETRY)
                continue
            self._troubles.clear(name)
            if plan is not None:
                changed = changed or bool(plan.starts or plan.stops)
                pauses += [plan.look_again] if plan.look_again is not None else []
        if changed:
            self._engine.wake()
        return min(pauses)

    def _open(self) -> list[_Open]:
        found = []
        for region in self._tables.services.regions():
            tasks = self._tables.open_tasks(region)
            found += [
                _Open(region, service.key, [task.key for task in tasks.get(service.key, ())])
                for service in self._tables.services.list(region)
                if service.status != "INACTIVE"
            ]
        return found

    def _reconcile(self, row: _Open) -> Plan | None:
        now = self._engine.clock()
        region = row.region
        before = self._tables.services.get(region, row.key)
        if before is None:
            return None
        found = (self._tables.tasks.get(region, key) for key in row.tasks)
        tasks = [task for task in found if task is not None and task.last_status is not TaskStatus.STOPPED]
        seen = [self._seen(region, before, task, now) for task in tasks]
        service = before
        for task, view in zip(tasks, seen, strict=True):
            if view.healthy and not task.was_healthy:
                self._tables.put_task(region, dataclasses.replace(task, was_healthy=True))
                service = deployments.forget_failures(service, task.started_by)
        service, messages = _judge_deployment(service, now)
        plan = plan_service(_asked(service, self._tempo), seen, now=now)
        service, said = self._apply(region, service, plan, now)
        messages += said
        service, said = deployments.settle(service, tasks, plan, now)
        messages += said
        if messages:
            service = service.with_events(*messages, ids=[new_id() for _ in messages], now=now)
        if service != before:
            self._tables.put_service(region, service)
        return plan

    def _seen(self, region: str, service: Service, task: Task, now: datetime) -> Seen:
        stopping = task.desired_status is TaskStatus.STOPPED
        healthy, reason = False, None
        if task.last_status is TaskStatus.RUNNING and not stopping and task.started_at is not None:
            grace = timedelta(seconds=service.settings.get("healthCheckGracePeriodSeconds") or 0)
            healthy, reason = self._judge(region, task, in_grace=now < task.started_at + grace, now=now)
        return Seen(
            task_id=task.id,
            deployment=task.started_by,
            status=task.last_status,
            stopping=stopping,
            healthy=healthy,
            unhealthy_reason=reason,
            zone=task.zone,
            created_at=task.created_at,
        )

    def _judge(self, region: str, task: Task, *, in_grace: bool, now: datetime) -> tuple[bool, str | None]:
        """Return whether a running task is healthy, and why it must go if its load balancer gave up on it."""
        if not task.load_balancers:
            return task.started_at is not None and now >= task.started_at + WITHOUT_CHECKS, None
        healthy = True
        for entry in task.load_balancers:
            arn = entry["targetGroupArn"]
            found = self._targets.target_health(region, arn, task.address or "", entry["containerPort"])
            if found is not None and found.state is TargetState.UNHEALTHY and not in_grace:
                return False, f"Task failed ELB health checks in (target-group {arn})"
            healthy = healthy and found is not None and found.state is TargetState.HEALTHY
        return healthy, None

    def _apply(self, region: str, service: Service, plan: Plan, now: datetime) -> tuple[Service, list[str]]:
        messages: list[str] = []
        for action in plan.stops:
            task = self._tables.tasks.get(region, f"{service.cluster_name}/{action.task_id}")
            if task is not None:
                self._tables.put_task(region, stop(task, action.reason, "ServiceSchedulerInitiated", now=now))
                if action.retired:
                    service = deployments.retire(service, task.started_by)
        if plan.stops:
            ids = " ".join(f"(task {action.task_id})" for action in plan.stops)
            messages.append(f"(service {service.name}) has stopped {len(plan.stops)} running tasks: {ids}.")
        for start in plan.starts:
            service, started = self._start(region, service, start, now)
            messages.append(started)
        return service, messages

    def _start(self, region: str, service: Service, start: Start, now: datetime) -> tuple[Service, str]:
        caller = Caller(self._account, region, "", now)
        deployment = service.deployment(start.deployment) or service.primary
        try:
            cluster = self._tables.cluster(region, service.cluster_name)
            definition = self._tables.definition(region, deployment.task_definition)
            tasks = [
                new_task(
                    self._tables,
                    caller,
                    cluster,
                    definition,
                    group=f"service:{service.name}",
                    started_by=deployment.id,
                    network_configuration=deployment.network,
                    load_balancers=deployment.load_balancers,
                    tags=_propagated(service, definition.tags),
                    overrides={},
                    exec_enabled=bool(service.settings.get("enableExecuteCommand")),
                )
                for _ in range(start.count)
            ]
        except ApiError as error:
            failed = deployments.count_failure(service, deployment.id, deployments.FAILED_TO_START, now)
            return failed, f"(service {service.name}) was unable to place a task. Reason: {error.message}"
        ids = " ".join(f"(task {task.id})" for task in tasks)
        return service, f"(service {service.name}) has started {len(tasks)} tasks: {ids}."


def _name_of(row: _Open) -> str:
    return f"service {row.key} in {row.region}"


def _asked(service: Service, tempo: Tempo) -> Asked:
    configuration = service.settings["deploymentConfiguration"]
    return Asked(
        desired_count=service.desired_count,
        minimum_healthy_percent=configuration["minimumHealthyPercent"],
        maximum_percent=configuration["maximumPercent"],
        rollouts=deployments.rollouts(service, tempo),
        active=service.status == "ACTIVE",
    )


def _judge_deployment(service: Service, now: datetime) -> tuple[Service, list[str]]:
    """Fail the deployment that is rolled out where its circuit breaker says so."""
    given = service.settings["deploymentConfiguration"].get("deploymentCircuitBreaker") or {}
    breaker = Breaker(enable=bool(given.get("enable")), rollback=bool(given.get("rollback")))
    tripped = judge(service.deployments, breaker, desired_count=service.desired_count)
    if tripped is None or service.status != "ACTIVE":
        return service, []
    return deployments.fail(service, tripped, now)


def _propagated(service: Service, definition_tags: dict[str, str]) -> dict[str, str]:
    tags = {
        "SERVICE": service.tags,
        "TASK_DEFINITION": definition_tags,
    }.get(service.settings.get("propagateTags", "NONE"), {})
    if service.settings.get("enableECSManagedTags"):
        tags = {"aws:ecs:clusterName": service.cluster_name, "aws:ecs:serviceName": service.name, **tags}
    return tags
