"""How tasks look."""

from __future__ import annotations

from miyabi.cli.output import Output
from miyabi.cli.views import cell
from miyabi.operations.tasks import TaskList

_DIGEST = 19


def list_(output: Output, found: TaskList) -> None:
    """A table; of stopped tasks also why."""
    if not found.tasks:
        output.line(f"service {found.service} has no such tasks")
        return
    header = ("ID", "STATUS", "HEALTH", "ZONE", "ADDRESS", "REVISION", "DIGEST", "STARTED")
    rows = [
        (
            row.id,
            row.status,
            cell(row.health),
            cell(row.zone),
            cell(row.address),
            row.revision,
            cell(row.image_digest)[:_DIGEST],
            cell(row.started_at),
        )
        for row in found.tasks
    ]
    output.table(header, rows, indent="")
    for row in found.tasks:
        if row.reason:
            code = "" if row.exit_code is None else f" (exit code {row.exit_code})"
            output.line(f"{row.id[:8]}  {cell(row.stopped_at)}  {row.reason}{code}")
