"""`status`: how the service stands."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING

import click

from miyabi.cli.commands import shared_options
from miyabi.cli.output import Output
from miyabi.cli.session import Session
from miyabi.model.errors import Failed, MiyabiError, NotFound, Unavailable
from miyabi.operations.status import (
    EnvironmentStatus,
    LoadBalancerStatus,
    ServiceStatus,
    TaskStatus,
    describe_environment,
)
from miyabi.operations.steady import what_is_missing

if TYPE_CHECKING:
    from miyabi.environment.losses import Conditions


@click.command()
@shared_options
@click.option("--check", is_flag=True, help="Fail unless the service is steady: 1 when it is not, 6 without an answer.")
@click.pass_obj
def status(session: Session, *, check: bool) -> None:
    """Say how the service stands: tasks, rollout, load balancer, targets, last events."""
    output = session.output
    environment = session.environment()
    try:
        access = session.access()
    except NotFound as error:
        _silent(output, error, check=check)
        return
    try:
        found = describe_environment(session.cloud(access.target), environment)
    except Unavailable as error:
        _silent(output, Unavailable(error.message, hint=access.target.start_hint), check=check)
        return
    _show(output, found)
    conditions = access.conditions()
    _show_conditions(output, conditions)
    shown = {field.name: getattr(found, field.name) for field in fields(found)}
    output.result(
        {
            "answering": True,
            **shown,
            "limiter": conditions.limiter,
            "lost": conditions.lost,
            "clock_speed": conditions.clock_speed,
        }
    )
    if check:
        _judge(found)


def _silent(output: Output, error: MiyabiError, *, check: bool) -> None:
    if check:
        raise Unavailable(error.message, hint=error.hint) from error
    output.line(f"  {error.message}")
    if error.hint:
        output.line(f"  {error.hint}")
    output.result({"answering": False, "message": error.message, "hint": error.hint})


def _judge(found: EnvironmentStatus) -> None:
    if found.service is None:
        raise Failed(f"missing: {', '.join(found.missing)}", hint="`miyabi up` makes what is missing.")
    balancer = found.load_balancer
    if balancer is not None and balancer.state != "active":
        raise Failed(balancer.complaint(), hint=balancer.mend())
    missing = what_is_missing(found.service, found)
    if missing:
        raise Failed(f"service '{found.service.name}' is not steady: {missing}", hint="Its events above say more.")


def _show(output: Output, found: EnvironmentStatus) -> None:
    if found.service is not None:
        _show_service(output, found.service)
    if found.load_balancer is not None:
        _show_load_balancer(output, found.load_balancer)
    if found.target_group is not None:
        output.line(f"targets        {found.healthy_targets} of {len(found.targets)} healthy")
    for target in (target for target in found.targets if target.health != "healthy"):
        why = " ".join(part for part in (target.reason, target.description) if part)
        output.line(f"               {target.id}:{target.port} {target.health}   {why}".rstrip())
    if found.image is not None:
        output.line(f"image          {found.image}")
    if found.tasks:
        output.line("tasks")
        header = ("ID", "STATUS", "HEALTH", "ZONE", "ADDRESS", "REVISION", "DIGEST", "STARTED")
        output.table(header, [_row(task) for task in found.tasks])
    if found.service is not None and found.service.events:
        output.line("events")
        for event in found.service.events:
            output.line(f"  {_instant(event.at)}  {_short(event.message)}")
    for what in found.missing:
        output.line(f"{output.colour('missing', 'yellow')}        {what}")


def _show_conditions(output: Output, conditions: Conditions) -> None:
    if conditions.limiter is not None and conditions.limiter not in conditions.lost:
        output.line(f"task limits    {conditions.limiter}")
    if conditions.clock_speed != 1:
        speed = conditions.clock_speed
        output.line(f"clock speed    {speed}: alarms, scaling and health checks run {speed} times as fast")
    for what in conditions.lost:
        output.line(f"{output.colour('lost here', 'yellow')}      {what}")


def _short(message: str) -> str:
    """Return an event with names in place of the ARNs of target groups."""
    return re.sub(r"arn:[\w-]+:elasticloadbalancing:[\w-]*:\d*:targetgroup/([\w-]+)/\w+", r"\1", message)


def _show_load_balancer(output: Output, balancer: LoadBalancerStatus) -> None:
    state = balancer.state if balancer.state == "active" else output.colour(balancer.state, "red")
    output.line(f"load balancer  {balancer.name}   {state}   http://{balancer.dns_name}")
    if balancer.state != "active":
        output.line(f"               {balancer.reason or 'no reason is given'}")


def _show_service(output: Output, service: ServiceStatus) -> None:
    first = service.deployments[0] if service.deployments else None
    rollout = f"   {first.task_definition} rollout {first.rollout_state or '-'}" if first else ""
    counts = f"desired {service.desired_count}   running {service.running_count}   pending {service.pending_count}"
    output.line(f"service        {service.name}   {service.status}   {counts}{rollout}")
    if first and first.rollout_state_reason:
        output.line(f"               {first.rollout_state_reason}")


def _row(task: TaskStatus) -> tuple[str, ...]:
    return (
        task.id,
        task.status,
        task.health or "-",
        task.zone or "-",
        task.address or "-",
        task.task_definition,
        (task.image_digest or "-")[:19],
        _instant(task.started_at),
    )


def _instant(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S %Z}" if at else "-"
