"""The runbook's key metrics: what is measured against which target, and the verdict on what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Verdict(StrEnum):
    """How a metric stands to its target."""

    OK = "ok"
    OFF = "off target"
    NO_DATA = "no data"
    NO_TARGET = ""


@dataclass(frozen=True, slots=True)
class Target:
    """What a value should be: below or above a number, or at least or at most it."""

    sign: str
    """`<`, `>`, `>=` or `<=`"""
    value: float

    def holds(self, value: float) -> bool:
        """Say whether a value is as it should be."""
        match self.sign:
            case "<":
                return value < self.value
            case ">":
                return value > self.value
            case ">=":
                return value >= self.value
        return value <= self.value


@dataclass(frozen=True, slots=True)
class KeyMetric:
    """A metric to look at. `names` are added up; what is absent of them counts as nothing where another is there."""

    label: str
    namespace: str
    names: tuple[str, ...]
    of: str
    """Whose: `service`, `balancer`, `database` or `cache`."""
    statistic: str
    unit: str
    target: Target | None = None
    rare: bool = False
    """It has no datapoint where nothing happened: then it is 0 where there were requests."""
    a_minute: bool = False
    """A sum that is told as that of a minute, however long the period."""


_SILENT_PERIODS, _SILENT_SECONDS = 3, 300
"""AWS publishes a datapoint up to some minutes late."""
_ALB, _ECS, _CACHE = "AWS/ApplicationELB", "AWS/ECS", "AWS/ElastiCache"


def key_metrics(minimum_tasks: int | None) -> tuple[KeyMetric, ...]:
    """Return the metrics in the order in which they are looked at. minimum_tasks: None: nobody says how many."""
    tasks = None if minimum_tasks is None else Target(">=", minimum_tasks)
    times = (("p50", 0.05), ("p95", 0.1), ("p99", 0.2))
    return (
        KeyMetric("CPU utilization", _ECS, ("CPUUtilization",), "service", "Average", "%", Target("<", 70)),
        KeyMetric("Memory utilization", _ECS, ("MemoryUtilization",), "service", "Average", "%", Target("<", 80)),
        KeyMetric("Running tasks", "ECS/ContainerInsights", ("RunningTaskCount",), "service", "Minimum", "", tasks),
        KeyMetric("Requests a minute", _ALB, ("RequestCount",), "balancer", "Sum", "", a_minute=True),
        KeyMetric("Response time", _ALB, ("TargetResponseTime",), "balancer", "Average", "s", Target("<", 0.15)),
        *(
            KeyMetric(f"Response time {name}", _ALB, ("TargetResponseTime",), "balancer", name, "s", Target("<", most))
            for name, most in times
        ),
        KeyMetric(
            "5xx errors",
            _ALB,
            ("HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count"),
            "balancer",
            "Sum",
            "",
            Target("<=", 0),
            rare=True,
        ),
        KeyMetric("Database connections", "AWS/RDS", ("DatabaseConnections",), "database", "Maximum", ""),
        KeyMetric("Database CPU", "AWS/RDS", ("CPUUtilization",), "database", "Average", "%"),
        KeyMetric("Cache hit ratio", _CACHE, ("CacheHitRate",), "cache", "Average", "%", Target(">", 80)),
        KeyMetric("Cache memory", _CACHE, ("DatabaseMemoryUsagePercentage",), "cache", "Average", "%", Target("<", 80)),
        KeyMetric("Cache evictions", _CACHE, ("Evictions",), "cache", "Sum", ""),
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """What a metric was like over a window."""

    verdict: Verdict
    newest: float | None
    typical: float | None
    """The median."""
    worst: float | None
    """The farthest from the target, or without one the highest."""
    reason: str = ""
    """Why there is no data."""


def read(metric: KeyMetric, points: Sequence[float | None], *, period_seconds: int, requests: bool) -> Reading:
    """Judge a window's datapoints, oldest first; None = missing. requests: whether the balancer had any.

    What has had no datapoint for some time has no verdict: nobody knows how it stands now.
    """
    known = [value for value in points if value is not None]
    if not known:
        return Reading(Verdict.NO_DATA, None, None, None, _why(metric, requests=requests))
    higher_is_worse = metric.target is None or metric.target.sign.startswith("<")
    worst = max(known) if higher_is_worse else min(known)
    median = statistics.median(known)
    silent = period_seconds * next(at for at, value in enumerate(reversed(points)) if value is not None)
    if silent > max(_SILENT_PERIODS * period_seconds, _SILENT_SECONDS):
        return Reading(Verdict.NO_DATA, None, median, worst, f"nothing for {silent // 60} min")
    newest = known[-1]
    verdict = Verdict.NO_TARGET
    if metric.target is not None:
        verdict = Verdict.OK if metric.target.holds(newest) else Verdict.OFF
    return Reading(verdict, newest, median, worst)


def _why(metric: KeyMetric, *, requests: bool) -> str:
    if metric.of == "balancer" and not requests:
        return "no requests in this time"
    if metric.names == ("CacheHitRate",):
        return "nobody read from it"
    return "nothing was published: it does not run, or has just begun"


_LEVELS: Final[Mapping[bool, str]] = {True: "▁▂▃▄▅▆▇█", False: "_.:-=+*#"}


def plot(points: Sequence[float | None], width: int, *, unicode: bool) -> str:
    """Return a line of at most `width` characters, oldest left, as high as the highest; a blank where data is missing.

    Each character is the highest of its datapoints.
    """
    levels = _LEVELS[unicode]
    share = max(len(points) / max(width, 1), 1.0)
    columns = [
        [
            value
            for value in points[int(at * share) : max(int((at + 1) * share), int(at * share) + 1)]
            if value is not None
        ]
        for at in range(min(width, len(points)))
    ]
    highest = max((value for column in columns for value in column), default=0.0)
    return "".join(_level(max(column), highest, levels) if column else " " for column in columns).rstrip()


def _level(value: float, highest: float, levels: str) -> str:
    if highest <= 0:
        return levels[0]
    return levels[min(int(max(value, 0.0) / highest * len(levels)), len(levels) - 1)]
