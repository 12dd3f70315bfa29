"""Operations on autoscaling: how it stands, what it did and why, and its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from miyabi.aws.errors import translated
from miyabi.model.errors import Conflict, Failed, InvalidInput, NotFound
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run
from miyabi.operations.service.found import FoundService, find_service
from miyabi.operations.service.remembered import Override, Stopped
from miyabi.operations.service.scaling import (
    Bounds,
    ScalableTarget,
    find_target,
    scaling_client,
    set_bounds,
    target_of,
)
from miyabi.policy.scaling_words import Kept, Watch, contradictions

_METRICS = {
    "ECSServiceAverageCPUUtilization": "CPUUtilization",
    "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
    "ECSServiceAverageCPUUtilizationHighResolution": "CPUUtilization",
    "ECSServiceAverageMemoryUtilizationHighResolution": "MemoryUtilization",
    "ALBRequestCountPerTarget": "RequestCountPerTarget",
}
_RECENT = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class StatusParams:
    """Nothing: there is one service."""


@dataclass(frozen=True, slots=True)
class PolicyStatus:
    """A scaling policy, as it stands."""

    name: str
    metric: str
    target: float | None
    """None: a step scaling policy, which has steps."""
    value: float | None
    """Of the newest minute; None: nothing was measured."""
    high: str
    """State of the alarm that scales out; empty where there is none."""
    low: str
    out_cooldown_seconds: int
    in_cooldown_seconds: int


@dataclass(frozen=True, slots=True)
class ScalingStatus:
    """How the service's autoscaling stands."""

    service: str
    minimum: int
    maximum: int
    desired_count: int
    running_count: int
    suspended: tuple[str, ...]
    """Some of in, out, scheduled."""
    override_until: datetime | None
    policies: tuple[PolicyStatus, ...]
    scheduled: tuple[str, ...]
    contradictions: tuple[str, ...]


@operation(
    "scaling.status",
    effect=Effect.READ,
    permissions=(
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:DescribeScalingPolicies",
        "application-autoscaling:DescribeScheduledActions",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetMetricData",
        "ecs:DescribeServices",
    ),
)
def show_status(run: Run, params: StatusParams) -> ScalingStatus:  # noqa: ARG001 - it takes nothing
    """Say how autoscaling stands: bounds, policies with their values, alarms and cooldowns; what is contradictory."""
    found, target = find_service(run), _target(run)
    policies = _policies(run)
    alarms = _alarms(run)
    values = _values(run, [alarms[names[0]] for one in policies if (names := _alarm_names(one)) and names[0] in alarms])
    kept = [one for policy in policies if (one := _kept(policy)) is not None]
    override = Override.of(found.tags)
    return ScalingStatus(
        service=found.status.name,
        minimum=target.bounds.minimum,
        maximum=target.bounds.maximum,
        desired_count=found.status.desired_count,
        running_count=found.status.running_count,
        suspended=tuple(sorted(target.suspension.parts)),
        override_until=override.until if override is not None and override.until > run.now() else None,
        policies=tuple(_policy(one, alarms, values) for one in policies),
        scheduled=_scheduled(run),
        contradictions=contradictions(
            kept, _watches(run, alarms), minimum=target.bounds.minimum, maximum=target.bounds.maximum
        ),
    )


@dataclass(frozen=True, slots=True)
class ActivitiesParams:
    """How far back, and which."""

    since: timedelta = param("How far back", default=timedelta(days=1), minimum=60, maximum=42 * 86400)
    not_scaled: bool = param("Also what a policy wanted and did not get", default=False)


@dataclass(frozen=True, slots=True)
class Activity:
    """What scaling did, or wanted to."""

    at: datetime
    description: str
    cause: str
    status: str
    message: str
    seconds: float | None
    """Until the tasks ran; None: they do not yet."""
    not_scaled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Activities:
    """Oldest first."""

    activities: tuple[Activity, ...]


@operation("scaling.activities", effect=Effect.READ, permissions=("application-autoscaling:DescribeScalingActivities",))
def show_activities(run: Run, params: ActivitiesParams) -> Activities:
    """Show what scaling did and why, latest last; with --not-scaled also what it refused."""
    begin = run.now() - params.since
    rows: list[Activity] = []
    with translated(f"describing the scaling of service '{run.environment.service}'"):
        pages = (
            scaling_client(run)
            .get_paginator("describe_scaling_activities")
            .paginate(**target_of(run), IncludeNotScaledActivities=params.not_scaled)
        )
        for page in pages:
            rows += [_activity(one) for one in page["ScalingActivities"] if one["StartTime"] >= begin]
    return Activities(tuple(sorted(rows, key=lambda one: one.at)))


