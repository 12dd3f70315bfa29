"""A service's deployments: how they begin, fail, are rolled back and end. Rows in, rows out."""

from __future__ import annotations

import dataclasses
import secrets
from datetime import datetime

from miyabi.localcloud.control.service import Params
from miyabi.model.ecs import Deployment, RolloutState, Service, Task
from miyabi.policy.circuit_breaker import Tripped
from miyabi.policy.scheduling import Plan, Rollout
from miyabi.policy.tempo import Tempo

FAILED_TO_START = "tasks failed to start"
FAILED_CHECKS = "tasks failed ELB health checks"


def deploy(
    row: Service,
    now: datetime,
    *,
    task_definition: str,
    network: Params,
    load_balancers: list[Params],
    platform_version: str,
) -> Service:
    """Return the service with a new PRIMARY deployment; the ones before become ACTIVE."""
    deployment_id = f"ecs-svc/{secrets.randbelow(10**19):019d}"
    deployment = Deployment(
        id=deployment_id,
        status="PRIMARY",
        task_definition=task_definition,
        desired_count=row.desired_count,
        created_at=now,
        updated_at=now,
        rollout_state=RolloutState.IN_PROGRESS,
        rollout_state_reason=f"ECS deployment {deployment_id} in progress.",
        network=network,
        load_balancers=load_balancers,
        platform_version="1.4.0" if platform_version == "LATEST" else platform_version,
        images={},
    )
    before = [dataclasses.replace(held, status="ACTIVE", updated_at=now) for held in row.deployments]
    return dataclasses.replace(row, deployments=[deployment, *before], steady=False)


def fail(row: Service, tripped: Tripped, now: datetime) -> tuple[Service, list[str]]:
    """Return the service with its PRIMARY deployment failed and, where there is a way back, a new one of that."""
    failed = dataclasses.replace(
        row.primary,
        rollout_state=RolloutState.FAILED,
        rollout_state_reason=f"ECS deployment circuit breaker: {tripped.cause}.",
        updated_at=now,
    )
    row = row.with_deployment(failed)
    messages = [f"(service {row.name}) (deployment {failed.id}) deployment failed: {tripped.cause}."]
    back = tripped.back_to
    if back is not None:
        row = deploy(
            row,
            now,
            task_definition=back.task_definition,
            network=back.network,
            load_balancers=back.load_balancers,
            platform_version=back.platform_version,
        )
        reason = f"ECS deployment circuit breaker: rolling back to deploymentId {back.id}."
        # The same digests as before: a tag may mean the failed image by now.
        again = dataclasses.replace(row.primary, rollback=True, images=back.images, rollout_state_reason=reason)
        row = row.with_deployment(again)
        messages.append(f"(service {row.name}) rolling back to deployment {back.id}.")
    return row, messages


def rollouts(row: Service, tempo: Tempo) -> tuple[Rollout, ...]:
    """Return the deployments as the scheduler sees them."""
    return tuple(
        Rollout(
            id=item.id,
            desired_count=item.desired_count,
            failures=item.failed_tasks,
            last_failure_at=item.last_failure_at,
            completed=item.rollout_state is RolloutState.COMPLETED,
            stalled=item.rollout_state is RolloutState.FAILED,
            tempo=tempo,
        )
        for item in row.deployments
    )


def count_failure(row: Service, deployment_id: str, cause: str, now: datetime) -> Service:
    """Return the service with one more failed task of the deployment."""
    found = row.deployment(deployment_id)
    if found is None:
        return row
    count = found.failed_tasks + 1
    return row.with_deployment(dataclasses.replace(found, failed_tasks=count, last_failure_at=now, last_failure=cause))


def forget_failures(row: Service, deployment_id: str) -> Service:
    """Return the service after a task of the deployment has become healthy."""
    found = row.deployment(deployment_id)
    if found is None or not found.failed_tasks:
        return row
    return row.with_deployment(dataclasses.replace(found, failed_tasks=0, last_failure_at=None, last_failure=None))


def retire(row: Service, deployment_id: str) -> Service:
    """Return the service with one task fewer wanted of an earlier deployment."""
    found = row.deployment(deployment_id)
    if found is None or not found.desired_count:
        return row
    return row.with_deployment(dataclasses.replace(found, desired_count=found.desired_count - 1))


def settle(row: Service, tasks: list[Task], plan: Plan, now: datetime) -> tuple[Service, list[str]]:
    """Close what is finished: rolled-out and replaced deployments, a steady or an emptied service.

    tasks: as they were before the plan. The last completed deployment stays until a newer one is completed.
    """
    messages: list[str] = []
    if plan.rolled_out and row.primary.rollout_state is RolloutState.IN_PROGRESS:
        primary = dataclasses.replace(
            row.primary,
            rollout_state=RolloutState.COMPLETED,
            rollout_state_reason=f"ECS deployment {row.primary.id} completed.",
            updated_at=now,
        )
        row = row.with_deployment(primary)
        messages.append(f"(service {row.name}) (deployment {primary.id}) deployment completed.")
    last = next((item for item in row.deployments if item.rollout_state is RolloutState.COMPLETED), None)
    needed = {task.started_by for task in tasks} | {row.primary.id} | ({last.id} if last else set())
    if plan.steady and not row.steady:
        messages.append(f"(service {row.name}) has reached a steady state.")
    return dataclasses.replace(
        row,
        deployments=[item for item in row.deployments if item.id in needed],
        steady=plan.steady,
        status="INACTIVE" if row.status == "DRAINING" and not tasks else row.status,
    ), messages
