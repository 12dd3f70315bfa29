"""The service scheduler: keeps each service's tasks as asked and writes down what it did in ECS's words."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Protocol

from miyabi.localcloud.control.ecs.tables import EcsTables, new_id
from miyabi.localcloud.control.ecs.tasks import new_task, stop
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.service import ApiError, Caller
from miyabi.model.ecs import RolloutState, Service, Task, TaskStatus
from miyabi.model.load_balancing import TargetHealth, TargetState
from miyabi.policy.scheduling import WITHOUT_CHECKS, Asked, Plan, Seen, plan_service

_IDLE = timedelta(seconds=5)


class Targets(Protocol):
    """The part of Elastic Load Balancing that ECS speaks to."""

    def register(
        self, region: str, target_group_arn: str, address: str, port: int, zone: str, now: datetime
    ) -> None: ...

    def deregister(self, region: str, target_group_arn: str, address: str, port: int, now: datetime) -> None: ...

    def target_health(self, region: str, target_group_arn: str, address: str, port: int) -> TargetHealth | None: ...


class ServiceLoop:
    """Plans every service and applies the plan, in one pass on the worker thread."""

    name = "ecs-services"

    def __init__(self, engine: Engine, tables: EcsTables, targets: Targets, account: str) -> None:
        self._engine = engine
        self._tables = tables
        self._targets = targets
        self._account = account

    async def step(self) -> timedelta:
        """Look at every service once."""
        return await self._engine.run(self._pass)

    def _pass(self) -> timedelta:
        now = self._engine.clock()
        pauses = [_IDLE]
        changed = False
        for region in self._tables.services.regions():
            for service in self._tables.services.list(region):
                if service.status == "INACTIVE":
                    continue
                plan = self._reconcile(region, service, now)
                changed = changed or plan.starts is not None or bool(plan.stops)
                if plan.look_again is not None:
                    pauses.append(plan.look_again)
        if changed:
            self._engine.wake()
        return min(pauses)

    def _reconcile(self, region: str, service: Service, now: datetime) -> Plan:
        tasks = self._tables.service_tasks(region, service)
        configuration = service.settings["deploymentConfiguration"]
        asked = Asked(
            desired_count=service.desired_count,
            minimum_healthy_percent=configuration["minimumHealthyPercent"],
            maximum_percent=configuration["maximumPercent"],
            primary=service.primary.id,
            start_failures=service.start_failures,
            last_failure_at=service.last_failure_at,
            active=service.status == "ACTIVE",
        )
        seen = [self._seen(region, service, task, now) for task in tasks]
        for task, view in zip(tasks, seen, strict=True):
            if view.healthy and not task.was_healthy:
                self._tables.put_task(region, dataclasses.replace(task, was_healthy=True))
        plan = plan_service(asked, seen, now=now)
        service, messages = self._apply(region, service, plan, now)
        updated, more = _settle(service, tasks, plan, now)
        messages += more
        if messages:
            updated = updated.with_events(*messages, ids=[new_id() for _ in messages], now=now)
        if updated != self._tables.services.get(region, service.key):
            self._tables.put_service(region, updated)
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
            task = self._tables.task(region, service.cluster_name, action.task_id)
            if task is not None:
                self._tables.put_task(region, stop(task, action.reason, "ServiceSchedulerInitiated", now=now))
        if plan.stops:
            ids = " ".join(f"(task {action.task_id})" for action in plan.stops)
            messages.append(f"(service {service.name}) has stopped {len(plan.stops)} running tasks: {ids}.")
        if plan.starts is not None:
            service, started = self._start(region, service, plan.starts.count, now)
            messages.append(started)
        return service, messages

    def _start(self, region: str, service: Service, count: int, now: datetime) -> tuple[Service, str]:
        caller = Caller(self._account, region, "", now)
        try:
            cluster = self._tables.cluster(region, service.cluster_name)
            definition = self._tables.definition(region, service.primary.task_definition)
            tasks = [
                new_task(
                    self._tables,
                    caller,
                    cluster,
                    definition,
                    group=f"service:{service.name}",
                    started_by=service.primary.id,
                    network_configuration=service.primary.network,
                    load_balancers=service.primary.load_balancers,
                    tags=_propagated(service, definition.tags),
                    overrides={},
                    exec_enabled=bool(service.settings.get("enableExecuteCommand")),
                )
                for _ in range(count)
            ]
        except ApiError as error:
            failed = dataclasses.replace(service, start_failures=service.start_failures + 1, last_failure_at=now)
            return failed, f"(service {service.name}) was unable to place a task. Reason: {error.message}"
        ids = " ".join(f"(task {task.id})" for task in tasks)
        return service, f"(service {service.name}) has started {len(tasks)} tasks: {ids}."


def _settle(service: Service, tasks: list[Task], plan: Plan, now: datetime) -> tuple[Service, list[str]]:
    """Close what is finished: rolled-out and replaced deployments, a steady or an emptied service."""
    messages: list[str] = []
    in_use = {task.started_by for task in tasks}
    primary = service.primary
    deployments = [primary, *(item for item in service.deployments[1:] if item.id in in_use)]
    if plan.rolled_out and primary.rollout_state is RolloutState.IN_PROGRESS:
        primary = dataclasses.replace(
            primary,
            rollout_state=RolloutState.COMPLETED,
            rollout_state_reason=f"ECS deployment {primary.id} completed.",
            updated_at=now,
        )
        deployments = [primary, *deployments[1:]]
        messages.append(f"(service {service.name}) (deployment {primary.id}) deployment completed.")
    if plan.steady and not service.steady:
        messages.append(f"(service {service.name}) has reached a steady state.")
    if plan.steady and service.start_failures:
        service = dataclasses.replace(service, start_failures=0, last_failure_at=None)
    status = "INACTIVE" if service.status == "DRAINING" and not tasks else service.status
    return dataclasses.replace(service, deployments=deployments, steady=plan.steady, status=status), messages


def _propagated(service: Service, definition_tags: dict[str, str]) -> dict[str, str]:
    tags = {
        "SERVICE": service.tags,
        "TASK_DEFINITION": definition_tags,
    }.get(service.settings.get("propagateTags", "NONE"), {})
    if service.settings.get("enableECSManagedTags"):
        tags = {"aws:ecs:clusterName": service.cluster_name, "aws:ecs:serviceName": service.name, **tags}
    return tags