@dataclass(frozen=True, slots=True)
class LimitsParams:
    """Nothing."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Between which counts the service is scaled."""

    service: str
    minimum: int
    maximum: int
    desired_count: int
    override_until: datetime | None


@operation(
    "scaling.limits",
    effect=Effect.READ,
    permissions=("application-autoscaling:DescribeScalableTargets", "ecs:DescribeServices"),
)
def show_limits(run: Run, params: LimitsParams) -> Limits:  # noqa: ARG001 - it takes nothing
    """Show between which counts the service is scaled."""
    found, target = find_service(run), _target(run)
    override = Override.of(found.tags)
    until = override.until if override is not None and override.until > run.now() else None
    return Limits(found.status.name, target.bounds.minimum, target.bounds.maximum, found.status.desired_count, until)


@dataclass(frozen=True, slots=True)
class SetLimitsParams:
    """One of them, or both."""

    min: int | None = param("Fewest tasks", default=None, unit="tasks", minimum=0, maximum=5000)
    max: int | None = param("Most tasks", default=None, unit="tasks", minimum=0, maximum=5000)


@dataclass(frozen=True, slots=True)
class LimitsSet:
    """What was changed."""

    service: str
    minimum: int
    maximum: int
    previous_minimum: int
    previous_maximum: int
    effect: str
    """What it does to the count."""


def _verify(run: Run, params: SetLimitsParams, result: LimitsSet) -> LimitsSet:  # noqa: ARG001 - the executor's
    seen = _target(run).bounds
    if seen != Bounds(result.minimum, result.maximum):
        raise Failed(
            f"service '{result.service}' is scaled between {seen.minimum} and {seen.maximum}, not between "
            f"{result.minimum} and {result.maximum}",
            hint="Somebody else changed it meanwhile: run the command again.",
        )
    return result


@operation(
    "scaling.set-limits",
    effect=Effect.CHANGE,
    permissions=(
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:RegisterScalableTarget",
        "ecs:DescribeServices",
    ),
    verify=_verify,
)
def set_limits(run: Run, params: SetLimitsParams) -> LimitsSet:
    """Change between which counts the service is scaled.

    A count outside of them is brought inside at once. Terraform owns the limits: its next apply puts its own back.
    """
    if params.min is None and params.max is None:
        raise InvalidInput("neither --min nor --max is given", hint="miyabi scaling limits --max 6")
    found, target = find_service(run), _target(run)
    _refuse_stopped(found)
    override = Override.of(found.tags)
    if override is not None and override.until > run.now():
        raise Conflict(
            f"an override of {override.count} tasks holds until {override.until:%Y-%m-%d %H:%M:%S %Z}: its end would "
            "put the earlier limits back",
            hint="`miyabi service scale N` without --for ends it.",
        )
    before = target.bounds
    after = Bounds(
        before.minimum if params.min is None else params.min, before.maximum if params.max is None else params.max
    )
    if after.minimum > after.maximum:
        both = after.maximum if params.min is None else after.minimum
        raise InvalidInput(
            f"the minimum would be {after.minimum} and the maximum {after.maximum}",
            hint=f"Give both: --min {both} --max {both}.",
        )
    run.step(f"moving the limits of service '{found.status.name}' to {after.minimum}-{after.maximum}")
    set_bounds(run, after)
    run.warn(
        "Terraform's next apply puts its own limits back: set "
        f"min_tasks = {after.minimum} and max_tasks = {after.maximum} in the environment's variables in miyabi.toml too"
    )
    count = found.status.desired_count
    inside = min(max(count, after.minimum), after.maximum)
    effect = f"the count stays {count}" if inside == count else f"the count goes from {count} to {inside} at once"
    return LimitsSet(found.status.name, after.minimum, after.maximum, before.minimum, before.maximum, effect)


def _refuse_stopped(found: FoundService) -> None:
    """Raise Conflict where the service is stopped: new limits would start tasks, up to the minimum."""
    stopped = Stopped.of(found.tags)
    if stopped is not None and not found.status.desired_count:
        raise Conflict(
            f"service '{found.status.name}' was stopped on {stopped.at:%Y-%m-%d %H:%M:%S %Z}: AWS would start tasks "
            "of it as soon as its limits are set",
            hint="`miyabi service resume` first.",
        )


def _target(run: Run) -> ScalableTarget:
    found = find_target(run)
    if found is None:
        raise NotFound(
            f"service '{run.environment.service}' is not scaled automatically",
            hint="Terraform's module `scaling` makes it a scalable target.",
        )
    return found


def _policies(run: Run) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with translated(f"describing the scaling policies of service '{run.environment.service}'"):
        for page in scaling_client(run).get_paginator("describe_scaling_policies").paginate(**target_of(run)):
            rows += page["ScalingPolicies"]
    return rows


def _alarm_names(policy: Mapping[str, Any]) -> list[str]:
    return [one["AlarmName"] for one in policy.get("Alarms", ())]


