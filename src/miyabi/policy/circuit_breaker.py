"""When a deployment has failed, and what its service goes back to.

Source: docs.aws.amazon.com, "How the Amazon ECS deployment circuit breaker detects failures".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from miyabi.model.ecs import Deployment, RolloutState

_FEWEST, _MOST = 3, 200


@dataclass(frozen=True, slots=True)
class Breaker:
    """A service's `deploymentCircuitBreaker`."""

    enable: bool = False
    rollback: bool = False


@dataclass(frozen=True, slots=True)
class Tripped:
    """The verdict on a deployment."""

    cause: str
    """In ECS's words, without a full stop: `tasks failed to start`."""
    back_to: Deployment | None
    """Its task definition is deployed again; without one the service starts no more tasks."""


def threshold(desired_count: int) -> int:
    """Return how many tasks in a row must fail before a deployment has failed."""
    return min(max(math.ceil(desired_count / 2), _FEWEST), _MOST)


def judge(deployments: Sequence[Deployment], breaker: Breaker, *, desired_count: int) -> Tripped | None:
    """Return the verdict on the PRIMARY deployment, or None while there is none.

    deployments: PRIMARY first. Its `failed_tasks` counts the tasks in a row that did not get RUNNING (AWS's first
    stage) or failed their health checks (the second); a task that gets healthy sets it back. Ours: a task that ends
    by itself after RUNNING, before it was healthy, counts too. Ours as well: a rollback is never judged; it goes on
    trying, with delays, because there is nothing better to run.
    """
    primary = deployments[0]
    if not breaker.enable or primary.rollback or primary.rollout_state is not RolloutState.IN_PROGRESS:
        return None
    if primary.failed_tasks < threshold(desired_count):
        return None
    completed = next((item for item in deployments[1:] if item.rollout_state is RolloutState.COMPLETED), None)
    return Tripped(primary.last_failure or "tasks failed to start", completed if breaker.rollback else None)
