"""How many tasks step scaling asks for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.model.scaling import Suspended
from miyabi.policy.step_scaling import Step, Stepping, plan_step
from miyabi.policy.target_tracking import Capacity, Cooldowns, Decision

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
STEPS = (Step(0, 10, 1), Step(10, None, 3))
SEEN = Capacity(minimum=2, maximum=8, desired=4, running=4)


def plan(
    beyond: float, seen: Capacity = SEEN, *, after: Cooldowns | None = None, now: datetime = NOW, **more: Any
) -> Decision:
    given = {"adjustment_type": "ChangeInCapacity", "steps": STEPS, "cooldown": timedelta(minutes=1), **more}
    return plan_step(seen, Stepping("steps", "high", beyond, **given), after or Cooldowns(), now=now)


@pytest.mark.parametrize(("beyond", "capacity"), [(0, 5), (9.9, 5), (10, 7), (500, 7), (-1, None)])
def test_the_step_that_the_metric_falls_into_is_taken(beyond: float, capacity: int | None) -> None:
    assert plan(beyond).capacity == capacity


@pytest.mark.parametrize(
    ("kind", "adjustment", "magnitude", "capacity"),
    [
        ("ExactCapacity", 6, 0, 6),
        ("PercentChangeInCapacity", 50, 0, 6),
        ("PercentChangeInCapacity", 10, 0, 5),
        ("PercentChangeInCapacity", 10, 2, 6),
        ("PercentChangeInCapacity", -30, 0, 3),
        ("ChangeInCapacity", 99, 0, 8),
        ("ChangeInCapacity", -99, 0, 2),
    ],
)
def test_an_adjustment_is_reckoned(kind: str, adjustment: int, magnitude: int, capacity: int) -> None:
    steps = (Step(0, None, adjustment),)
    assert plan(1, adjustment_type=kind, steps=steps, minimum_magnitude=magnitude).capacity == capacity


def test_below_the_threshold_the_upper_bound_belongs_to_the_step() -> None:
    steps = (Step(-10, 0, -1), Step(None, -10, -2))
    assert [plan(beyond, steps=steps).capacity for beyond in (0, -9.9, -10, -99)] == [3, 3, 2, 2]


def test_what_was_added_counts_during_the_cooldown() -> None:
    first = plan(5)
    grown = Capacity(minimum=2, maximum=8, desired=5, running=4)
    again = plan(5, grown, after=first.cooldowns, now=NOW + timedelta(seconds=30))
    assert (again.capacity, again.refusals[0].code) == (None, "AlreadyAtDesiredCapacity")
    assert plan(20, grown, after=first.cooldowns, now=NOW + timedelta(seconds=30)).capacity == 7
    later = NOW + timedelta(seconds=60)
    assert plan(5, grown, after=first.cooldowns, now=later).capacity is None, "the fifth does not run yet"
    assert plan(5, replace(grown, running=5), after=first.cooldowns, now=later).capacity == 6


def test_tasks_that_do_not_come_up_are_not_asked_for_again_and_again() -> None:
    seen, after = Capacity(minimum=2, maximum=20, desired=2, running=2), Cooldowns()
    for minute in range(10):
        found = plan(5, seen, after=after, now=NOW + timedelta(minutes=minute), steps=(Step(0, None, 2),))
        seen, after = replace(seen, desired=found.capacity or seen.desired), found.cooldowns
    assert seen.desired == 4


@pytest.mark.parametrize(
    ("desired", "adjustment", "capacity", "code"),
    [
        (0, -1, None, "AlreadyAtMinCapacity"),
        (0, 1, 2, ""),
        (9, 1, None, "AlreadyAtMaxCapacity"),
        (9, -1, 8, ""),
        (4, 0, None, "AlreadyAtDesiredCapacity"),
    ],
)
def test_a_count_outside_the_bounds_moves_only_the_way_of_the_step(
    desired: int, adjustment: int, capacity: int | None, code: str
) -> None:
    seen = replace(SEEN, desired=desired, running=desired)
    found = plan(1, seen, steps=(Step(0, None, adjustment),))
    assert (found.capacity, "".join(one.code for one in found.refusals)) == (capacity, code)


def test_scaling_in_is_held_back_by_its_cooldown_a_deployment_and_a_suspension() -> None:
    steps = (Step(None, 0, -1),)
    first = plan(-1, steps=steps)
    assert first.capacity == 3
    assert plan(-1, steps=steps, after=first.cooldowns).refusals[0].code == "ScaleInCooldown"
    deploying = Capacity(minimum=2, maximum=8, desired=4, running=4, deploying=True)
    assert plan(-1, deploying, steps=steps).refusals[0].code == "DeploymentInProgress"
    suspended = Capacity(
        minimum=2, maximum=8, desired=4, running=4, suspended=Suspended(dynamic_in=True, dynamic_out=True)
    )
    assert plan(-1, suspended, steps=steps).refusals[0].code == "DynamicScalingInSuspended"
    assert plan(1, suspended).refusals[0].code == "DynamicScalingOutSuspended"


@given(
    st.floats(-1e6, 1e6),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(-50, 50),
    st.sampled_from(["ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity"]),
)
def test_bounds_are_never_crossed_and_the_count_never_moves_the_other_way(
    beyond: float, desired: int, running: int, adjustment: int, kind: str
) -> None:
    seen = Capacity(minimum=2, maximum=8, desired=desired, running=running)
    found = plan(beyond, seen, adjustment_type=kind, steps=(Step(None, 0, adjustment), Step(0, None, adjustment)))
    assert found.capacity is None or 2 <= found.capacity <= 8
    if kind != "ExactCapacity" and found.capacity is not None:
        assert (found.capacity > desired) == (adjustment > 0)
