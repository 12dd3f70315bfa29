"""How many tasks target tracking asks for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.model.metrics import AlarmRule, AlarmState, Comparison
from miyabi.model.scaling import Suspended
from miyabi.policy.alarm_state import evaluation_range, next_state
from miyabi.policy.target_tracking import Capacity, Cooldowns, Decision, ScaledOut, Tracking, plan_capacity

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TWO = Capacity(minimum=2, maximum=4, desired=2, running=2)
FOUR = Capacity(minimum=2, maximum=4, desired=4, running=4)


def tracking(name: str, target: float, metric: float | None, **more: Any) -> Tracking:
    """Return a policy with the runbook's cooldowns whose alarms have seen the metric for long enough."""
    known = metric is not None
    high = AlarmState.ALARM if known and metric > target else AlarmState.OK
    low = AlarmState.ALARM if known and metric < 0.9 * target else AlarmState.OK
    if not known:
        high = low = AlarmState.INSUFFICIENT_DATA
    settings = {"scale_out_cooldown": MINUTE, "scale_in_cooldown": 5 * MINUTE, "high": high, "low": low, **more}
    return Tracking(name, target, metric, high_alarm=f"{name}-high", low_alarm=f"{name}-low", **settings)


def plan(seen: Capacity, *policies: Tracking, after: Cooldowns | None = None, now: datetime = NOW) -> Decision:
    return plan_capacity(seen, policies, after or Cooldowns(), now=now)


def codes(decision: Decision) -> list[str]:
    return [one.code for one in decision.refusals]


def test_100_requests_a_second_on_two_tasks_want_six_and_get_the_maximum() -> None:
    found = plan(TWO, tracking("requests", 1000, 3000))
    assert found.capacity == 4
    assert "monitor alarm requests-high in state ALARM triggered policy requests" in found.cause
    assert "2 running x 3000 / 1000 = 6, within 2 to 4: 4" in found.cause
    still = plan(FOUR, tracking("requests", 1000, 1500), after=found.cooldowns, now=NOW + 2 * MINUTE)
    assert (still.capacity, codes(still)) == (None, ["AlreadyAtMaxCapacity"])


def test_two_tasks_at_full_cpu_become_three() -> None:
    assert plan(TWO, tracking("cpu", 70, 100)).capacity == 3


@pytest.mark.parametrize("running", [1, 3, 7, 11])
def test_a_float_s_error_never_adds_a_task(running: int) -> None:
    seen = Capacity(minimum=1, maximum=100, desired=1, running=running)
    wanted = list(range(running + 1, 51))
    assert [plan(seen, tracking("cpu", 70, 70 * one / running)).capacity for one in wanted] == wanted


def test_tasks_that_are_still_starting_are_not_asked_for_again() -> None:
    found = plan(replace(TWO, desired=3), tracking("cpu", 70, 100))
    assert (found.capacity, codes(found)) == (None, ["AlreadyAtDesiredCapacity"])


@pytest.mark.parametrize(("memory", "capacity"), [(75, None), (72, None), (71.9, None), (50, 3)])
def test_memory_scales_in_only_where_fewer_tasks_would_still_meet_the_target(
    memory: float, capacity: int | None
) -> None:
    assert plan(FOUR, tracking("memory", 80, memory)).capacity == capacity


def test_scaling_out_needs_one_policy_and_takes_the_largest() -> None:
    seen = replace(TWO, maximum=20)
    found = plan(seen, tracking("cpu", 70, 100), tracking("requests", 1000, 3000), tracking("memory", 80, 10))
    assert (found.capacity, found.policy) == (6, "requests")


def test_scaling_in_needs_all_policies_and_takes_the_largest() -> None:
    low = tracking("cpu", 70, 10)
    assert plan(FOUR, low, tracking("memory", 80, 50)).capacity == 3
    assert codes(plan(FOUR, low, tracking("memory", 80, 75))) == ["OtherPolicyAgainst"]
    assert plan(FOUR, low, tracking("memory", 80, 75, disable_scale_in=True)).capacity == 2


def test_a_policy_that_may_not_scale_in_never_does() -> None:
    found = plan(FOUR, tracking("cpu", 70, 10, disable_scale_in=True))
    assert (found.capacity, found.refusals) == (None, ())


def test_one_policy_out_keeps_all_from_scaling_in_also_where_it_cannot_go_further() -> None:
    found = plan(FOUR, tracking("cpu", 70, 10), tracking("requests", 1000, 5000))
    assert (found.capacity, codes(found)) == (None, ["AlreadyAtMaxCapacity"])


