"""When a deployment has failed, and what its service goes back to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.model.ecs import Deployment, RolloutState
from miyabi.policy.circuit_breaker import Breaker, judge, threshold

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BOTH = Breaker(enable=True, rollback=True)


def deployment(name: str, state: RolloutState, failed: int = 0, **more: Any) -> Deployment:
    return Deployment(
        id=name,
        status="ACTIVE",
        task_definition=f"app:{name}",
        desired_count=2,
        created_at=NOW,
        updated_at=NOW,
        rollout_state=state,
        rollout_state_reason="",
        network={},
        load_balancers=[],
        platform_version="1.4.0",
        images={},
        failed_tasks=failed,
        **more,
    )


GOOD = deployment("good", RolloutState.COMPLETED)


@pytest.mark.parametrize(("desired", "tasks"), [(0, 3), (1, 3), (6, 3), (7, 4), (25, 13), (400, 200), (5000, 200)])
def test_the_threshold_is_half_the_desired_count_between_3_and_200(desired: int, tasks: int) -> None:
    assert threshold(desired) == tasks


@pytest.mark.parametrize(
    ("primary", "breaker", "trips", "back_to"),
    [
        (deployment("new", RolloutState.IN_PROGRESS, 2), BOTH, False, None),
        (deployment("new", RolloutState.IN_PROGRESS, 3), BOTH, True, GOOD),
        (deployment("new", RolloutState.IN_PROGRESS, 3), Breaker(enable=True), True, None),
        (deployment("new", RolloutState.IN_PROGRESS, 99), Breaker(enable=False, rollback=True), False, None),
        (deployment("new", RolloutState.COMPLETED, 99), BOTH, False, None),
        (deployment("new", RolloutState.FAILED, 99), BOTH, False, None),
        (deployment("new", RolloutState.IN_PROGRESS, 99, rollback=True), BOTH, False, None),
    ],
)
def test_a_deployment_fails_once_and_only_while_it_is_rolled_out(
    primary: Deployment, breaker: Breaker, trips: bool, back_to: Deployment | None
) -> None:
    failed = deployment("failed", RolloutState.FAILED, 3)
    verdict = judge([primary, failed, GOOD], breaker, desired_count=2)
    assert (verdict is not None) is trips
    if verdict is not None:
        assert verdict.back_to == back_to


def test_without_a_completed_deployment_there_is_nothing_to_go_back_to() -> None:
    primary = deployment("new", RolloutState.IN_PROGRESS, 3, last_failure="tasks failed ELB health checks")
    verdict = judge([primary], BOTH, desired_count=2)
    assert verdict is not None
    assert (verdict.cause, verdict.back_to) == ("tasks failed ELB health checks", None)


@given(st.integers(0, 10_000), st.integers(0, 300), st.booleans())
def test_more_failures_never_undo_a_verdict_and_fewer_than_three_never_make_one(
    desired: int, failed: int, rollback: bool
) -> None:
    breaker = Breaker(enable=True, rollback=rollback)
    now, later = (
        judge([deployment("new", RolloutState.IN_PROGRESS, count), GOOD], breaker, desired_count=desired)
        for count in (failed, failed + 1)
    )
    assert now is None or (later is not None and failed >= 3)
    assert now is not None or failed < 200
