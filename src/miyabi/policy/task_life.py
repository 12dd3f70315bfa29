"""What happens next to a task: its way from PROVISIONING to STOPPED.

Source: docs.aws.amazon.com, "Amazon ECS task lifecycle" and "Graceful shutdowns with ECS".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from miyabi.model.ecs import Task, TaskStatus


class Step(Enum):
    """One action on a task."""

    PROVISION = auto()
    """Give it an address."""
    LAUNCH = auto()
    """Pull its images and start its containers."""
    REGISTER = auto()
    """Register it with its target groups; then it is RUNNING."""
    BEGIN_STOP = auto()
    """An essential container ended: mark the task."""
    LOST = auto()
    """Its processes are gone without a trace: mark the task."""
    DEREGISTER = auto()
    """Take it out of its target groups and let them drain."""
    NOTE = auto()
    """A container that is not essential has ended: write down how."""
    TERMINATE = auto()
    """Send the containers their stop signals."""
    KILL = auto()
    """Send SIGKILL: the stop timeout has passed."""
    RELEASE = auto()
    """Everything has ended: give back address, logs and keys."""
    WAIT = auto()


@dataclass(frozen=True, slots=True)
class Process:
    """A container's process as the supervisor sees it; a container without one has none."""

    container: str
    essential: bool
    running: bool
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class NextStep:
    """The action, its reason, and when to look again where it is a wait."""

    step: Step
    reason: str = ""
    look_again: timedelta | None = None


_BEFORE_LAUNCH = {TaskStatus.PROVISIONING: Step.PROVISION, TaskStatus.PENDING: Step.LAUNCH}


def next_step(
    task: Task, processes: Sequence[Process], *, draining: bool, stop_timeout: timedelta, now: datetime
) -> NextStep:
    """Return what to do with a task that is not STOPPED.

    processes: one per container that was started and that the supervisor still knows.
    draining: a target group still lists the task.
    """
    if task.desired_status is TaskStatus.STOPPED:
        return _stop_step(task, processes, draining=draining, stop_timeout=stop_timeout, now=now)
    if task.last_status in _BEFORE_LAUNCH:
        return NextStep(_BEFORE_LAUNCH[task.last_status])
    return _run_step(task, processes)


def _run_step(task: Task, processes: Sequence[Process]) -> NextStep:
    lost = len(processes) < len(task.containers)
    ended = [process for process in processes if process.essential and not process.running]
    if ended:
        return NextStep(Step.BEGIN_STOP, "Essential container in task exited")
    if lost:
        return NextStep(Step.LOST, "The host that ran the task was stopped.")
    if task.last_status is TaskStatus.ACTIVATING:
        return NextStep(Step.REGISTER)
    noted = {container.name for container in task.containers if container.last_status is TaskStatus.STOPPED}
    if any(not process.running and process.container not in noted for process in processes):
        return NextStep(Step.NOTE)
    return NextStep(Step.WAIT)


def _stop_step(
    task: Task, processes: Sequence[Process], *, draining: bool, stop_timeout: timedelta, now: datetime
) -> NextStep:
    running = any(process.running for process in processes)
    if task.last_status.rank < TaskStatus.DEACTIVATING.rank:
        return NextStep(Step.DEREGISTER)
    if not running:
        return NextStep(Step.RELEASE)
    if task.last_status is TaskStatus.DEACTIVATING:
        return NextStep(Step.WAIT, "draining") if draining else NextStep(Step.TERMINATE)
    if task.terminated_at is None:
        return NextStep(Step.TERMINATE)
    left = task.terminated_at + stop_timeout - now
    if left <= timedelta(0):
        return NextStep(Step.KILL, f"it did not stop within {stop_timeout.total_seconds():.0f} s")
    return NextStep(Step.WAIT, "stopping", left)