def test_an_unknown_metric_asks_for_nothing_and_keeps_the_others_from_scaling_in() -> None:
    assert plan(TWO, tracking("cpu", 70, None, high=AlarmState.ALARM)).capacity is None
    found = plan(FOUR, tracking("cpu", 70, 10), tracking("requests", 1000, None, low=AlarmState.ALARM))
    assert (found.capacity, codes(found)) == (None, ["OtherPolicyAgainst"])


def test_without_a_running_task_there_is_nothing_to_reckon_from() -> None:
    assert plan(replace(TWO, running=0), tracking("cpu", 70, 100)).capacity is None


def test_from_nothing_it_scales_out_to_the_least_that_is_possible() -> None:
    nothing = Capacity(minimum=0, maximum=4, desired=0, running=0)
    found = plan(nothing, tracking("queue", 100, 500))
    assert (found.capacity, found.policy) == (1, "queue")
    assert "(nothing runs, 1 to start with)" in found.cause
    assert plan(replace(nothing, minimum=2), tracking("queue", 100, 500)).capacity == 2
    assert plan(nothing, tracking("queue", 100, 50)).capacity is None
    again = plan(replace(nothing, desired=1), tracking("queue", 100, 500), after=found.cooldowns, now=NOW + MINUTE)
    assert again.capacity is None, "it is still starting"
    suspended = replace(nothing, suspended=Suspended(dynamic_out=True))
    assert codes(plan(suspended, tracking("queue", 100, 500))) == ["DynamicScalingOutSuspended"]
    assert codes(plan(replace(nothing, maximum=0), tracking("queue", 100, 500))) == ["AlreadyAtMaxCapacity"]


def test_a_deployment_stops_scaling_in_but_not_out() -> None:
    found = plan(replace(FOUR, deploying=True), tracking("cpu", 70, 10))
    assert (found.capacity, codes(found)) == (None, ["DeploymentInProgress"])
    assert plan(replace(TWO, deploying=True), tracking("cpu", 70, 100)).capacity == 3


@pytest.mark.parametrize(
    ("suspended", "out", "into"),
    [
        (Suspended(dynamic_out=True), "DynamicScalingOutSuspended", 2),
        (Suspended(dynamic_in=True), 3, "DynamicScalingInSuspended"),
        (Suspended(scheduled=True), 3, 2),
    ],
)
def test_suspended_states_are_honoured(suspended: Suspended, out: int | str, into: int | str) -> None:
    for seen, metric, expected in ((TWO, 100, out), (FOUR, 10, into)):
        found = plan(replace(seen, suspended=suspended), tracking("cpu", 70, metric))
        assert (found.capacity or codes(found)[0]) == expected


def test_at_the_minimum_scaling_in_is_refused_with_its_code() -> None:
    assert codes(plan(TWO, tracking("cpu", 70, 10))) == ["AlreadyAtMinCapacity"]


def test_the_scale_out_cooldown_holds_the_same_breach_and_lets_a_larger_one_through() -> None:
    seen = Capacity(minimum=2, maximum=20, desired=3, running=3)
    after = Cooldowns(out={"cpu": ScaledOut(NOW, previous=2)})
    within, ended = NOW + MINUTE / 2, NOW + MINUTE
    held = plan(seen, tracking("cpu", 70, 100), after=after, now=within)
    assert (held.capacity, codes(held)) == (None, ["ScaleOutCooldown"])
    assert plan(seen, tracking("cpu", 70, 200), after=after, now=within).capacity == 9
    assert plan(seen, tracking("cpu", 70, 100), after=after, now=ended).capacity == 5


def test_the_scale_in_cooldown_holds_scaling_in_and_any_scale_out_ends_it() -> None:
    seen = Capacity(minimum=1, maximum=20, desired=8, running=8)
    first = plan(seen, tracking("cpu", 70, 35))
    assert first.capacity == 4
    fewer, soon = replace(seen, desired=4, running=4), NOW + MINUTE
    held = plan(fewer, tracking("cpu", 70, 10), after=first.cooldowns, now=soon)
    assert (held.capacity, codes(held)) == (None, ["ScaleInCooldown"])
    assert plan(fewer, tracking("cpu", 70, 10), after=first.cooldowns, now=NOW + 5 * MINUTE).capacity == 1
    out = plan(fewer, tracking("cpu", 70, 140), after=first.cooldowns, now=soon)
    assert (out.capacity, out.cooldowns.into) == (8, {})
    again = plan(seen, tracking("cpu", 70, 10), after=out.cooldowns, now=soon + MINUTE)
    assert again.capacity == 2


