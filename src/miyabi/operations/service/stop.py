"""`service stop`: no tasks, for maintenance; everything that would start them or call somebody is silenced."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from miyabi.aws.waiting import Pending
from miyabi.model.errors import Conflict
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run
from miyabi.operations.service import scaling
from miyabi.operations.service.alarm import alarm_actions, set_alarm_actions
from miyabi.operations.service.changing import remember, update_service
from miyabi.operations.service.found import FoundService, find_service
from miyabi.operations.service.remembered import Stopped
from miyabi.operations.service.scaling import ScalableTarget


@dataclass(frozen=True, slots=True)
class StopParams:
    """How long to wait."""

    timeout: timedelta = param(
        "How long the tasks may take to end", default=timedelta(minutes=10), minimum=1, maximum=86400
    )


@dataclass(frozen=True, slots=True)
class ServiceStopped:
    """A service without tasks, and what `resume` will bring back."""

    service: str
    changed: bool
    """False: it had been stopped before."""
    remembered_count: int
    stopped_at: datetime
    autoscaling: str
    """suspended, or none."""
    alarm: str
    """silenced, or none."""
    seconds: float


@operation(
    "service.stop",
    effect=Effect.CHANGE,
    permissions=(
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:RegisterScalableTarget",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:DisableAlarmActions",
        "ecs:DescribeServices",
        "ecs:TagResource",
        "ecs:UpdateService",
    ),
)
def stop_service(run: Run, params: StopParams) -> ServiceStopped:
    """Stop every task for maintenance, until `resume`.

    Autoscaling is suspended and the low-tasks alarm silenced; the count and both states are remembered in tags on
    the service. A stop that was interrupted is finished by another.
    """
    begun = run.clock()
    found = find_service(run)
    held = Stopped.of(found.tags)
    changed = held is None or bool(found.status.desired_count or found.status.running_count)
    target = scaling.find_target(run) if changed else None
    if held is None:
        held = _look(run, found, target)
        run.step(f"remembering {held.count} tasks in tags of service '{found.status.name}'")
        remember(run, found, held.tags())
    elif held.suspension is None and target is not None:
        # There is autoscaling since: a resume has to find out how it was.
        held = replace(held, suspension=target.suspension)
        remember(run, found, held.tags())
    if changed:
        _silence(run, held, target)
        run.step(f"stopping the {found.status.running_count} tasks of service '{found.status.name}'")
        update_service(run, desiredCount=0)
        _until_none(run, params.timeout)
    return ServiceStopped(
        service=found.status.name,
        changed=changed,
        remembered_count=held.count,
        stopped_at=held.at,
        autoscaling="none" if held.suspension is None else "suspended",
        alarm="none" if held.alarm_actions is None else "silenced",
        seconds=round(run.clock() - begun, 1),
    )


def _look(run: Run, found: FoundService, target: ScalableTarget | None) -> Stopped:
    if not found.status.desired_count:
        raise Conflict(
            f"service '{found.status.name}' has no tasks already, through something else: no count to remember",
            hint="`miyabi service resume --count 2` starts it.",
        )
    return Stopped(
        at=run.now().replace(microsecond=0),
        count=found.status.desired_count,
        suspension=target.suspension if target else None,
        alarm_actions=alarm_actions(run),
    )


def _silence(run: Run, held: Stopped, target: ScalableTarget | None) -> None:
    # AWS brings the count inside the bounds at each registration, also of a service that is to have no tasks: so it is
    # registered before the count is 0, and never again.
    if target is not None and target.suspension != scaling.ALL:
        run.step("suspending autoscaling")
        scaling.suspend(run, scaling.ALL)
    if held.alarm_actions:
        run.step(f"silencing alarm '{run.environment.low_tasks_alarm}'")
        set_alarm_actions(run, enabled=False)


def _until_none(run: Run, deadline: timedelta) -> None:
    def look() -> FoundService | Pending:
        found = find_service(run)
        desired = found.status.desired_count
        if desired:
            return Pending(f"{desired} tasks are desired: if something else has set them, another stop ends them")
        left = found.status.running_count + found.status.pending_count
        return Pending(f"{left} tasks still run") if left else found

    run.wait_for(f"the tasks of service '{run.environment.service}' to end", look, deadline=deadline)
