"""`service restart`: new tasks of the same revision, a rolling deployment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from miyabi.model.errors import Conflict
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run
from miyabi.operations.service.changing import refuse_during_deployment, until_no_deployment, update_service
from miyabi.operations.service.found import find_service
from miyabi.operations.service.rollout import ROLLOUT, before_rollout, follow_rollout
from miyabi.operations.status import last_part


@dataclass(frozen=True, slots=True)
class RestartParams:
    """Whether and how long to wait."""

    wait: bool = param("Wait for a deployment that is under way instead of refusing", default=False)
    timeout: timedelta = param("How long it may take", default=timedelta(minutes=15), minimum=1, maximum=86400)


@dataclass(frozen=True, slots=True)
class Restarted:
    """A service whose tasks were all replaced."""

    service: str
    deployment: str
    task_definition: str
    running_count: int
    seconds: float


@operation("service.restart", effect=Effect.CHANGE, permissions=(*ROLLOUT, "ecs:UpdateService"))
def restart(run: Run, params: RestartParams) -> Restarted:
    """Replace every task by a new one of the same revision, without an interruption.

    A tag of the image that has moved is resolved anew. It ends when the service is steady; a restart that fails is
    rolled back by ECS where the circuit breaker is on, and is an error here.
    """
    begun = run.clock()
    found = find_service(run)
    if params.wait:
        found = until_no_deployment(run, found, params.timeout)
    refuse_during_deployment(found, "a restart")
    if not found.status.desired_count:
        raise Conflict(
            f"service '{found.status.name}' has no tasks: there is nothing to restart",
            hint="`miyabi service resume` starts a service that was stopped.",
        )
    run.step(f"replacing the {found.status.desired_count} tasks of service '{found.status.name}'")
    before = before_rollout(run)
    updated = update_service(run, forceNewDeployment=True)
    revision = last_part(found.task_definition)
    followed = follow_rollout(run, updated["deployments"][0]["id"], revision, before, deadline=params.timeout)
    return Restarted(
        service=found.status.name,
        deployment=followed.deployment,
        task_definition=revision,
        running_count=followed.desired_count,
        seconds=round(run.clock() - begun, 1),
    )
