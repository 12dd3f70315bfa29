"""Why the service's tasks stopped, and what they said last."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from miyabi.aws.clients import Cloud
from miyabi.aws.errors import translated
from miyabi.model.errors import MiyabiError
from miyabi.operations.status import EnvironmentNames, last_part, task_pages

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import TaskTypeDef

_LINES = 10
_EPOCH = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StoppedTask:
    """A task that ended."""

    id: str
    task_definition: str
    """ARN."""
    container: str | None
    code: str | None
    """ECS's stopCode: TaskFailedToStart, EssentialContainerExited, ServiceSchedulerInitiated ..."""
    reason: str
    exit_code: int | None
    stopped_at: datetime | None

    @property
    def failed(self) -> bool:
        """Whether it stopped by itself, not because the service was scaled or replaced."""
        return self.code in {"TaskFailedToStart", "EssentialContainerExited"} or "failed" in self.reason


@dataclass(frozen=True, slots=True)
class LastWords:
    """The end of a task's log."""

    log_group: str
    log_stream: str
    lines: tuple[str, ...]


def stopped_tasks(cloud: Cloud, names: EnvironmentNames, *, known: Collection[str] = ()) -> tuple[StoppedTask, ...]:
    """Return the stopped tasks that ECS still lists, latest first, without those whose ids are known."""
    with translated(f"describing the stopped tasks of service '{names.service}'"):
        tasks = [_stopped(task, names) for page in task_pages(cloud, names, "STOPPED") for task in page]
    new = [task for task in tasks if task.id not in known]
    return tuple(sorted(new, key=lambda task: task.stopped_at or _EPOCH, reverse=True))


def _stopped(task: TaskTypeDef, names: EnvironmentNames) -> StoppedTask:
    containers = task.get("containers", [])
    named = [one for one in containers if one.get("name") == names.container]
    container = (named or containers or [{}])[0]
    reasons = [task.get("stoppedReason"), container.get("reason")]
    return StoppedTask(
        id=last_part(task["taskArn"]),
        task_definition=task["taskDefinitionArn"],
        container=container.get("name"),
        code=task.get("stopCode"),
        reason=": ".join(dict.fromkeys(reason for reason in reasons if reason)) or "no reason given",
        exit_code=container.get("exitCode"),
        stopped_at=task.get("stoppedAt"),
    )


def last_words(cloud: Cloud, task: StoppedTask) -> LastWords | None:
    """Return the last lines that the task logged through awslogs; None where there are none to be had."""
    try:
        place = _log_stream(cloud, task)
        if place is None:
            return None
        group, stream = place
        with translated(f"reading log stream '{stream}'"):
            answer = cloud.client("logs").get_log_events(
                logGroupName=group, logStreamName=stream, limit=_LINES, startFromHead=False
            )
    except MiyabiError:
        return None  # the verdict must not be lost because its illustration is
    lines = tuple(event.get("message", "") for event in answer["events"])
    return LastWords(group, stream, lines) if lines else None


def _log_stream(cloud: Cloud, task: StoppedTask) -> tuple[str, str] | None:
    with translated(f"describing task definition '{last_part(task.task_definition)}'"):
        answer = cloud.client("ecs").describe_task_definition(taskDefinition=task.task_definition)
    for container in answer["taskDefinition"].get("containerDefinitions", []):
        options = container.get("logConfiguration", {}).get("options", {})
        if container.get("name") == task.container and {"awslogs-group", "awslogs-stream-prefix"} <= set(options):
            stream = f"{options['awslogs-stream-prefix']}/{task.container}/{task.id}"
            return options["awslogs-group"], stream
    return None


def explain(tasks: Sequence[StoppedTask]) -> str:
    """Say in one line why the latest task stopped, and how many did."""
    latest = tasks[0]
    code = "" if latest.exit_code is None else f", exit code {latest.exit_code}"
    count = "1 task stopped" if len(tasks) == 1 else f"{len(tasks)} tasks stopped, the latest"
    return f"{count}: {latest.reason}{code} (task {latest.id})"
