"""Alarms in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SIGNS = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": ">=",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "<=",
}


def condition(alarm: Mapping[str, Any]) -> str:
    """Return when an alarm goes off: `CPUUtilization Average > 70 for 2 of 2 x 5 min`.

    alarm: as DescribeAlarms shows it.
    """
    if "AlarmRule" in alarm:
        return str(alarm["AlarmRule"])
    periods = alarm["EvaluationPeriods"]
    needed = alarm.get("DatapointsToAlarm") or periods
    sign = _SIGNS.get(alarm["ComparisonOperator"], alarm["ComparisonOperator"])
    return (
        f"{_watched(alarm)} {sign} {alarm.get('Threshold', 0):g} for {needed} of {periods} x {_length(_period(alarm))}"
    )


def _watched(alarm: Mapping[str, Any]) -> str:
    if alarm.get("MetricName"):
        return f"{alarm['MetricName']} {alarm.get('ExtendedStatistic') or alarm.get('Statistic')}"
    shown: Mapping[str, Any] = next((one for one in alarm.get("Metrics", ()) if one.get("ReturnData", True)), {})
    return str(shown.get("Label") or shown.get("Expression") or "expression")


def _period(alarm: Mapping[str, Any]) -> int:
    if alarm.get("Period"):
        return int(alarm["Period"])
    return min((one["MetricStat"]["Period"] for one in alarm.get("Metrics", ()) if "MetricStat" in one), default=60)


def _length(seconds: int) -> str:
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"


def concerns(alarm: Mapping[str, Any], *, project: str, environment: str, names: frozenset[str]) -> bool:
    """Say whether an alarm is one of an environment: by its name, or by what it watches.

    names: of the environment's service, load balancer, database and cache.
    """
    name = str(alarm["AlarmName"])
    if name.startswith(f"{project}-") and name.endswith(f"-{environment}"):
        return True
    metrics = [alarm, *(one["MetricStat"]["Metric"] for one in alarm.get("Metrics", ()) if "MetricStat" in one)]
    values = {part for one in metrics for each in one.get("Dimensions", ()) for part in each["Value"].split("/")}
    return bool(values & names)
