"""How a deployment stands, from what ECS reports of its service. No I/O."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from miyabi.operations.status import DeploymentStatus, ServiceStatus


class Stage(enum.StrEnum):
    """What a rollout is at."""

    STARTING = "starting tasks"
    CHECKING = "health checks"
    DRAINING = "draining the old tasks"
    COMPLETING = "completing"
    ROLLING_BACK = "rolling back"


class End(enum.StrEnum):
    """How a rollout ended."""

    STEADY = "steady"
    ROLLED_BACK = "rolled back"
    STALLED = "stalled"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at a rollout."""

    stage: Stage | None
    detail: str
    end: End | None = None
    reason: str | None = None
    """Why it failed, in ECS's words."""


def judge(watched: str, service: ServiceStatus, *, failed: str | None = None) -> Seen:
    """Say how the deployment with that id stands, from what ECS reports of the service.

    failed: why it failed, if an earlier look saw that: ECS forgets a deployment that has no task left.
    A rollback has ended when its own deployment is completed and the failed one is forgotten.
    """
    found = next((one for one in service.deployments if one.id == watched), None)
    primary = service.deployments[0] if service.deployments else None
    if found is not None and found is primary:
        return _judge_primary(found, service)
    reason = failed or _why_failed(watched, found, primary, service)
    if reason is None:
        by = f"{primary.task_definition} (deployment {primary.id})" if primary else "nothing"
        return Seen(None, f"replaced by {by}", End.SUPERSEDED)
    if primary is not None and (primary.rollout_state != "COMPLETED" or found is not None):
        detail = f"failed; going back to {primary.task_definition}: {_counts(primary)}"
        return Seen(Stage.ROLLING_BACK, detail, reason=reason)
    return Seen(None, "rolled back", End.ROLLED_BACK, reason)


def _judge_primary(found: DeploymentStatus, service: ServiceStatus) -> Seen:
    if found.rollout_state == "FAILED":
        return Seen(None, "stalled", End.STALLED, found.rollout_state_reason or "no reason given")
    others = service.deployments[1:]
    if found.rollout_state in {"COMPLETED", None} and not others and found.running_count >= found.desired_count:
        return Seen(None, "steady", End.STEADY)
    counts = _counts(found)
    if found.running_count < found.desired_count:
        return Seen(Stage.STARTING, counts)
    if any(one.desired_count for one in others) or not others:
        stage = Stage.CHECKING if found.rollout_state == "IN_PROGRESS" else Stage.COMPLETING
        return Seen(stage, counts)
    left = sum(one.running_count for one in others)
    return Seen(Stage.DRAINING, f"{counts}; {left} old tasks still run" if left else f"{counts}; old tasks stop")


def _counts(one: DeploymentStatus) -> str:
    failed = f", {one.failed} failed" if one.failed else ""
    return f"{one.running_count} of {one.desired_count} tasks of {one.task_definition} run{failed}"


def is_rollback(deployment: DeploymentStatus) -> bool:
    """Say whether ECS made the deployment to go back to an earlier one, and is at it."""
    return deployment.rollout_state == "IN_PROGRESS" and "rolling back" in (deployment.rollout_state_reason or "")


def _why_failed(
    watched: str, found: DeploymentStatus | None, primary: DeploymentStatus | None, service: ServiceStatus
) -> str | None:
    """Return why the deployment failed; None where another deployment just took its place."""
    if found is not None and found.rollout_state == "FAILED":
        return found.rollout_state_reason or "no reason given"
    for event in service.events:
        if watched in event.message and "failed" in event.message:
            return event.message
    if found is None and primary is not None and "rolling back" in (primary.rollout_state_reason or ""):
        return primary.rollout_state_reason
    return None
