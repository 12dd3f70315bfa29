"""How log lines look."""

from __future__ import annotations

from datetime import UTC, datetime

from miyabi.cli.output import Output
from miyabi.cli.views import cell
from miyabi.model.errors import Interrupted
from miyabi.model.logs import LogEvent
from miyabi.operations.execution.stream import Streamed
from miyabi.operations.logs.retention import Retention, RetentionSet
from miyabi.operations.logs.search import Found


def tail(output: Output, lines: Streamed[LogEvent]) -> None:
    """Each line as it comes; Ctrl-C says how many there were."""
    count = 0
    try:
        for event in lines.items:
            _line(output, event)
            count += 1
    except KeyboardInterrupt as error:
        raise Interrupted(
            f"stopped after {count:,} lines", hint="`miyabi logs tail --since 5m` shows the last five minutes again."
        ) from error


def search(output: Output, found: Found) -> None:
    """The lines, then what was searched."""
    for event in found.events:
        _line(output, event)
    count = f"{len(found.events):,} {'line' if len(found.events) == 1 else 'lines'}"
    calls = f"{found.calls} {'call' if found.calls == 1 else 'calls'}"
    output.line(
        output.colour(
            f"{count} of {found.log_group} match {found.pattern} from {cell(found.since)} to {cell(found.until)} "
            f"({calls}; case-sensitive)",
            "dim",
        )
    )
    if not found.complete:
        output.line(output.colour("there are more: --limit shows more of them, --since and --until others", "yellow"))


def retention(output: Output, shown: Retention) -> None:
    """One line."""
    days = "for ever" if shown.retention_days is None else f"for {shown.retention_days} days"
    output.line(f"log group '{shown.log_group}' keeps its events {days}   {shown.stored_bytes:,} bytes")


def set_retention(output: Output, done: RetentionSet) -> None:
    """One line."""
    before = "for ever" if done.before_days is None else f"for {done.before_days} days"
    output.line(f"log group '{done.log_group}' keeps its events for {done.retention_days} days (before: {before})")


def _line(output: Output, event: LogEvent) -> None:
    at = datetime.fromtimestamp(event.timestamp / 1000, UTC)
    head = f"{at:%Y-%m-%dT%H:%M:%S}.{event.timestamp % 1000:03d}Z  {event.task:<8}"
    message = event.message.rstrip("\r\n")
    output.raw(f"{output.colour(head, 'dim')}  {message}")
