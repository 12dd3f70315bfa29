"""Operations on the service's tasks: list, show, stop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from miyabi.aws.errors import translated
from miyabi.aws.waiting import Pending
from miyabi.model.errors import Conflict, InvalidInput, NotFound
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run
from miyabi.operations.service.changing import STEADY, until_steady
from miyabi.operations.service.found import find_service
from miyabi.operations.status import address_of, describe_targets, last_part, task_pages
from miyabi.operations.stopped_tasks import StoppedTask, last_words

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import ContainerTypeDef, TaskTypeDef

_FEWEST_LETTERS = 4


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task of the service."""

    id: str
    status: str
    health: str | None
    """As the target group sees it; None where it is not registered."""
    zone: str | None
    address: str | None
    revision: str
    image_digest: str | None
    started_at: datetime | None
    stopped_at: datetime | None
    exit_code: int | None
    reason: str | None
    """Why it stopped."""


@dataclass(frozen=True, slots=True)
class ListParams:
    """Which tasks."""

    status: Literal["running", "stopped", "all"] = param(
        "Those that shall run, or those that stopped within the hour", default="running"
    )


@dataclass(frozen=True, slots=True)
class TaskList:
    """The service's tasks, by zone; stopped ones last, latest first."""

    service: str
    tasks: tuple[TaskRow, ...]


@operation(
    "tasks.list",
    effect=Effect.READ,
    permissions=(
        "ecs:DescribeServices",
        "ecs:DescribeTasks",
        "ecs:ListTasks",
        "elasticloadbalancing:DescribeTargetHealth",
    ),
)
def list_tasks(run: Run, params: ListParams) -> TaskList:
    """List the service's tasks: status, health, address, revision, image."""
    health = _health(run)
    rows: list[TaskRow] = []
    if params.status != "stopped":
        running = [_row(task, run.environment.container, health) for task in _tasks(run, "RUNNING")]
        rows += sorted(running, key=lambda row: (row.zone or "", row.id))
    if params.status != "running":
        stopped = [_row(task, run.environment.container, {}) for task in _tasks(run, "STOPPED")]
        rows += sorted(stopped, key=lambda row: row.stopped_at.timestamp() if row.stopped_at else 0.0, reverse=True)
    return TaskList(run.environment.service, tuple(rows))


@dataclass(frozen=True, slots=True)
class ShowParams:
    """Which task."""

    task: str = param("Its id, or as many of its first letters as no other has", argument=True)


@dataclass(frozen=True, slots=True)
class TaskDetail:
    """A task, its containers' end and its last lines."""

    id: str
    status: str
    desired_status: str
    health: str | None
    zone: str | None
    address: str | None
    revision: str
    image: str | None
    image_digest: str | None
    cpu: str | None
    """CPU units, 1024 a vCPU."""
    memory: str | None
    """MiB."""
    created_at: datetime | None
    started_at: datetime | None
    stopped_at: datetime | None
    stop_code: str | None
    reason: str | None
    exit_code: int | None
    log_group: str | None
    log_stream: str | None
    last_lines: tuple[str, ...]


@operation(
    "tasks.show",
    effect=Effect.READ,
    permissions=(
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:DescribeTasks",
        "ecs:ListTasks",
        "elasticloadbalancing:DescribeTargetHealth",
        "logs:GetLogEvents",
    ),
)
def show_task(run: Run, params: ShowParams) -> TaskDetail:
    """Show one task: its life, its image, why it stopped and what it said last."""
    task = _find(run, params.task)
    row = _row(task, run.environment.container, _health(run))
    container = _container(task, run.environment.container)
    stopped = StoppedTask(
        id=row.id,
        task_definition=task["taskDefinitionArn"],
        container=container.get("name"),
        code=task.get("stopCode"),
        reason=row.reason or "",
        exit_code=row.exit_code,
        stopped_at=row.stopped_at,
    )
    words = last_words(run.cloud, stopped)
    return TaskDetail(
        id=row.id,
        status=row.status,
        desired_status=task.get("desiredStatus", "-"),
        health=row.health,
        zone=row.zone,
        address=row.address,
        revision=row.revision,
        image=container.get("image"),
        image_digest=row.image_digest,
        cpu=task.get("cpu"),
        memory=task.get("memory"),
        created_at=task.get("createdAt"),
        started_at=row.started_at,
        stopped_at=row.stopped_at,
        stop_code=task.get("stopCode"),
        reason=row.reason,
        exit_code=row.exit_code,
        log_group=words.log_group if words else None,
        log_stream=words.log_stream if words else None,
        last_lines=words.lines if words else (),
    )


