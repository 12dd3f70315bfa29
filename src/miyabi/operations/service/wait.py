"""`service wait`: until the service is steady, or the verdict that it will not be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run
from miyabi.operations.service.changing import STEADY, until_steady


@dataclass(frozen=True, slots=True)
class WaitParams:
    """How long."""

    timeout: timedelta = param("How long to wait at most", default=timedelta(minutes=10), minimum=1, maximum=86400)


@dataclass(frozen=True, slots=True)
class Steady:
    """A service that is steady."""

    service: str
    running_count: int
    healthy_targets: int
    task_definition: str | None
    seconds: float
    """How long it took."""


@operation("service.wait", effect=Effect.READ, permissions=STEADY)
def wait(run: Run, params: WaitParams) -> Steady:
    """Wait until the service is steady: tasks run, the rollout is complete, targets are healthy.

    Exit code 1 when a deployment fails or tasks keep stopping, with the reason and their last lines; 6 when the time
    is over and nothing failed.
    """
    begun = run.clock()
    status = until_steady(run, params.timeout)
    service = status.service
    return Steady(
        service=run.environment.service,
        running_count=service.running_count if service else 0,
        healthy_targets=status.healthy_targets,
        task_definition=service.deployments[0].task_definition if service and service.deployments else None,
        seconds=round(run.clock() - begun, 1),
    )
