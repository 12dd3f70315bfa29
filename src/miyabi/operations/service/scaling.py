"""The service's autoscaling: its scalable target, and the override that ends by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from miyabi.aws.errors import translated
from miyabi.model.errors import NotFound
from miyabi.operations.execution.run import Run

ACTION = "miyabi-scale-override-end"
"""The scheduled action that ends an override."""
_FLAGS = {
    "in": "DynamicScalingInSuspended",
    "out": "DynamicScalingOutSuspended",
    "scheduled": "ScheduledScalingSuspended",
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which counts autoscaling keeps the service."""

    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Suspension:
    """What of autoscaling is suspended: some of in, out, scheduled."""

    parts: frozenset[str]

    def text(self) -> str:
        """Return it as a tag holds it."""
        return "+".join(sorted(self.parts)) or "active"

    @classmethod
    def read(cls, text: str) -> Suspension:
        """Read what `text` wrote."""
        return cls(frozenset(text.split("+")) & set(_FLAGS))


ALL = Suspension(frozenset(_FLAGS))


@dataclass(frozen=True, slots=True)
class ScalableTarget:
    """The service as Application Auto Scaling sees it."""

    bounds: Bounds
    suspension: Suspension


def find_target(run: Run) -> ScalableTarget | None:
    """Return the service's scalable target; None where it is not scaled automatically."""
    with translated(f"describing the autoscaling of service '{run.environment.service}'"):
        answer = scaling_client(run).describe_scalable_targets(
            ServiceNamespace="ecs",
            ResourceIds=[target_of(run)["ResourceId"]],
            ScalableDimension="ecs:service:DesiredCount",
        )
    for target in answer["ScalableTargets"]:
        state = target.get("SuspendedState", {})
        suspended = frozenset(name for name, key in _FLAGS.items() if state.get(key))
        return ScalableTarget(Bounds(target["MinCapacity"], target["MaxCapacity"]), Suspension(suspended))
    return None


def suspend(run: Run, suspension: Suspension) -> None:
    """Suspend those parts of autoscaling, and resume the others."""
    with translated(f"setting the suspended state of service '{run.environment.service}'"):
        state = {key: name in suspension.parts for name, key in _FLAGS.items()}
        scaling_client(run).register_scalable_target(**target_of(run), SuspendedState=state)


def set_bounds(run: Run, bounds: Bounds) -> None:
    """Set the bounds; a count outside of them is brought inside at once."""
    with translated(f"setting autoscaling's bounds of service '{run.environment.service}'"):
        scaling_client(run).register_scalable_target(
            **target_of(run), MinCapacity=bounds.minimum, MaxCapacity=bounds.maximum
        )


def schedule_end(run: Run, until: datetime, bounds: Bounds) -> None:
    """Let the bounds go back at a time, by a scheduled action of AWS: nobody needs to be there."""
    with translated(f"scheduling the end of the override of service '{run.environment.service}'"):
        scaling_client(run).put_scheduled_action(
            **target_of(run),
            ScheduledActionName=ACTION,
            Schedule=f"at({until.astimezone(UTC):%Y-%m-%dT%H:%M:%S})",
            ScalableTargetAction={"MinCapacity": bounds.minimum, "MaxCapacity": bounds.maximum},
        )


def forget_end(run: Run) -> None:
    """Remove the scheduled action, if it is there."""
    try:
        with translated(f"removing the scheduled end of the override of service '{run.environment.service}'"):
            scaling_client(run).delete_scheduled_action(**target_of(run), ScheduledActionName=ACTION)
    except NotFound:
        pass


def scaling_client(run: Run) -> Any:
    """Return the client of Application Auto Scaling."""
    return run.cloud.client("application-autoscaling")


def target_of(run: Run) -> dict[str, str]:
    """Return what names the service's scalable target in every call."""
    names = run.environment
    return {
        "ServiceNamespace": "ecs",
        "ResourceId": f"service/{names.cluster}/{names.service}",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
