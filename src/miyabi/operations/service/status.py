"""`service status`: how the service stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from miyabi.aws.errors import translated
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.run import Run
from miyabi.operations.service.found import FoundService, find_service
from miyabi.operations.service.remembered import Override, Stopped
from miyabi.operations.status import DeploymentStatus, ServiceEvent, TargetStatus, describe_targets


@dataclass(frozen=True, slots=True)
class StatusParams:
    """Nothing: the subject is the environment's service."""


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """How the service stands."""

    cluster: str
    service: str
    status: str
    desired_count: int
    running_count: int
    pending_count: int
    steady: bool
    """The desired tasks run and no deployment is under way."""
    deployments: tuple[DeploymentStatus, ...]
    """The PRIMARY first."""
    targets: tuple[TargetStatus, ...]
    events: tuple[ServiceEvent, ...]
    """The latest five, newest first."""
    notes: tuple[str, ...]
    """What operations remember about it: a stop, an override."""

    @property
    def healthy_targets(self) -> int:
        """How many targets are healthy."""
        return sum(target.health == "healthy" for target in self.targets)


@operation(
    "service.status",
    effect=Effect.READ,
    permissions=("ecs:DescribeServices", "elasticloadbalancing:DescribeTargetHealth"),
)
def service_status(run: Run, params: StatusParams) -> ServiceReport:  # noqa: ARG001 - it takes nothing
    """Say how the service stands: counts, deployments, targets, latest events."""
    found = find_service(run)
    targets: list[TargetStatus] = []
    for group in found.target_groups:
        with translated(f"describing the targets of {group}"):
            targets += describe_targets(run.cloud, group)
    seen = found.status
    return ServiceReport(
        cluster=run.environment.cluster,
        service=seen.name,
        status=seen.status,
        desired_count=seen.desired_count,
        running_count=seen.running_count,
        pending_count=seen.pending_count,
        steady=_is_steady(found, targets),
        deployments=seen.deployments,
        targets=tuple(targets),
        events=seen.events,
        notes=tuple(_notes(found.tags, run.now())),
    )


def _is_steady(found: FoundService, targets: Sequence[TargetStatus]) -> bool:
    seen = found.status
    runs = not found.deploying and seen.running_count == seen.desired_count and not seen.pending_count
    healthy = sum(target.health == "healthy" for target in targets)
    return runs and healthy >= seen.desired_count * len(found.target_groups)


def _notes(tags: Mapping[str, str], now: datetime) -> Iterator[str]:
    stopped, override = Stopped.of(tags), Override.of(tags)
    if stopped is not None:
        at = f"{stopped.at:%Y-%m-%d %H:%M:%S %Z}"
        yield f"stopped since {at}; `miyabi service resume` starts {stopped.count} tasks and restores the rest"
    if override is not None and override.until > now:
        until, bounds = f"{override.until:%Y-%m-%d %H:%M:%S %Z}", override.bounds
        yield (
            f"at least {override.count} tasks until {until}; then autoscaling keeps it between {bounds.minimum} and "
            f"{bounds.maximum} again"
        )
