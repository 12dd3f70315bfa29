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
from miyabi.policy.tempo import WALL, Tempo

WITHOUT_CHECKS = timedelta(seconds=40)
"""A task with neither a container health check nor a target group counts as healthy this long after RUNNING."""
_REPLACED = "Task of an earlier deployment: replaced by the service's new deployment."
_SCALED_IN = "Scaling activity initiated by service desired count change."


@dataclass(frozen=True, slots=True)
class Rollout:
    """A deployment as the scheduler sees it."""

    id: str
    desired_count: int
    """How many tasks it is to have; an earlier deployment's goes down as its tasks are retired."""
    failures: int = 0
    """Tasks in a row that ended before they were healthy."""
    last_failure_at: datetime | None = None
    completed: bool = False
    """It once had all its tasks healthy: it is what the service can go back to."""
    stalled: bool = False
    """It failed: it starts no more tasks."""
    tempo: Tempo = WALL

    def delay(self, now: datetime) -> timedelta:
        """Return how long its next start has to wait."""
        if self.last_failure_at is None:
            return timedelta(0)
        return max(timedelta(0), self.last_failure_at + self.tempo.shortened(start_delay(self.failures)) - now)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the service is asked to be."""

    desired_count: int
    minimum_healthy_percent: int
    maximum_percent: int
    rollouts: tuple[Rollout, ...]
    """PRIMARY first, then the earlier deployments, newest first."""
    active: bool = True

    @property
    def primary(self) -> Rollout:
        """The deployment that is to have all the tasks."""
        return self.rollouts[0]

    @property
    def way_back(self) -> Rollout | None:
        """The last deployment that was completed, while a newer one is rolled out."""
        if self.primary.completed:
            return None
        return next((rollout for rollout in self.rollouts[1:] if rollout.completed), None)


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

    @property
    def sick(self) -> bool:
        """RUNNING, but to be replaced."""
        return self.unhealthy_reason is not None


@dataclass(frozen=True, slots=True)
class Start:
    """Start tasks of a deployment."""

    deployment: str
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop one task."""

    task_id: str
    reason: str
    retired: bool = False
    """Its deployment, an earlier one, is to have one task fewer."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The next actions, and when to look again if nothing happens before."""

    starts: tuple[Start, ...]
    stops: tuple[Stop, ...]
    look_again: timedelta | None
    rolled_out: bool
    """The primary deployment has all its tasks healthy and no other deployment has any."""
    steady: bool
    """Rolled out, and nothing is being started or stopped."""


class _Group:
    """Tasks that are wanted, by how they are."""

    def __init__(self, tasks: Sequence[Seen]) -> None:
        self.healthy = [task for task in tasks if task.healthy and not task.sick]
        self.sick = [task for task in tasks if task.sick]
        self.idle = [task for task in tasks if not task.healthy and not task.sick]

    @property
    def good(self) -> list[Seen]:
        """Those that serve or may come to serve."""
        return [*self.idle, *self.healthy]

    @property
    def size(self) -> int:
        return len(self.healthy) + len(self.sick) + len(self.idle)

    def replaced(self, wanted: int) -> list[Seen]:
        """Return the sick tasks that are not needed: the healthy ones fill their places."""
        return self.sick[max(0, wanted - len(self.healthy)) :]


def floor_of(asked: Asked) -> int:
    """Return how many healthy tasks a rollout keeps.

    AWS's is ceil(desired * minimumHealthyPercent / 100). Ours beyond that: never more than the desired count, and
    one task goes on serving where the ceiling leaves room for its successor beside it.
    """
    floor = min(asked.desired_count, math.ceil(asked.desired_count * asked.minimum_healthy_percent / 100))
    return max(floor, 1) if asked.desired_count and ceiling_of(asked) > 1 else floor


def ceiling_of(asked: Asked) -> int:
    """Return how many tasks, starting and stopping ones counted, a rollout may have."""
    return math.floor(asked.desired_count * asked.maximum_percent / 100)


def plan_service(asked: Asked, seen: Sequence[Seen], *, now: datetime) -> Plan:
    """Return the actions that bring `seen` to `asked`, each with its reason."""
    live = [task for task in seen if not task.stopping]
    if not asked.active:
        everything = tuple(Stop(task.task_id, "Service was deleted.") for task in live)
        return Plan((), everything, None, rolled_out=False, steady=False)
    primary = _Group([task for task in live if task.deployment == asked.primary.id])
    earlier = _Group([task for task in live if task.deployment != asked.primary.id])
    earlier_count = _earlier_count(asked, min(len(primary.healthy), asked.desired_count))
    stops = _stop_surplus(asked, primary) + _retire(asked, earlier, earlier_count)
    starts, look_again, unmet = _plan_starts(asked, primary, earlier, earlier_count, len(seen), now=now)
    if unmet and not stops and len(live) == len(seen):
        stops = _make_room(asked, primary, earlier, unmet, starting=bool(starts))
    gone = {stop.task_id for stop in stops}
    kept = [task for task in live if task.task_id not in gone]
    rolled_out = (
        all(task.deployment == asked.primary.id for task in seen)
        and sum(task.healthy and not task.sick for task in kept) == len(kept) == asked.desired_count
    )
    steady = rolled_out and not stops and not starts and len(kept) == len(seen)
    return Plan(starts, tuple(stops), look_again, rolled_out, steady)


