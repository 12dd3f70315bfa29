"""A target's health from the checks of its target group.

Source: docs.aws.amazon.com, "Health checks for Application Load Balancer target groups". AWS publishes neither when a
new target is probed nor how several load-balancer nodes count: where this says "ours", the rule is our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from miyabi.model.load_balancing import HealthCheck, TargetHealth, TargetState

INITIAL_PROBE = timedelta(seconds=1)
"""Ours: an initial target is probed this often (or at its interval, if that is shorter).

On AWS every node of the load balancer probes by itself, so the first pass comes sooner than one interval after the
target listens; one prober at the group's interval would be slower than AWS.
"""

REGISTERED = TargetHealth(TargetState.INITIAL, "Elb.RegistrationInProgress", "Target registration is in progress")
UNUSED = TargetHealth(
    TargetState.UNUSED,
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)
DRAINING = TargetHealth(TargetState.DRAINING, "Target.DeregistrationInProgress", "Target deregistration is in progress")
HEALTHY = TargetHealth(TargetState.HEALTHY)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one health check saw."""

    passed: bool
    reason: str | None = None
    description: str | None = None


PASSED = CheckResult(passed=True)
TIMED_OUT = CheckResult(passed=False, reason="Target.Timeout", description="Request timed out")
FAILED = CheckResult(passed=False, reason="Target.FailedHealthChecks", description="Health checks failed")


def judge_status(status: int, matcher: str) -> CheckResult:
    """Return the result of a check that was answered with an HTTP status."""
    if matches(status, matcher):
        return PASSED
    return CheckResult(
        passed=False,
        reason="Target.ResponseCodeMismatch",
        description=f"Health checks failed with these codes: [{status}]",
    )


def matches(status: int, matcher: str) -> bool:
    """Say whether the status passes: `200`, `200,302` or `200-299`. ValueError where the matcher is malformed."""
    return any(low <= status <= high for low, high in _ranges(matcher))


def _ranges(matcher: str) -> list[tuple[int, int]]:
    ranges = []
    for part in matcher.split(","):
        low, dash, high = part.strip().partition("-")
        ranges.append((int(low), int(high) if dash else int(low)))
    return ranges


def next_health(health: TargetHealth, result: CheckResult, check: HealthCheck, *, now: datetime) -> TargetHealth:
    """Return the target's health after one more check.

    initial: one pass makes it healthy; failures count at most once an interval (ours: it is probed more often) and
    make it unhealthy at the threshold. Later only consecutive results count. Draining and unused targets keep theirs.
    """
    match health.state:
        case TargetState.INITIAL:
            return HEALTHY if result.passed else _initial_failure(health, result, check, now)
        case TargetState.HEALTHY:
            return HEALTHY if result.passed else _failure(health, result, check)
        case TargetState.UNHEALTHY:
            return _unhealthy(health, result, check)
        case _:
            return health


def _initial_failure(health: TargetHealth, result: CheckResult, check: HealthCheck, now: datetime) -> TargetHealth:
    checking = replace(health, reason="Elb.InitialHealthChecking", description="Initial health checks in progress")
    if health.counted_at is not None and now - health.counted_at < check.interval:
        return checking
    return replace(_failure(checking, result, check), counted_at=now)


def _failure(health: TargetHealth, result: CheckResult, check: HealthCheck) -> TargetHealth:
    streak = health.streak + 1
    if streak >= check.unhealthy_threshold:
        return TargetHealth(TargetState.UNHEALTHY, result.reason, result.description)
    return replace(health, streak=streak)


def _unhealthy(health: TargetHealth, result: CheckResult, check: HealthCheck) -> TargetHealth:
    if not result.passed:
        return TargetHealth(TargetState.UNHEALTHY, result.reason, result.description)
    streak = health.streak + 1
    return HEALTHY if streak >= check.healthy_threshold else replace(health, streak=streak)


def next_check_after(health: TargetHealth, check: HealthCheck) -> timedelta | None:
    """Return how long after the last check's start the next one starts; None where the target is not checked."""
    match health.state:
        case TargetState.INITIAL:
            return min(INITIAL_PROBE, check.interval)
        case TargetState.HEALTHY | TargetState.UNHEALTHY:
            return check.interval
        case _:
            return None


def routable(targets: Mapping[str, TargetState], *, minimum_healthy: int = 1) -> frozenset[str]:
    """Return the targets that get requests: the healthy ones, and with fewer than the minimum the unhealthy too.

    That is AWS's fail-open. Ours: targets that are still initial never get requests, so a program that has not yet
    opened its port costs no 502; with only initial targets the load balancer answers 503.
    """
    healthy = {key for key, state in targets.items() if state is TargetState.HEALTHY}
    if len(healthy) >= minimum_healthy:
        return frozenset(healthy)
    return frozenset(healthy | {key for key, state in targets.items() if state is TargetState.UNHEALTHY})
