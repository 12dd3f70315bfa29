"""A target is judged as AWS judges it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.model.load_balancing import HealthCheck, TargetHealth, TargetState
from miyabi.policy.target_health import (
    DRAINING,
    FAILED,
    HEALTHY,
    PASSED,
    REGISTERED,
    TIMED_OUT,
    UNUSED,
    CheckResult,
    judge_status,
    matches,
    next_check_after,
    next_health,
    routable,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
CHECK = HealthCheck(
    interval=timedelta(seconds=5), timeout=timedelta(seconds=2), healthy_threshold=3, unhealthy_threshold=2
)
RESULTS = st.lists(st.sampled_from([PASSED, FAILED, TIMED_OUT]), max_size=30)
STATES = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.sampled_from(TargetState), max_size=8)


def after(health: TargetHealth, *results: CheckResult, every: timedelta = CHECK.interval) -> TargetHealth:
    for turn, result in enumerate(results):
        health = next_health(health, result, CHECK, now=START + turn * every)
    return health


def test_an_initial_target_is_healthy_after_one_pass() -> None:
    assert after(REGISTERED, PASSED) == HEALTHY
    assert after(REGISTERED, FAILED, PASSED) == HEALTHY


def test_an_initial_target_is_unhealthy_after_the_threshold_of_failures_an_interval_apart() -> None:
    assert after(REGISTERED, FAILED).reason == "Elb.InitialHealthChecking"
    unhealthy = after(REGISTERED, FAILED, TIMED_OUT)
    assert (unhealthy.state, unhealthy.reason) == (TargetState.UNHEALTHY, "Target.Timeout")


def test_the_extra_probes_of_an_initial_target_do_not_count_as_failures() -> None:
    second = timedelta(seconds=1)
    assert after(REGISTERED, *[FAILED] * 5, every=second).state is TargetState.INITIAL
    assert after(REGISTERED, *[FAILED] * 6, every=second).state is TargetState.UNHEALTHY


def test_a_healthy_target_needs_consecutive_failures_and_an_unhealthy_one_consecutive_passes() -> None:
    assert after(HEALTHY, FAILED, PASSED, FAILED).state is TargetState.HEALTHY
    unhealthy = after(HEALTHY, FAILED, FAILED)
    assert unhealthy.state is TargetState.UNHEALTHY
    assert after(unhealthy, PASSED, PASSED, FAILED, PASSED, PASSED).state is TargetState.UNHEALTHY
    assert after(unhealthy, PASSED, PASSED, PASSED) == HEALTHY


def test_the_reason_names_the_status_that_was_answered() -> None:
    health = after(HEALTHY, *[judge_status(404, "200-299")] * 2)
    assert health.reason == "Target.ResponseCodeMismatch"
    assert health.description == "Health checks failed with these codes: [404]"


@pytest.mark.parametrize(
    ("matcher", "status", "passes"),
    [
        ("200", 200, True),
        ("200", 201, False),
        ("200-299", 299, True),
        ("200-299", 300, False),
        ("200,302", 302, True),
        ("200, 301-303", 302, True),
    ],
)
def test_a_matcher_takes_codes_lists_and_ranges(matcher: str, status: int, *, passes: bool) -> None:
    assert matches(status, matcher) is passes


@given(RESULTS, st.sampled_from([DRAINING, UNUSED]))
def test_draining_and_unused_targets_are_never_judged(results: list[CheckResult], health: TargetHealth) -> None:
    assert after(health, *results) == health
    assert next_check_after(health, CHECK) is None


@given(RESULTS)
def test_one_result_never_flips_a_judged_target_and_the_streak_stays_below_the_threshold(
    results: list[CheckResult],
) -> None:
    health = HEALTHY
    passes = failures = 0
    for result in results:
        before, health = health, after(health, result)
        passes, failures = (passes + 1, 0) if result.passed else (0, failures + 1)
        assert health.streak < max(CHECK.healthy_threshold, CHECK.unhealthy_threshold)
        if before.state is not health.state:
            assert health.streak == 0
            needed = passes >= CHECK.healthy_threshold, failures >= CHECK.unhealthy_threshold
            assert needed[0] if health.state is TargetState.HEALTHY else needed[1]


@given(STATES, st.integers(1, 4))
def test_requests_go_to_judged_targets_only_and_to_healthy_ones_alone_where_they_are_enough(
    targets: dict[str, TargetState], minimum: int
) -> None:
    chosen = routable(targets, minimum_healthy=minimum)
    healthy = {key for key, state in targets.items() if state is TargetState.HEALTHY}
    unhealthy = {key for key, state in targets.items() if state is TargetState.UNHEALTHY}
    assert chosen == (healthy if len(healthy) >= minimum else healthy | unhealthy)


def test_an_initial_target_is_checked_every_second_and_a_judged_one_at_its_interval() -> None:
    assert next_check_after(REGISTERED, CHECK) == timedelta(seconds=1)
    assert next_check_after(HEALTHY, CHECK) == CHECK.interval
