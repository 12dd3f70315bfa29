"""FilterLogEvents, page by page: the one call by which log groups are read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from miyabi.aws.errors import translated
from miyabi.model.errors import InvalidInput, MiyabiError, NotFound, Unavailable
from miyabi.model.logs import LogEvent
from miyabi.operations.execution.parameters import read_duration
from miyabi.operations.execution.run import Run

PERMISSION = "logs:FilterLogEvents"


@dataclass(frozen=True, slots=True)
class Page:
    """What one call answered: events, oldest first. A page in the middle may be empty."""

    events: tuple[LogEvent, ...]
    asked: int
    """The server's time, in milliseconds since 1970, when it was asked or a little before."""


def read_pages(
    run: Run,
    group: str,
    *,
    start: int,
    end: int | None = None,
    pattern: str | None = None,
    limit: int | None = None,
) -> Iterator[Page]:
    """Yield what a log group holds from `start` on, up to and including `end`, across all of its streams.

    start, end: milliseconds since 1970. limit: most events a page.
    Raises NotFound without the group, InvalidInput for a pattern that CloudWatch Logs does not accept, Unavailable
    also where paging was cut off because the group was deleted and made again.
    """
    client = run.cloud.client("logs")
    options: dict[str, Any] = {"logGroupName": group, "startTime": max(start, 0)}
    options |= {} if end is None else {"endTime": end}
    options |= {} if not pattern else {"filterPattern": pattern}
    options |= {} if limit is None else {"limit": limit}
    while True:
        began = time.monotonic()
        try:
            with translated(f"reading log group '{group}'"):
                answer = client.filter_log_events(**options)
        except MiyabiError as error:
            raise _explained(error, run, group, pattern, paging="nextToken" in options) from error
        token = answer.get("nextToken")
        events = tuple(_event(one) for one in answer["events"])
        yield Page(events, asked=_asked(answer, time.monotonic() - began))
        if token is None:
            return
        options["nextToken"] = token


def instant(text: str, *, now: datetime, option: str) -> datetime:
    """Return the instant that a person means: a duration before now (30m, 1h30m) or an ISO 8601 date and time.

    Without an offset it is UTC. Raises InvalidInput.
    """
    try:
        return now - read_duration(text)
    except InvalidInput:
        pass
    except OverflowError as error:
        raise InvalidInput(f"{option}: '{text}' is too long ago") from error
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidInput(
            f"{option}: '{text}' is neither a duration nor a time",
            hint="For instance 30m, 1d, 2026-11-27T13:00 or 2026-11-27T13:00:00+09:00; without an offset it is UTC.",
        ) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def milliseconds(at: datetime) -> int:
    """Return an instant as CloudWatch Logs writes it."""
    return int(at.timestamp() * 1000)


def _event(one: Any) -> LogEvent:
    return LogEvent(
        id=one["eventId"],
        stream=one["logStreamName"],
        timestamp=one["timestamp"],
        ingestion=one.get("ingestionTime", one["timestamp"]),
        message=one.get("message", ""),
    )


def _asked(answer: Any, seconds: float) -> int:
    """Return the server's time before it answered: its Date, which knows whole seconds, less what the call took."""
    date = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    try:
        at = parsedate_to_datetime(date).timestamp() if date else time.time()
    except ValueError:
        at = time.time()
    return int((at - seconds) * 1000)


def _explained(error: MiyabiError, run: Run, group: str, pattern: str | None, *, paging: bool) -> MiyabiError:
    match error:
        case NotFound():
            return NotFound(
                f"log group '{group}' not found in {run.cloud.region}",
                hint="Terraform makes it; `log_group` in miyabi.toml or --group names another.",
            )
        case InvalidInput() if paging:
            return Unavailable(
                f"reading log group '{group}' was cut off: it was deleted and made again, or it took days"
            )
        case InvalidInput() if pattern:
            return InvalidInput(
                error.message,
                hint="A term of more than letters, digits and _ stands in double quotes: '\"GET /health\"'.",
            )
    return error
