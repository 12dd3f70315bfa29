"""How results about the service look."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from miyabi.cli.output import Output
from miyabi.cli.views import cell

if TYPE_CHECKING:  # one verb's view must not load the others' operations
    from miyabi.operations.service.deploy import Compared
    from miyabi.operations.service.events import Events
    from miyabi.operations.service.release import Released
    from miyabi.operations.service.status import ServiceReport

_GROUP = re.compile(r"arn:[\w-]+:elasticloadbalancing:[\w-]*:\d*:targetgroup/([\w-]+)/\w+")


def status(output: Output, report: ServiceReport) -> None:
    """Counts, deployments, targets that are not healthy, events."""
    word = output.colour("steady", "green") if report.steady else output.colour("not steady", "yellow")
    counts = f"desired {report.desired_count}   running {report.running_count}   pending {report.pending_count}"
    output.line(f"service  {report.service}   {report.status}   {counts}   {word}")
    for note in report.notes:
        output.line(f"         {output.colour(note, 'yellow')}")
    if report.targets:
        output.line(f"targets  {report.healthy_targets} of {len(report.targets)} healthy")
    for target in report.targets:
        if target.health != "healthy":
            why = " ".join(part for part in (target.reason, target.description) if part)
            output.line(f"         {target.id}:{target.port} {target.health}   {why}".rstrip())
    header = ("DEPLOYMENT", "REVISION", "ROLLOUT", "DESIRED", "RUNNING", "PENDING", "FAILED", "CREATED")
    rows = [
        (
            one.status,
            one.task_definition,
            one.rollout_state or "-",
            str(one.desired_count),
            str(one.running_count),
            str(one.pending_count),
            str(one.failed),
            cell(one.created_at),
        )
        for one in report.deployments
    ]
    if rows:
        output.table(header, rows, indent="")
    for event in report.events:
        output.line(f"{cell(event.at)}  {_short(event.message)}")


def events(output: Output, found: Events) -> None:
    """A line an event."""
    for event in found.events:
        output.line(f"{cell(event.at)}  {_short(event.message)}")


def _short(message: str) -> str:
    """Return an event with names in place of the ARNs of target groups."""
    return _GROUP.sub(r"\1", message)


def deploy(output: Output, result: Released) -> None:
    """The verdict, how long, and what took longest."""
    word = output.colour("steady", "green") if result.steady else output.colour("not steady", "yellow")
    output.line(f"{word}   {result.task_definition}   {result.image}")
    output.line(f"before   {result.previous_task_definition}   {result.previous_image}")
    if result.stages:
        stages = ", ".join(f"{one.stage} {one.seconds:.1f} s" for one in result.stages)
        output.line(f"took     {result.seconds:.1f} s: {stages}")
    output.line("back     miyabi rollback")


rollback = deploy


def diff(output: Output, result: Compared) -> None:
    """What would change, or that nothing would."""
    if result.same:
        output.line(f"no difference: {result.image} runs with digest {result.digest}")
        return
    header = ("SETTING", "RUNNING", "DEPLOYED")
    output.table(header, [(one.setting, one.before, one.after) for one in result.differences], indent="")
    output.line("everything else is taken from " + result.task_definition)
