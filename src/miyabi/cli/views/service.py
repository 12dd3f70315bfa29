"""How results about the service look."""

from __future__ import annotations

import re

from miyabi.cli.output import Output
from miyabi.cli.views import cell
from miyabi.operations.service.status import ServiceReport

_GROUP = re.compile(r"arn:[\w-]+:elasticloadbalancing:[\w-]*:\d*:targetgroup/([\w-]+)/\w+")


def status(output: Output, report: ServiceReport) -> None:
    """Counts, deployments, targets that are not healthy, events."""
    word = output.colour("steady", "green") if report.steady else output.colour("not steady", "yellow")
    counts = f"desired {report.desired_count}   running {report.running_count}   pending {report.pending_count}"
    output.line(f"service  {report.service}   {report.status}   {counts}   {word}")
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


def _short(message: str) -> str:
    """Return an event with names in place of the ARNs of target groups."""
    return _GROUP.sub(r"\1", message)
