"""`logs search`: find lines by CloudWatch Logs' filter language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from miyabi.model.errors import InvalidInput
from miyabi.model.logs import LogEvent
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run
from miyabi.operations.logs.pages import PERMISSION, instant, milliseconds, read_pages

_PAGE = 10_000
"""The most that a call may ask for."""


@dataclass(frozen=True, slots=True)
class SearchParams:
    """What, and when."""

    pattern: str = param("Filter pattern of CloudWatch Logs, case-sensitive", argument=True)
    since: str = param("From when: a duration such as 30m, or a time in ISO 8601", default="1h")
    until: str | None = param("Until when, as --since (default: now)", default=None)
    limit: int = param("Most lines", default=1000, minimum=1, maximum=100_000)
    group: str | None = param("Another log group than the service's", default=None)


@dataclass(frozen=True, slots=True)
class Found:
    """The lines that match, oldest first, and what was searched."""

    log_group: str
    pattern: str
    since: datetime
    until: datetime
    events: tuple[LogEvent, ...]
    complete: bool
    """Whether everything was searched; else the limit was reached, and later lines were not looked at."""
    calls: int


@operation("logs.search", effect=Effect.READ, permissions=(PERMISSION,))
def search_logs(run: Run, params: SearchParams) -> Found:
    """Find lines by a filter pattern of CloudWatch Logs, in all tasks, also those that are gone.

    Patterns are case-sensitive: ERROR; '"exact phrase"'; '?ERROR ?WARN' (any); 'ERROR -timeout' (not); JSON:
    '{ $.level = "ERROR" && $.status >= 500 }'.
    """
    now = run.now()
    since = instant(params.since, now=now, option="--since")
    until = now if params.until is None else instant(params.until, now=now, option="--until")
    if since >= until:
        raise InvalidInput(f"--since {params.since} is not before --until {params.until or 'now'}")
    group = params.group or run.environment.log_group
    events: list[LogEvent] = []
    calls, complete = 0, True
    # One more than is wanted says whether there are more.
    wanted = min(params.limit + 1, _PAGE)
    for page in read_pages(
        run, group, start=milliseconds(since), end=milliseconds(until), pattern=params.pattern, limit=wanted
    ):
        calls += 1
        events += page.events
        if len(events) > params.limit:
            complete = False
            break
    return Found(
        log_group=group,
        pattern=params.pattern,
        since=since.astimezone(UTC),
        until=until.astimezone(UTC),
        events=tuple(events[: params.limit]),
        complete=complete,
        calls=calls,
    )
