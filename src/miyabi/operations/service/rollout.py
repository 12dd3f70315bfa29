"""Following a rollout to its observed end: steady, rolled back, stalled, or replaced by another."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta

from miyabi.aws.waiting import Pending
from miyabi.model.errors import Conflict, Failed, Unavailable
from miyabi.operations.execution.run import Run
from miyabi.operations.service.found import find_service
from miyabi.operations.status import ServiceStatus, last_part
from miyabi.operations.stopped_tasks import StoppedTask, last_words, stopped_tasks
from miyabi.operations.verdict import End, Seen, Stage, judge

ROLLOUT = (
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ecs:DescribeTasks",
    "ecs:ListTasks",
    "logs:GetLogEvents",
)
"""Permissions of `follow_rollout`: it also says why tasks failed."""

DEADLINE = timedelta(minutes=15)
_EVENTS = 100
_NAMES = re.compile(r"^\(service [^)]*\) (?:\(deployment [^)]*\) )?")
_GROUP = re.compile(r"arn:[\w-]+:elasticloadbalancing:[\w-]*:\d*:targetgroup/([\w-]+)/\w+")
_TOLD = 5
"""Of how many stopped tasks the last log lines are told."""


@dataclass(frozen=True, slots=True)
class StageTime:
    """How long a rollout was at something."""

    stage: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Followed:
    """A rollout that ended steady."""

    deployment: str
    task_definition: str
    """`family:revision`."""
    desired_count: int
    seconds: float
    stages: tuple[StageTime, ...]

    @property
    def slowest(self) -> StageTime | None:
        """The stage that took longest."""
        return max(self.stages, key=lambda one: one.seconds, default=None)


@dataclass(slots=True)
class _Follower:
    """What one wait has seen so far."""

    run: Run
    watched: str
    known: frozenset[str]
    reason: str | None = None
    times: dict[Stage, float] = field(default_factory=dict)
    last: tuple[Stage, float] | None = None

    def look(self) -> tuple[Seen, ServiceStatus] | Pending:
        try:
            service = find_service(self.run, events=_EVENTS).status
        except Unavailable as error:
            return Pending(f"no answer ({error.message})")  # the rollout goes on without us
        seen = judge(self.watched, service, failed=self.reason)
        self._clock(seen.stage)
        self.reason = seen.reason or self.reason
        if seen.end is not None:
            return seen, service
        return Pending(f"{seen.stage}: {seen.detail}")

    def _clock(self, stage: Stage | None) -> None:
        now = self.run.clock()
        if self.last is not None:
            before, since = self.last
            self.times[before] = self.times.get(before, 0.0) + now - since
        self.last = (stage, now) if stage is not None else None

    def stages(self) -> tuple[StageTime, ...]:
        return tuple(StageTime(stage.value, round(seconds, 1)) for stage, seconds in self.times.items())


@dataclass(frozen=True, slots=True)
class Before:
    """What there was before a rollout began."""

    stopped: frozenset[str]
    """Ids of the tasks that had stopped already."""


def before_rollout(run: Run) -> Before:
    """Look at what a later verdict must not blame on the rollout."""
    return Before(frozenset(task.id for task in stopped_tasks(run.cloud, run.environment)))


def follow_rollout(
    run: Run, deployment: str, task_definition: str, before: Before, *, deadline: timedelta = DEADLINE
) -> Followed:
    """Wait until the deployment with that id has ended, and return how it went.

    Raises Failed where it failed, after its rollback has ended, naming each stopped task's reason and last log
    lines; Conflict where another deployment took its place; Unavailable at the deadline. It ends a dry run.
    """
    follower = _Follower(run, deployment, before.stopped)
    begun = run.clock()
    seen, service = run.wait_for(
        f"the rollout of {task_definition} (it goes on without us)", follower.look, deadline=deadline
    )
    if seen.end is End.STEADY:
        return Followed(
            deployment=deployment,
            task_definition=task_definition,
            desired_count=service.desired_count,
            seconds=round(run.clock() - begun, 1),
            stages=follower.stages(),
        )
    if seen.end is End.SUPERSEDED:
        raise Conflict(
            f"the deployment of {task_definition} did not end: it was {seen.detail}",
            hint="Somebody else deployed meanwhile; `miyabi service status` says what runs.",
        )
    raise _verdict(run, task_definition, seen, follower.reason, service, before)


def _verdict(
    run: Run, task_definition: str, seen: Seen, reason: str | None, service: ServiceStatus, before: Before
) -> Failed:
    failed = [
        task
        for task in stopped_tasks(run.cloud, run.environment, known=before.stopped)
        if task.failed and last_part(task.task_definition) == task_definition
    ]
    if seen.end is End.ROLLED_BACK:
        how = f"was rolled back to {service.deployments[0].task_definition}"
    else:
        how = "failed, and there is no completed deployment to go back to: no more tasks are started"
    message = f"the deployment of {task_definition} {how}: {_short(reason)}"
    if failed:
        message = f"{message} {_causes(failed)}"
    return Failed(message, hint=_last_lines(run, failed) or "`miyabi service events` says more.")


def _short(reason: str | None) -> str:
    """Return ECS's reason without the names that the message has already."""
    return _NAMES.sub("", reason or "no reason given").rstrip(".") + "."


def _cause(task: StoppedTask) -> str:
    code = "" if task.exit_code is None else f", exit code {task.exit_code}"
    return _GROUP.sub(r"\1", task.reason) + code


def _causes(tasks: list[StoppedTask]) -> str:
    """Say why tasks stopped, each cause once, the most frequent first."""
    counted: dict[str, int] = {}
    for task in tasks:
        counted[_cause(task)] = counted.get(_cause(task), 0) + 1
    causes = sorted(counted.items(), key=lambda item: -item[1])
    return "; ".join(f"{count} task{'s' if count > 1 else ''} stopped: {cause}" for cause, count in causes)


def _last_lines(run: Run, tasks: list[StoppedTask]) -> str:
    told = []
    for task in tasks[:_TOLD]:
        told.append(f"task {task.id}: {_cause(task)}")
        words = last_words(run.cloud, task)
        if words is None:
            told.append("    it logged nothing")
        else:
            told += [f"    {line}" for line in words.lines]
    if len(tasks) > _TOLD:
        told.append(f"and {len(tasks) - _TOLD} more")
    return "\n".join(told)
