"""A task's way from PROVISIONING to STOPPED."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from miyabi.model.ecs import Container, Task, TaskStatus
from miyabi.policy.task_life import Process, Step, next_step

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TIMEOUT = timedelta(seconds=30)


def a_task(status: TaskStatus, *, wanted: bool = True, terminated_at: datetime | None = None) -> Task:
    return Task(
        id="1",
        arn="arn:aws:ecs:us-west-2:112530848482:task/c/1",
        cluster_arn="arn",
        cluster_name="c",
        task_definition="arn",
        group="service:s",
        started_by="ecs-svc/1",
        zone="us-west-2a",
        subnet_id="subnet-1",
        cidr="10.0.11.0/24",
        cpu="256",
        memory="512",
        created_at=NOW,
        containers=[Container("app", "image", essential=True, runtime_id="1-1")],
        load_balancers=[],
        network={},
        platform_version="1.4.0",
        interface_id="eni-1",
        attachment_id="1",
        secret="s",
        tags={},
        overrides={},
        last_status=status,
        desired_status=TaskStatus.RUNNING if wanted else TaskStatus.STOPPED,
        terminated_at=terminated_at,
    )


RUNNING = Process("app", essential=True, running=True, exit_code=None)
KILLED = Process("app", essential=True, running=False, exit_code=137)


@pytest.mark.parametrize(
    ("task", "processes", "draining", "expected"),
    [
        (a_task(TaskStatus.PROVISIONING), [], False, Step.PROVISION),
        (a_task(TaskStatus.PENDING), [], False, Step.LAUNCH),
        (a_task(TaskStatus.ACTIVATING), [RUNNING], False, Step.REGISTER),
        (a_task(TaskStatus.RUNNING), [RUNNING], True, Step.WAIT),
        (a_task(TaskStatus.RUNNING), [KILLED], True, Step.BEGIN_STOP),
        (a_task(TaskStatus.RUNNING), [], True, Step.LOST),
        (a_task(TaskStatus.PENDING, wanted=False), [], False, Step.DEREGISTER),
        (a_task(TaskStatus.RUNNING, wanted=False), [RUNNING], True, Step.DEREGISTER),
        (a_task(TaskStatus.DEACTIVATING, wanted=False), [RUNNING], True, Step.WAIT),
        (a_task(TaskStatus.DEACTIVATING, wanted=False), [RUNNING], False, Step.TERMINATE),
        (a_task(TaskStatus.DEACTIVATING, wanted=False), [KILLED], True, Step.RELEASE),
        (a_task(TaskStatus.STOPPING, wanted=False, terminated_at=NOW), [RUNNING], False, Step.WAIT),
        (a_task(TaskStatus.STOPPING, wanted=False, terminated_at=NOW - TIMEOUT), [RUNNING], False, Step.KILL),
        (a_task(TaskStatus.STOPPING, wanted=False, terminated_at=NOW), [], False, Step.RELEASE),
    ],
)
def test_the_next_step_follows_from_status_and_processes(
    task: Task, processes: list[Process], draining: bool, expected: Step
) -> None:
    assert next_step(task, processes, draining=draining, stop_timeout=TIMEOUT, now=NOW).step is expected


def test_the_end_of_a_container_that_is_not_essential_is_noted_once() -> None:
    task = a_task(TaskStatus.RUNNING)
    side = Container("side", "image", essential=False, runtime_id="1-2")
    noted = dataclasses.replace(side, last_status=TaskStatus.STOPPED, exit_code=0)
    ended = Process("side", essential=False, running=False, exit_code=0)
    for container, step in ((side, Step.NOTE), (noted, Step.WAIT)):
        two = dataclasses.replace(task, containers=[*task.containers, container])
        assert next_step(two, [RUNNING, ended], draining=False, stop_timeout=TIMEOUT, now=NOW).step is step


def test_a_wait_for_the_stop_timeout_says_how_long() -> None:
    task = a_task(TaskStatus.STOPPING, wanted=False, terminated_at=NOW - timedelta(seconds=10))
    step = next_step(task, [RUNNING], draining=False, stop_timeout=TIMEOUT, now=NOW)
    assert step.look_again == timedelta(seconds=20)