def _alarms(run: Run) -> dict[str, dict[str, Any]]:
    """Return all metric alarms by name: those of the policies, and others that watch the same metrics."""
    found: dict[str, dict[str, Any]] = {}
    with translated("describing alarms"):
        for page in run.cloud.client("cloudwatch").get_paginator("describe_alarms").paginate():
            found |= {one["AlarmName"]: dict(one) for one in page["MetricAlarms"]}
    return found


def _values(run: Run, alarms: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the newest minute of what each alarm watches, by the alarm's name."""
    simple = [one for one in alarms if one.get("MetricName")]
    if not simple:
        return {}
    queries = [
        {
            "Id": f"a{number}",
            "MetricStat": {
                "Metric": {name: one[name] for name in ("Namespace", "MetricName", "Dimensions")},
                "Period": 60,
                "Stat": one.get("Statistic", "Average"),
            },
        }
        for number, one in enumerate(simple)
    ]
    client: Any = run.cloud.client("cloudwatch")
    with translated("reading the metrics of the scaling policies"):
        results = client.get_metric_data(
            MetricDataQueries=queries,
            StartTime=run.now() - _RECENT,
            EndTime=run.now(),
        )["MetricDataResults"]
    newest = {one["Id"]: one["Values"][0] for one in results if one["Values"]}
    return {one["AlarmName"]: newest[f"a{n}"] for n, one in enumerate(simple) if f"a{n}" in newest}


def _policy(
    policy: Mapping[str, Any], alarms: Mapping[str, Mapping[str, Any]], values: Mapping[str, float]
) -> PolicyStatus:
    tracking = policy.get("TargetTrackingScalingPolicyConfiguration", {})
    kind = tracking.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType", "")
    own = tracking.get("CustomizedMetricSpecification", {}).get("MetricName", "")
    names = _alarm_names(policy)
    high = next((one for one in names if "AlarmHigh" in one), names[0] if names else "")
    low = next((one for one in names if "AlarmLow" in one), "")
    step = policy.get("StepScalingPolicyConfiguration", {})
    return PolicyStatus(
        name=policy["PolicyName"],
        metric=kind or own or policy["PolicyType"],
        target=tracking.get("TargetValue"),
        value=values.get(high),
        high=alarms.get(high, {}).get("StateValue", ""),
        low=alarms.get(low, {}).get("StateValue", ""),
        out_cooldown_seconds=tracking.get("ScaleOutCooldown", step.get("Cooldown", 300)),
        in_cooldown_seconds=tracking.get("ScaleInCooldown", step.get("Cooldown", 300)),
    )


def _kept(policy: Mapping[str, Any]) -> Kept | None:
    tracking = policy.get("TargetTrackingScalingPolicyConfiguration", {})
    kind = tracking.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType", "")
    metric = _METRICS.get(kind)
    return None if metric is None else Kept(policy["PolicyName"], kind, metric, tracking["TargetValue"])


def _watches(run: Run, alarms: Mapping[str, Mapping[str, Any]]) -> list[Watch]:
    """Return the alarms on the service that people made and that tell somebody when a metric is high."""
    dimensions = {"ClusterName": run.environment.cluster, "ServiceName": run.environment.service}
    return [
        Watch(name, one["MetricName"], one["Threshold"], one["Period"] * one["EvaluationPeriods"])
        for name, one in alarms.items()
        if one.get("MetricName")
        and not name.startswith("TargetTracking-")
        and one["ComparisonOperator"].startswith("Greater")
        and {each["Name"]: each["Value"] for each in one.get("Dimensions", ())} == dimensions
    ]


def _scheduled(run: Run) -> tuple[str, ...]:
    found: list[str] = []
    with translated(f"describing the scheduled actions of service '{run.environment.service}'"):
        for page in scaling_client(run).get_paginator("describe_scheduled_actions").paginate(**target_of(run)):
            for one in page["ScheduledActions"]:
                bounds = one.get("ScalableTargetAction", {})
                limits = f"{bounds.get('MinCapacity', '-')} to {bounds.get('MaxCapacity', '-')}"
                found.append(f"{one['ScheduledActionName']}: {one['Schedule']} {one.get('Timezone', 'UTC')}, {limits}")
    return tuple(found)


def _activity(one: Mapping[str, Any]) -> Activity:
    end = one.get("EndTime")
    return Activity(
        at=one["StartTime"],
        description=one["Description"],
        cause=one["Cause"],
        status=one["StatusCode"],
        message=one.get("StatusMessage", ""),
        seconds=None if end is None else round((end - one["StartTime"]).total_seconds(), 1),
        not_scaled=tuple(reason["Code"] for reason in one.get("NotScaledReasons", ())),
    )