@dataclass(frozen=True, slots=True)
class StopParams:
    """Which task, and why."""

    task: str = param("Its id, or as many of its first letters as no other has", argument=True)
    reason: str = param("Why; it becomes the task's stoppedReason", default="stopped by miyabi tasks stop")
    timeout: timedelta = param(
        "How long until the service is steady again", default=timedelta(minutes=10), minimum=1, maximum=86400
    )


@dataclass(frozen=True, slots=True)
class TaskStopped:
    """A task that has stopped, and its service that is steady again."""

    id: str
    exit_code: int | None
    reason: str | None
    running_count: int
    seconds: float


@operation("tasks.stop", effect=Effect.CHANGE, permissions=(*STEADY, "ecs:StopTask"))
def stop_task(run: Run, params: StopParams) -> TaskStopped:
    """Stop one task: drained, then SIGTERM; the service starts another in its place.

    It ends when the task has stopped and the service is steady again.
    """
    begun = run.clock()
    task = _find(run, params.task)
    number = last_part(task["taskArn"])
    if task.get("desiredStatus") == "STOPPED":
        raise Conflict(
            f"task {number} is being stopped already: {task.get('stoppedReason') or 'no reason given'}",
            hint=f"miyabi tasks show {number}",
        )
    names = run.environment
    run.step(f"stopping task {number}")
    with translated(f"stopping task {number}"):
        run.cloud.client("ecs").stop_task(cluster=names.cluster, task=task["taskArn"], reason=params.reason)
    row = run.wait_for(f"task {number} to stop", lambda: _until_stopped(run, task["taskArn"]), deadline=params.timeout)
    left = params.timeout - timedelta(seconds=run.clock() - begun)
    status = until_steady(run, max(left, timedelta(seconds=1)))
    return TaskStopped(
        id=number,
        exit_code=row.exit_code,
        reason=row.reason,
        running_count=status.service.running_count if status.service else 0,
        seconds=round(run.clock() - begun, 1),
    )


def _until_stopped(run: Run, arn: str) -> TaskRow | Pending:
    with translated(f"describing task {last_part(arn)}"):
        answer = run.cloud.client("ecs").describe_tasks(cluster=run.environment.cluster, tasks=[arn])
    for task in answer["tasks"]:
        row = _row(task, run.environment.container, {})
        return row if row.status == "STOPPED" else Pending(f"it is {row.status}")
    raise NotFound(f"task {last_part(arn)} is not listed any more")


def _health(run: Run) -> dict[str, str]:
    found = find_service(run)
    health: dict[str, str] = {}
    for group in found.target_groups:
        with translated(f"describing the targets of {group}"):
            health |= {target.id: target.health for target in describe_targets(run.cloud, group)}
    return health


def _tasks(run: Run, status: str) -> list[TaskTypeDef]:
    with translated(f"listing the tasks of service '{run.environment.service}'"):
        return [task for page in task_pages(run.cloud, run.environment, status) for task in page]


def _find(run: Run, wanted: str) -> TaskTypeDef:
    wanted = last_part(wanted)
    if len(wanted) < _FEWEST_LETTERS:
        raise InvalidInput(f"'{wanted}' is too short for a task", hint=f"Give at least {_FEWEST_LETTERS} letters.")
    tasks = [*_tasks(run, "RUNNING"), *_tasks(run, "STOPPED")]
    found = {task["taskArn"]: task for task in tasks if last_part(task["taskArn"]).startswith(wanted)}
    if len(found) > 1:
        ids = ", ".join(sorted(last_part(arn) for arn in found))
        raise InvalidInput(f"'{wanted}' is the beginning of several tasks: {ids}", hint="Give more letters.")
    for task in found.values():
        return task
    raise NotFound(
        f"task '{wanted}' not found in service '{run.environment.service}'",
        hint="`miyabi tasks list --status all` lists them; a stopped one is listed for an hour.",
    )


def _row(task: TaskTypeDef, container_name: str, health: dict[str, str]) -> TaskRow:
    container = _container(task, container_name)
    address = address_of(task)
    reasons = [task.get("stoppedReason"), container.get("reason")]
    return TaskRow(
        id=last_part(task["taskArn"]),
        status=task["lastStatus"],
        health=health.get(address) if address else None,
        zone=task.get("availabilityZone"),
        address=address,
        revision=last_part(task["taskDefinitionArn"]),
        image_digest=container.get("imageDigest"),
        started_at=task.get("startedAt"),
        stopped_at=task.get("stoppedAt"),
        exit_code=container.get("exitCode"),
        reason=": ".join(dict.fromkeys(reason for reason in reasons if reason)) or None,
    )


def _container(task: TaskTypeDef, name: str) -> ContainerTypeDef:
    containers = task.get("containers", [])
    named = [container for container in containers if container.get("name") == name]
    return (named or containers or [{}])[0]