def _earlier_count(asked: Asked, healthy_new: int) -> int:
    """Return how many tasks the earlier deployments keep together.

    As many as the new one lacks, as far as the ceiling leaves them beside the new one's, and never fewer than the
    floor needs: new tasks start before old ones stop wherever there is room.
    """
    beside = min(asked.desired_count - healthy_new, ceiling_of(asked) - asked.desired_count)
    return max(0, floor_of(asked) - healthy_new, beside)


def _stop_surplus(asked: Asked, primary: _Group) -> list[Stop]:
    """Stop the primary deployment's sick tasks that have been replaced, and what is above the desired count."""
    stops = [Stop(task.task_id, task.unhealthy_reason or "") for task in primary.replaced(asked.desired_count)]
    surplus = _surplus(primary.good, len(primary.good) - asked.desired_count)
    return stops + [Stop(task.task_id, _SCALED_IN) for task in surplus]


def _retire(asked: Asked, earlier: _Group, count: int) -> list[Stop]:
    """Stop tasks of earlier deployments down to `count`.

    The sick ones that have been replaced go first. Which go then AWS does not say; ours: those that do not serve
    yet, and before them none that does, so an idle task too goes only against a healthy new one or beyond what is
    needed; among equals those that the service cannot go back to, then the oldest.
    """
    way_back = asked.way_back.id if asked.way_back else None
    order = sorted(
        earlier.good, key=lambda task: (task.healthy, task.deployment == way_back, task.created_at, task.task_id)
    )
    replaced = [Stop(task.task_id, task.unhealthy_reason or "") for task in earlier.replaced(count)]
    retired = order[: max(0, len(order) - count)]
    return replaced + [Stop(task.task_id, _REPLACED, retired=True) for task in retired]


def _plan_starts(
    asked: Asked, primary: _Group, earlier: _Group, earlier_count: int, counted: int, *, now: datetime
) -> tuple[tuple[Start, ...], timedelta | None, int]:
    """Return what to start, when a delayed start is due, and how many tasks found no room.

    First what an earlier deployment has lost, by a task of the last completed one: AWS replaces a task by one of the
    revision that it belonged to. Then what the new deployment lacks, then replacements of the earlier ones' sick
    tasks: a fix must not wait for them.
    """
    wishes = [(asked.primary, asked.desired_count - len(primary.good))]
    if asked.way_back is not None:
        owed = min(earlier_count, asked.way_back.desired_count)
        lost = max(0, owed - earlier.size)
        wishes = [(asked.way_back, lost), *wishes, (asked.way_back, owed - len(earlier.good) - lost)]
    room = ceiling_of(asked) - counted
    counts: Counter[str] = Counter()
    waits, unmet = [], 0
    for rollout, missing in wishes:
        wait = rollout.delay(now)
        if missing <= 0 or rollout.stalled:
            continue
        if wait > timedelta(0):
            waits.append(wait)
            continue
        count = max(0, min(missing, room))
        room -= count
        unmet += missing - count
        counts[rollout.id] += count
    starts = tuple(
        Start(deployment, count, f"{count} tasks are missing") for deployment, count in counts.items() if count
    )
    return starts, min(waits, default=None), unmet


def _make_room(asked: Asked, primary: _Group, earlier: _Group, unmet: int, *, starting: bool) -> list[Stop]:
    """Stop sick tasks whose replacements cannot start because the ceiling is reached.

    All that are in the way where enough healthy tasks serve; else one by one, and none while another task may still
    become healthy: with no healthy target the load balancer sends its requests to the sick ones.
    """
    sick = [*earlier.sick, *primary.sick]
    if len(primary.healthy) + len(earlier.healthy) < max(floor_of(asked), 1):
        sick = [] if starting or primary.idle or earlier.idle else sick[:1]
    return [Stop(task.task_id, task.unhealthy_reason or "") for task in sick[:unmet]]


def _surplus(tasks: Sequence[Seen], count: int) -> list[Seen]:
    """Return the `count` tasks to give up: not yet serving first, then from the fullest zone, youngest first."""
    chosen: list[Seen] = []
    left = list(tasks)
    for _ in range(min(count, len(left))):
        zones = Counter(task.zone for task in left)
        victim = max(left, key=lambda task: (not task.healthy, zones[task.zone], task.created_at, task.task_id))
        left.remove(victim)
        chosen.append(victim)
    return chosen
