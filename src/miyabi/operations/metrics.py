"""`metrics show`: the runbook's key metrics against their targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from miyabi.aws.errors import translated
from miyabi.model.errors import InvalidInput, NotFound
from miyabi.operations.balancer import Balancer, find_balancer
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run
from miyabi.operations.service.scaling import find_target
from miyabi.policy.key_metrics import KeyMetric, key_metrics, read

_MOST_POINTS = 1440


@dataclass(frozen=True, slots=True)
class MetricsParams:
    """How far back, and how fine."""

    window: timedelta = param("How far back", default=timedelta(hours=1), minimum=60, maximum=15 * 86400)
    period: int = param("Length of a datapoint", default=60, unit="seconds", minimum=60, maximum=86400)


@dataclass(frozen=True, slots=True)
class MetricReading:
    """One metric over the window."""

    name: str
    unit: str
    target: str
    """`< 70`; empty where there is none."""
    verdict: str
    """`ok`, `off target`, `no data`; empty where there is no target."""
    newest: float | None
    typical: float | None
    worst: float | None
    reason: str
    points: tuple[float | None, ...]
    """Oldest first, one a period; None = missing."""


@dataclass(frozen=True, slots=True)
class MetricsShown:
    """All of them."""

    since: datetime
    until: datetime
    period_seconds: int
    metrics: tuple[MetricReading, ...]


@operation(
    "metrics.show",
    effect=Effect.READ,
    permissions=(
        "application-autoscaling:DescribeScalableTargets",
        "cloudwatch:GetMetricData",
        "elasticloadbalancing:DescribeLoadBalancers",
    ),
)
def show_metrics(run: Run, params: MetricsParams) -> MetricsShown:
    """Show the key metrics against their targets: tasks, load balancer, database and cache.

    A metric without a datapoint is said to have no data, with the likely reason; it is never taken for 0.
    """
    if params.period % 60:
        raise InvalidInput(f"--period {params.period} is no whole number of minutes", hint="60, 300, 3600 …")
    if params.window.total_seconds() < params.period:
        raise InvalidInput(
            f"--window is shorter than one period of {params.period} s", hint="A longer window, or a shorter --period."
        )
    if params.window.total_seconds() / params.period > _MOST_POINTS:
        raise InvalidInput(
            f"{params.window} in steps of {params.period} s are more than {_MOST_POINTS} datapoints",
            hint="--period 300 makes the steps longer.",
        )
    end = run.now()
    until = int(end.timestamp()) // params.period * params.period
    slots = range(until - int(params.window.total_seconds()) // params.period * params.period, until, params.period)
    target = find_target(run)
    wanted = key_metrics(target.bounds.minimum if target is not None else None)
    lines = _fetch(run, wanted, slots, params.period)
    requests = next(frozenset(lines[one.label]) for one in wanted if one.names == ("RequestCount",))
    readings = tuple(_reading(one, lines[one.label], slots, requests) for one in wanted)
    zone = end.tzinfo
    return MetricsShown(
        datetime.fromtimestamp(slots.start, zone), datetime.fromtimestamp(slots.stop, zone), params.period, readings
    )


def _reading(one: KeyMetric, line: Mapping[int, float], slots: range, requests: frozenset[int]) -> MetricReading:
    """requests: the periods of which it is known that there were some."""
    scale = 60 / slots.step if one.a_minute else 1.0
    # Where there were requests, a count without a datapoint is that of something that did not happen. Where none are
    # known of, they may be yet to be published, and so may be what came of them.
    points = tuple(line[at] * scale if at in line else (0.0 if one.rare and at in requests else None) for at in slots)
    found = read(one, points, period_seconds=slots.step, requests=bool(requests))
    target = "" if one.target is None else f"{one.target.sign} {one.target.value:g}"
    return MetricReading(
        one.label,
        one.unit,
        target,
        found.verdict.value,
        found.newest,
        found.typical,
        found.worst,
        found.reason,
        points,
    )


def _fetch(run: Run, wanted: Sequence[KeyMetric], slots: range, period: int) -> dict[str, dict[int, float]]:
    """Ask for all metrics at once; return the values of each by the beginning of their period."""
    balancer = _balancer(run)
    queries: list[dict[str, Any]] = []
    owners: dict[str, str] = {}
    for number, one in enumerate(wanted):
        dimensions = _dimensions(run, one.of, balancer)
        for part, name in enumerate(one.names if dimensions is not None else ()):
            metric = {"Namespace": one.namespace, "MetricName": name, "Dimensions": dimensions}
            queries.append(
                {
                    "Id": f"m{number}_{part}",
                    "MetricStat": {"Metric": metric, "Period": period, "Stat": one.statistic},
                }
            )
            owners[f"m{number}_{part}"] = one.label
    lines: dict[str, dict[int, float]] = {one.label: {} for one in wanted}
    client: Any = run.cloud.client("cloudwatch")
    with translated(f"reading the metrics of environment '{run.environment.name}'"):
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries,
            StartTime=datetime.fromtimestamp(slots.start, run.now().tzinfo),
            EndTime=datetime.fromtimestamp(slots.stop, run.now().tzinfo),
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                line = lines[owners[result["Id"]]]
                for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                    second = int(at.timestamp())
                    line[second] = line.get(second, 0.0) + value
    return lines


def _balancer(run: Run) -> Balancer | None:
    try:
        return find_balancer(run)
    except NotFound as error:
        run.warn(error.message)
        return None


def _dimensions(run: Run, of: str, balancer: Balancer | None) -> list[dict[str, str]] | None:
    names = run.environment
    found = {
        "service": {"ClusterName": names.cluster, "ServiceName": names.service},
        "balancer": {"LoadBalancer": balancer.suffix} if balancer else None,
        "database": {"DBInstanceIdentifier": names.database},
        "cache": {"CacheClusterId": names.cache},
    }[of]
    return None if found is None else [{"Name": name, "Value": value} for name, value in found.items()]
