"""`service resume`: what was before `stop`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from miyabi.model.errors import Conflict, InvalidInput
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run
from miyabi.operations.service import scaling
from miyabi.operations.service.alarm import set_alarm_actions
from miyabi.operations.service.changing import STEADY, forget, until_steady, update_service
from miyabi.operations.service.found import FoundService, find_service
from miyabi.operations.service.remembered import Override, Stopped
from miyabi.operations.service.scaling import Bounds


@dataclass(frozen=True, slots=True)
class ResumeParams:
    """How many, and how long to wait."""

    count: int | None = param(
        "How many tasks instead of the remembered count", default=None, unit="tasks", minimum=1, maximum=5000
    )
    timeout: timedelta = param("How long the tasks may take", default=timedelta(minutes=10), minimum=1, maximum=86400)


@dataclass(frozen=True, slots=True)
class Resumed:
    """A service that runs again."""

    service: str
    desired_count: int
    running_count: int
    autoscaling: str
    """active, suspended (it was before the stop), or none."""
    alarm: str
    """enabled, disabled (it was before the stop), or none."""
    seconds: float


@operation(
    "service.resume",
    effect=Effect.CHANGE,
    permissions=(
        *STEADY,
        "application-autoscaling:DeleteScheduledAction",
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:RegisterScalableTarget",
        "cloudwatch:EnableAlarmActions",
        "ecs:UntagResource",
        "ecs:UpdateService",
    ),
)
def resume_service(run: Run, params: ResumeParams) -> Resumed:
    """Start the tasks of a stopped service again, and restore autoscaling and the low-tasks alarm.

    The alarm is restored when the service is steady, or when it is clear that it will not be. What was interrupted is
    finished by another resume.
    """
    begun = run.clock()
    found = find_service(run)
    held = Stopped.of(found.tags)
    count = params.count or (held.count if held else None)
    if count is None or (held is None and found.status.desired_count):
        raise Conflict(
            f"service '{found.status.name}' is not stopped: {found.status.desired_count} tasks are desired",
            hint="`miyabi service resume --count 2` starts one that something else set to no tasks."
            if not found.status.desired_count
            else "`miyabi service scale` changes the count.",
        )
    bounds = _bounds(run, found)
    if bounds is not None:
        count = _inside(bounds, count, params.count, found.status.name)
    run.step(f"starting {count} tasks of service '{found.status.name}'")
    # Before autoscaling is touched: AWS brings a count outside the bounds inside at each registration.
    update_service(run, desiredCount=count)
    if held is not None and held.suspension is not None:
        _restore_scaling(run, found, held.suspension)
    try:
        status = until_steady(run, params.timeout)
    finally:
        if held is not None:
            _restore_alarm(run, found, held)
    service = status.service or found.status
    return Resumed(
        service=service.name,
        desired_count=service.desired_count,
        running_count=service.running_count,
        autoscaling=_scaling_text(held),
        alarm=_alarm_text(held),
        seconds=round(run.clock() - begun, 1),
    )


def _bounds(run: Run, found: FoundService) -> Bounds | None:
    """Return the bounds that will be in force; None where there is no autoscaling."""
    target, override = scaling.find_target(run), Override.of(found.tags)
    if target is None:
        return None
    return override.bounds if override is not None and override.until <= run.now() else target.bounds


def _inside(bounds: Bounds, count: int, asked: int | None, service: str) -> int:
    """Return the count within the bounds; InvalidInput where one was asked for that is not."""
    inside = min(max(count, bounds.minimum), bounds.maximum)
    if asked is not None and inside != asked:
        raise InvalidInput(
            f"autoscaling keeps service '{service}' between {bounds.minimum} and {bounds.maximum} tasks: "
            f"{asked} would not last",
            hint=f"miyabi service resume --count {inside}",
        )
    return inside


def _restore_scaling(run: Run, found: FoundService, suspension: scaling.Suspension) -> None:
    override = Override.of(found.tags)
    if override is not None and override.until <= run.now():
        # Its end fell into the stop, when scheduled actions were suspended: AWS does not make up for it.
        run.step("restoring autoscaling's bounds: the override is over")
        scaling.set_bounds(run, override.bounds)
        scaling.forget_end(run)
        forget(run, found, Override.KEYS)
    run.step("restoring autoscaling")
    scaling.suspend(run, suspension)


def _restore_alarm(run: Run, found: FoundService, held: Stopped) -> None:
    if held.alarm_actions:
        run.step(f"restoring alarm '{run.environment.low_tasks_alarm}'")
        set_alarm_actions(run, enabled=True)
    forget(run, found, Stopped.KEYS)


def _scaling_text(held: Stopped | None) -> str:
    if held is None or held.suspension is None:
        return "none" if held else "unchanged"
    return "active" if not held.suspension.parts else f"suspended ({held.suspension.text()}), as before the stop"


def _alarm_text(held: Stopped | None) -> str:
    if held is None or held.alarm_actions is None:
        return "none" if held else "unchanged"
    return "enabled" if held.alarm_actions else "disabled, as before the stop"
