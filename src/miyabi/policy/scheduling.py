"""Which tasks an ECS service starts and stops next: the replica scheduler and the rolling update.

Source: docs.aws.amazon.com, "Deploy Amazon ECS services by replacing tasks" and "Amazon ECS service scheduler".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from miyabi.model.ecs import TaskStatus
from miyabi.policy.backoff import start_delay

WITHOUT_CHECKS = timedelta(seconds=40)
"""A task with neither a container health check nor a target group counts as healthy this long after RUNNING."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the service is asked to be."""

    desired_count: int
    minimum_healthy_percent: int
    maximum_percent: int
    primary: str
    """The id of the deployment that new tasks belong to."""
    start_failures: int = 0
    last_failure_at: datetime | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """A task of the service that has not ended."""

    task_id: str
    deployment: str
    status: TaskStatus
    stopping: bool
    healthy: bool
    """RUNNING, and its target groups (or the time, without any) say so."""
    unhealthy_reason: str | None
    """Why it must be replaced: its load balancer gave up on it after the grace period."""
    zone: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Start:
    """Start tasks of the primary deployment."""

    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop one task."""

    task_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The next actions, and when to look again if nothing happens before."""

    starts: Start | None
    stops: tuple[Stop, ...]
    look_again: timedelta | None
    rolled_out: bool
    """The primary deployment has all its tasks healthy and no other deployment has any."""
    steady: bool
    """Rolled out, and nothing is being started or stopped."""


def floor_of(asked: Asked) -> int:
    """Return how many healthy tasks a rollout keeps."""
    return math.ceil(asked.desired_count * asked.minimum_healthy_percent / 100)


def ceiling_of(asked: Asked) -> int:
    """Return how many tasks, starting and stopping ones counted, a rollout may have."""
    return math.floor(asked.desired_count * asked.maximum_percent / 100)


def plan_service(asked: Asked, seen: Sequence[Seen], *, now: datetime) -> Plan:
    """Return the actions that bring `seen` to `asked`, each with its reason."""
    live = [task for task in seen if not task.stopping]
    stops = _stop_inactive(live) if not asked.active else _plan_stops(asked, live)
    stopped = {stop.task_id for stop in stops}
    kept = [task for task in live if task.task_id not in stopped]
    starts, look_again = _plan_starts(asked, kept, len(seen), now=now)
    rolled_out = (
        asked.active
        and all(task.deployment == asked.primary for task in seen)
        and sum(task.healthy for task in kept) >= asked.desired_count
        and len(kept) == asked.desired_count
    )
    steady = rolled_out and not stops and starts is None and len(kept) == len(seen)
    return Plan(starts, tuple(stops), look_again, rolled_out, steady)


def _stop_inactive(live: Sequence[Seen]) -> list[Stop]:
    return [Stop(task.task_id, "Service was deleted.") for task in live]


def _plan_starts(
    asked: Asked, kept: Sequence[Seen], counted: int, *, now: datetime
) -> tuple[Start | None, timedelta | None]:
    missing = asked.desired_count - sum(task.deployment == asked.primary for task in kept)
    room = ceiling_of(asked) - counted
    count = min(missing, room)
    if count <= 0 or not asked.active:
        return None, None
    if asked.last_failure_at is not None:
        wait = asked.last_failure_at + start_delay(asked.start_failures) - now
        if wait > timedelta(0):
            return None, wait
    return Start(count, f"{missing} of {asked.desired_count} tasks are missing"), None


def _plan_stops(asked: Asked, live: Sequence[Seen]) -> list[Stop]:
    stops = [Stop(task.task_id, task.unhealthy_reason) for task in live if task.unhealthy_reason]
    gone = {stop.task_id for stop in stops}
    primary = [task for task in live if task.deployment == asked.primary and task.task_id not in gone]
    stops += [
        Stop(task.task_id, "Scaling activity initiated by service desired count change.")
        for task in _surplus(primary, len(primary) - asked.desired_count)
    ]
    gone = {stop.task_id for stop in stops}
    old = [task for task in live if task.deployment != asked.primary and task.task_id not in gone]
    return stops + _retire(asked, old, sum(task.healthy for task in primary if task.task_id not in gone))


def _retire(asked: Asked, old: Sequence[Seen], healthy_new: int) -> list[Stop]:
    """Stop tasks of earlier deployments: those that do not count as healthy, then down to the floor."""
    reason = "Task of an earlier deployment: replaced by the service's new deployment."
    serving = [task for task in old if task.healthy]
    idle = [task for task in old if not task.healthy]
    # Idle old tasks go once the new deployment no longer needs them as a way back to the floor.
    spare = max(0, healthy_new + len(serving) - floor_of(asked))
    enough = min(spare, len(serving))
    ordered = sorted(serving, key=lambda task: (task.created_at, task.task_id))
    return [Stop(task.task_id, reason) for task in [*idle, *ordered[:enough]]]


def _surplus(tasks: Sequence[Seen], count: int) -> list[Seen]:
    """Return the `count` tasks to give up: not yet running first, then from the fullest zone, youngest first."""
    chosen: list[Seen] = []
    left = list(tasks)
    for _ in range(max(count, 0)):
        zones = Counter(task.zone for task in left)
        victim = max(left, key=lambda task: (not task.healthy, zones[task.zone], task.created_at, task.task_id))
        left.remove(victim)
        chosen.append(victim)
    return chosen
