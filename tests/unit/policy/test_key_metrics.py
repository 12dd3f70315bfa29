"""Metrics against their targets, their plots, and settings in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.policy.alarm_words import concerns, condition
from miyabi.policy.key_metrics import Verdict, key_metrics, plot, read
from miyabi.policy.scaling_words import Kept, Watch, contradictions

METRICS = {one.label: one for one in key_metrics(2)}


@pytest.mark.parametrize(
    ("label", "points", "verdict", "worst"),
    [
        ("CPU utilization", [90.0, None, 50.0], Verdict.OK, 90.0),
        ("CPU utilization", [50.0, 70.0], Verdict.OFF, 70.0),
        ("Running tasks", [2.0, 1.0], Verdict.OFF, 1.0),
        ("Running tasks", [1.0, 2.0], Verdict.OK, 1.0),
        ("Cache hit ratio", [70.0, 95.0], Verdict.OK, 70.0),
        ("5xx errors", [0.0, 0.0], Verdict.OK, 0.0),
        ("Database connections", [7.0], Verdict.NO_TARGET, 7.0),
        ("CPU utilization", [None, None], Verdict.NO_DATA, None),
    ],
)
def test_the_newest_value_is_judged(
    label: str, points: list[float | None], verdict: Verdict, worst: float | None
) -> None:
    found = read(METRICS[label], points, period_seconds=60, requests=True)
    assert (found.verdict, found.worst) == (verdict, worst)


@pytest.mark.parametrize(
    ("silent", "period", "verdict"),
    [(5, 60, Verdict.OK), (6, 60, Verdict.NO_DATA), (3, 300, Verdict.OK), (4, 300, Verdict.NO_DATA)],
)
def test_what_was_long_ago_is_no_verdict_on_now(silent: int, period: int, verdict: Verdict) -> None:
    points = [90.0, 45.0, *[None] * silent]
    found = read(METRICS["CPU utilization"], points, period_seconds=period, requests=True)
    assert (found.verdict, found.worst) == (verdict, 90.0)
    assert (found.newest is None) == (found.reason == f"nothing for {silent * period // 60} min")


@pytest.mark.parametrize(
    ("points", "width", "expected"),
    [
        ([0.0, 4.0, 8.0], 10, "_=#"),
        ([8.0, None, 8.0], 10, "# #"),
        ([0.0, 0.0], 10, "__"),
        ([1.0, 8.0, 2.0, 4.0], 2, "#="),
        ([None, None], 10, ""),
    ],
)
def test_a_plot_shows_the_highest_of_each_column(points: list[float | None], width: int, expected: str) -> None:
    assert plot(points, width, unicode=False) == expected


@given(st.lists(st.none() | st.floats(0, 1e9), max_size=300), st.integers(1, 80))
def test_a_plot_is_never_wider_than_it_may(points: list[float | None], width: int) -> None:
    assert len(plot(points, width, unicode=True)) <= width


def test_conditions_are_told_in_words() -> None:
    alarm = {"MetricName": "CPU", "Statistic": "Average", "Threshold": 70.0, "Period": 300, "EvaluationPeriods": 3}
    alarm |= {"DatapointsToAlarm": 2, "ComparisonOperator": "GreaterThanOrEqualToThreshold", "AlarmName": "a"}
    assert condition(alarm) == "CPU Average >= 70 for 2 of 3 x 5 min"
    metric = {"Metric": {"Dimensions": [{"Name": "LoadBalancer", "Value": "app/lb/1"}]}, "Period": 20}
    queries = [{"Id": "e", "Expression": "a + b"}, {"Id": "a", "MetricStat": metric, "ReturnData": False}]
    maths = {"Metrics": queries, "EvaluationPeriods": 1, "ComparisonOperator": "LessThanThreshold", "Threshold": 0.5}
    assert condition(maths) == "a + b < 0.5 for 1 of 1 x 20 s"
    assert condition({"AlarmRule": "ALARM(a)"}) == "ALARM(a)"
    names = frozenset({"lb"})
    assert concerns(maths | {"AlarmName": "x"}, project="p", environment="e", names=names)
    assert concerns({"AlarmName": "p-x-e"}, project="p", environment="e", names=names)
    assert not concerns(alarm, project="p", environment="e", names=names)


def test_settings_that_do_not_fit_are_named() -> None:
    kept = [
        Kept("cpu", "ECSServiceAverageCPUUtilization", "CPUUtilization", 70.0),
        Kept("requests", "ALBRequestCountPerTarget", "RequestCountPerTarget", 1000.0),
    ]
    alarms = [Watch("cpu-high", "CPUUtilization", 70.0, 600), Watch("cpu-very-high", "CPUUtilization", 90.0, 600)]
    one, other = contradictions(kept, alarms, minimum=2, maximum=4)
    assert one.startswith("cpu-high goes off above 70 after 10 minutes, and cpu lets CPUUtilization come up to 70")
    assert other == (
        "requests: 1000 requests a target and minute are 16.7 a second, so 4 tasks are enough for 67 requests a "
        "second; 100 a second ask for 6"
    )
    assert contradictions([], alarms, minimum=2, maximum=2) == ()
    assert "both 2" in contradictions(kept[:1], [], minimum=2, maximum=2)[0]