metrics = st.none() | st.floats(0, 400, allow_nan=False)
policies = st.builds(
    tracking,
    st.sampled_from(["cpu", "memory", "requests"]),
    st.sampled_from([50.0, 70.0, 80.0]),
    metrics,
    disable_scale_in=st.booleans(),
    scale_out_cooldown=st.sampled_from([timedelta(), MINUTE]),
    scale_in_cooldown=st.sampled_from([timedelta(), 5 * MINUTE]),
)
several = st.lists(policies, max_size=3, unique_by=lambda one: one.name)
bounds = st.tuples(st.integers(0, 10), st.integers(0, 10)).map(sorted)


@st.composite
def capacities(draw: st.DrawFn) -> Capacity:
    low, high = draw(bounds)
    suspended = Suspended(draw(st.booleans()), draw(st.booleans()))
    return Capacity(
        low, high, draw(st.integers(0, 20)), draw(st.integers(0, 20)), draw(st.booleans()), suspended=suspended
    )


@given(seen=capacities(), asked=several)
def test_bounds_are_never_crossed_and_each_change_has_a_cause(seen: Capacity, asked: list[Tracking]) -> None:
    found = plan(seen, *asked)
    if found.capacity is not None:
        assert seen.minimum <= found.capacity <= seen.maximum
        assert found.capacity != seen.desired
        assert found.cause
        assert found.policy in {one.name for one in asked}


@given(seen=capacities(), asked=several)
def test_planning_twice_plans_nothing(seen: Capacity, asked: list[Tracking]) -> None:
    found = plan(seen, *asked)
    if found.capacity is not None:
        again = plan(replace(seen, desired=found.capacity), *asked, after=found.cooldowns)
        assert again.capacity is None


@given(seen=capacities(), asked=several)
def test_missing_data_never_scales(seen: Capacity, asked: list[Tracking]) -> None:
    blind = [replace(one, metric=None) for one in asked]
    assert plan(seen, *blind).capacity is None


@given(seen=capacities(), asked=several)
def test_there_is_no_scaling_in_while_suspended_or_deploying(seen: Capacity, asked: list[Tracking]) -> None:
    for still in (replace(seen, deploying=True), replace(seen, suspended=Suspended(dynamic_in=True))):
        found = plan(still, *asked)
        assert found.capacity is None or found.capacity > still.desired


def _simulate(load: float, first: int, *, delay: int, cap: float | None) -> list[int]:
    """Return the desired counts, minute by minute, under a load that is shared evenly by the running tasks.

    load: percent of one task. delay: minutes until a change of the desired count is seen in the running one.
    """
    high, low = AlarmRule(Comparison.GREATER, 70, 3, 3), AlarmRule(Comparison.LESS, 63, 15, 15)
    states, past = [AlarmState.INSUFFICIENT_DATA] * 2, [None] * evaluation_range(low)
    desired, cooldowns = [first], Cooldowns()
    seen: list[float | None] = list(past)
    for minute in range(120):
        running = desired[max(0, len(desired) - 1 - delay)]
        metric = load / running if cap is None else min(load / running, cap)
        seen.append(metric)
        states = [
            next_state(one, seen[-evaluation_range(one) :], current=state).state
            for one, state in zip((high, low), states, strict=True)
        ]
        policy = tracking("cpu", 70, metric, high=states[0], low=states[1])
        capacity = Capacity(minimum=1, maximum=50, desired=desired[-1], running=running)
        found = plan(capacity, policy, after=cooldowns, now=NOW + minute * MINUTE)
        cooldowns = found.cooldowns
        desired.append(desired[-1] if found.capacity is None else found.capacity)
    return desired


@given(
    load=st.floats(0, 3000, allow_nan=False),
    first=st.integers(1, 40),
    delay=st.integers(0, 4),
    cap=st.sampled_from([None, 100.0]),
)
def test_a_constant_load_never_makes_the_count_oscillate(
    load: float, first: int, delay: int, cap: float | None
) -> None:
    desired = _simulate(load, first, delay=delay, cap=cap)
    assert desired in (sorted(desired), sorted(desired, reverse=True))
    assert desired[-30:] == [desired[-1]] * 30, "it settles"
    assert load / desired[-1] <= 70 + 1e-6, "and meets the target"
