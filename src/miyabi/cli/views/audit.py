"""How the audit looks."""

from __future__ import annotations

from miyabi.cli.output import Output
from miyabi.cli.views import cell
from miyabi.operations.audits import AuditList

_COLOURS = {"succeeded": "green", "failed": "red", "interrupted": "yellow", "open": "yellow"}


def list_(output: Output, audit: AuditList) -> None:
    """A line a run, and below a bad one why."""
    for row in audit.runs:
        outcome = output.colour(f"{row.outcome:<11}", _COLOURS.get(row.outcome, "dim"))
        seconds = "" if row.seconds is None else f"{row.seconds:7.1f} s"
        given = " ".join(f"{key}={cell(value)}" for key, value in row.params.items())
        output.line(f"{cell(row.at)}  {outcome} {seconds:>9}  {row.operation:<16} {row.caller}  {given}".rstrip())
        if row.detail:
            output.line(f"    {row.detail}")
    if not audit.runs:
        output.line("nothing in that time")
