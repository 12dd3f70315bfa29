"""`logs tail`: what the tasks print, all of them together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from miyabi.model.errors import NotFound, Unavailable
from miyabi.model.logs import LogEvent
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run
from miyabi.operations.execution.stream import Streamed
from miyabi.operations.logs.pages import PERMISSION, instant, milliseconds, read_pages
from miyabi.policy.log_follow import Follower

_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class TailParams:
    """From when, and which lines."""

    since: str = param("From when: a duration such as 30m, or a time in ISO 8601", default="10m")
    follow: bool = param("Go on with what is printed from now on, until Ctrl-C", default=False, short="F")
    filter: str | None = param("Only what a CloudWatch filter pattern matches; it is case-sensitive", default=None)
    task: str | None = param("Only the task whose id begins so", default=None)
    group: str | None = param("Another log group than the service's", default=None)


@operation("logs.tail", effect=Effect.READ, permissions=(PERMISSION,))
def tail_logs(run: Run, params: TailParams) -> Streamed[LogEvent]:
    """Show what the tasks print, all of them together in the order of time.

    Each line stands behind its time (UTC) and the start of its task's id. --follow goes on across tasks that come and
    go, and shows every line once; a line that CloudWatch Logs got late comes late, behind its own time.
    """
    since = milliseconds(instant(params.since, now=run.now(), option="--since"))
    return Streamed(_lines(run, params, since))


def _lines(run: Run, params: TailParams, since: int) -> Iterator[LogEvent]:
    follower = Follower(since)
    failures = 0
    known = False
    while True:
        try:
            for event in _look(run, params, follower):
                known = True
                yield event
            known, failures = True, 0
        except (NotFound, Unavailable) as error:
            # Once it was there it may come back: a group that is made anew, a cloud that restarts. Nothing is missed.
            if not (params.follow and known):
                raise
            if not failures:
                run.warn(f"{error.message}; trying on")
            failures += 1
        if not params.follow:
            return
        run.sleep(min(_PAUSE_SECONDS * 2 ** max(failures - 1, 0), _LONGEST_PAUSE_SECONDS))


def _look(run: Run, params: TailParams, follower: Follower) -> Iterator[LogEvent]:
    """Yield what is new. A look that fails is not told to the follower: the next one reads its time again."""
    group = params.group or run.environment.log_group
    began: int | None = None
    for page in read_pages(run, group, start=follower.start(), pattern=params.filter):
        began = page.asked if began is None else began
        for event in follower.fresh(page.events):
            if params.task is None or event.stream.rpartition("/")[2].startswith(params.task):
                yield event
    if began is not None:
        follower.completed(began)
