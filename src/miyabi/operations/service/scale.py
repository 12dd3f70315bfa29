"""`service scale`: how many tasks the service keeps running, for good or for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from miyabi.model.errors import Conflict, InvalidInput
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run
from miyabi.operations.service import scaling
from miyabi.operations.service.changing import (
    STEADY,
    forget,
    refuse_during_deployment,
    remember,
    until_no_deployment,
    until_steady,
    update_service,
)
from miyabi.operations.service.found import FoundService, find_service
from miyabi.operations.service.remembered import Override, Stopped
from miyabi.operations.service.scaling import Bounds, ScalableTarget


@dataclass(frozen=True, slots=True)
class ScaleParams:
    """How many, and for how long."""

    count: int = param("How many tasks", argument=True, unit="tasks", minimum=1, maximum=5000)
    for_: timedelta | None = param(
        "Hold it for this long, then let autoscaling's bounds go back by themselves",
        default=None,
        minimum=10,
        maximum=30 * 86400,
    )
    wait: bool = param("Wait for a deployment that is under way instead of refusing", default=False)
    timeout: timedelta = param("How long the tasks may take", default=timedelta(minutes=10), minimum=1, maximum=86400)


@dataclass(frozen=True, slots=True)
class Scaled:
    """A service with another count, and what autoscaling makes of it."""

    service: str
    previous_count: int
    desired_count: int
    running_count: int
    minimum: int | None
    """Autoscaling's bounds from now on; None: there is no autoscaling."""
    maximum: int | None
    until: datetime | None
    """When an override ends by itself."""
    meanwhile: str
    """What autoscaling will do."""
    seconds: float


@operation(
    "service.scale",
    effect=Effect.CHANGE,
    permissions=(
        *STEADY,
        "application-autoscaling:DeleteScheduledAction",
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:PutScheduledAction",
        "application-autoscaling:RegisterScalableTarget",
        "ecs:TagResource",
        "ecs:UntagResource",
        "ecs:UpdateService",
    ),
)
def scale_service(run: Run, params: ScaleParams) -> Scaled:
    """Set how many tasks the service keeps running.

    Autoscaling goes on and may change the count between its bounds. With --for the bounds move so that at least this
    many tasks run, and a scheduled action of AWS moves them back when the time is over. Without --for an override
    that is still on ends. Terraform owns the bounds: an apply meanwhile puts them back too.
    """
    begun = run.clock()
    found = find_service(run)
    if params.wait:
        found = until_no_deployment(run, found, params.timeout)
    refuse_during_deployment(found, "scaling")
    stopped = Stopped.of(found.tags)
    if stopped is not None:
        raise Conflict(
            f"service '{found.status.name}' was stopped on {stopped.at:%Y-%m-%d %H:%M:%S %Z}",
            hint=f"miyabi service resume --count {params.count}",
        )
    target = scaling.find_target(run)
    if params.for_ is None:
        bounds, until = _for_good(run, params, found, target), None
    else:
        bounds, until = _for_a_while(run, params, found, target)
    run.step(f"scaling service '{found.status.name}' from {found.status.desired_count} to {params.count} tasks")
    update_service(run, desiredCount=params.count)
    service = until_steady(run, params.timeout).service or found.status
    if service.desired_count != params.count:
        run.warn(f"autoscaling has set the count to {service.desired_count} meanwhile")
    return Scaled(
        service=service.name,
        previous_count=found.status.desired_count,
        desired_count=service.desired_count,
        running_count=service.running_count,
        minimum=bounds.minimum if bounds else None,
        maximum=bounds.maximum if bounds else None,
        until=until,
        meanwhile=_meanwhile(target, bounds, Override.of(found.tags) if until is None else None, until),
        seconds=round(run.clock() - begun, 1),
    )


def _for_good(run: Run, params: ScaleParams, found: FoundService, target: ScalableTarget | None) -> Bounds | None:
    """End an override, if there is one, and check the count against the bounds."""
    override = Override.of(found.tags)
    if target is None:
        return None
    bounds = override.bounds if override is not None and override.until > run.now() else target.bounds
    if not bounds.minimum <= params.count <= bounds.maximum:
        raise InvalidInput(
            f"autoscaling keeps service '{found.status.name}' between {bounds.minimum} and {bounds.maximum} tasks: "
            f"{params.count} would not last",
            hint=f"`miyabi service scale {params.count} --for 2h` moves the bounds for a while; for good they are "
            "min_tasks and max_tasks in Terraform.",
        )
    if override is not None:
        run.step(f"ending the override of {override.count} tasks")
        scaling.forget_end(run)
        if bounds != target.bounds:
            scaling.set_bounds(run, bounds)
        forget(run, found, Override.KEYS)
    return bounds


def _for_a_while(
    run: Run, params: ScaleParams, found: FoundService, target: ScalableTarget | None
) -> tuple[Bounds, datetime]:
    """Move the bounds. The way back is laid first: whatever happens then, the override ends."""
    if target is None or params.for_ is None:
        raise InvalidInput(
            f"service '{found.status.name}' has no autoscaling that could end an override",
            hint=f"`miyabi service scale {params.count}` without --for: the count then stays.",
        )
    running = Override.of(found.tags)
    if running is not None and running.until <= run.now():
        running = None
    before = running.bounds if running is not None else target.bounds
    until = (run.now() + params.for_ + timedelta(milliseconds=999)).replace(microsecond=0)
    bounds = Bounds(params.count, max(params.count, before.maximum))
    run.step(f"scheduling the end of the override for {until:%Y-%m-%d %H:%M:%S %Z}")
    scaling.schedule_end(run, until, before)
    remember(run, found, Override(params.count, until, before).tags())
    run.step(f"moving autoscaling's bounds from {before.minimum}-{before.maximum} to {bounds.minimum}-{bounds.maximum}")
    scaling.set_bounds(run, bounds)
    return bounds, until


def _meanwhile(
    target: ScalableTarget | None, bounds: Bounds | None, ended: Override | None, until: datetime | None
) -> str:
    if target is None or bounds is None:
        return "there is no autoscaling: the count stays until somebody changes it"
    if {"in", "out"} <= target.suspension.parts:
        return "autoscaling is suspended: the count stays until somebody changes it"
    text = f"autoscaling may change it between {bounds.minimum} and {bounds.maximum}"
    if until is not None:
        return f"{text}; at {until:%Y-%m-%d %H:%M:%S %Z} its earlier bounds are back and it follows the load again"
    return f"the override until {ended.until:%Y-%m-%d %H:%M:%S %Z} has ended; {text}" if ended else text
