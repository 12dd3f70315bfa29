"""The two alarms of a target tracking policy.

Source: docs.aws.amazon.com, "How target tracking scaling for Application Auto Scaling works"; periods and the lower
threshold as measured on ECS: above the target in 3 of 3 minutes, below nine tenths of it in 15 of 15.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from miyabi.model.scaling import ScalableTarget, TrackingAlarm

_HIGH_PERIODS = 3
_LOW_PERIODS = 15
_LOW_SHARE = 0.9
_AVERAGES = {
    "ECSServiceAverageCPUUtilization": "CPUUtilization",
    "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
    "ECSServiceAverageCPUUtilizationHighResolution": "CPUUtilization",
    "ECSServiceAverageMemoryUtilizationHighResolution": "MemoryUtilization",
}
_HIGH_RESOLUTION = "HighResolution"
_HIGH_RESOLUTION_SECONDS = 20
_PER_TARGET = "ALBRequestCountPerTarget"
_LABEL = re.compile(r"app/[^/]+/[^/]+/(targetgroup/[^/]+/[^/]+)")


class UnknownMetric(ValueError):
    """The configuration names no metric that a service can be scaled by."""


def alarms_of(target: ScalableTarget, policy_name: str, configuration: Mapping[str, Any]) -> tuple[TrackingAlarm, ...]:
    """Return the alarm above the target and, unless scaling in is disabled, the one below it.

    configuration: TargetTrackingScalingPolicyConfiguration. UnknownMetric: its metric cannot be used.
    The names are the same for the same policy, so putting it again replaces its alarms.
    """
    metric = _metric(target, configuration)
    value = float(configuration["TargetValue"])
    fast = metric | ({"period_seconds": _HIGH_RESOLUTION_SECONDS} if is_high_resolution(configuration) else {})
    high = _alarm(target, policy_name, "High", fast, "GreaterThanThreshold", value, _HIGH_PERIODS)
    if configuration.get("DisableScaleIn"):
        return (high,)
    threshold = round(value * _LOW_SHARE, 9)
    return high, _alarm(target, policy_name, "Low", metric, "LessThanThreshold", threshold, _LOW_PERIODS)


def is_high_resolution(configuration: Mapping[str, Any]) -> bool:
    """Say whether a policy looks at its metric every 20 seconds.

    Then the alarm above the target looks at 3 of 3 such periods. AWS does not say how it scales in; ours: as slowly as
    ever, 15 of 15 minutes.
    """
    predefined = configuration.get("PredefinedMetricSpecification") or {}
    return str(predefined.get("PredefinedMetricType", "")).endswith(_HIGH_RESOLUTION)


def _alarm(
    target: ScalableTarget,
    policy_name: str,
    side: str,
    metric: Mapping[str, Any],
    comparison: str,
    threshold: float,
    periods: int,
) -> TrackingAlarm:
    suffix = uuid.uuid5(uuid.NAMESPACE_URL, f"{target.key}|{policy_name}|{side}")
    return TrackingAlarm(
        name=f"TargetTracking-{target.resource_id}-Alarm{side}-{suffix}",
        comparison_operator=comparison,
        threshold=threshold,
        evaluation_periods=periods,
        **metric,
    )


def _metric(target: ScalableTarget, configuration: Mapping[str, Any]) -> dict[str, Any]:
    cluster, service = target.cluster_and_service
    predefined = configuration.get("PredefinedMetricSpecification") or {}
    kind = predefined.get("PredefinedMetricType", "")
    if kind in _AVERAGES:
        return {
            "namespace": "AWS/ECS",
            "metric_name": _AVERAGES[kind],
            "dimensions": {"ClusterName": cluster, "ServiceName": service},
            "statistic": "Average",
            "unit": "Percent",
        }
    if kind == _PER_TARGET:
        label = _LABEL.fullmatch(predefined.get("ResourceLabel") or "")
        if label is None:
            raise UnknownMetric(
                f"{_PER_TARGET} needs a ResourceLabel of the form app/<load balancer>/<id>/targetgroup/<name>/<id>"
            )
        return {
            "namespace": "AWS/ApplicationELB",
            "metric_name": "RequestCountPerTarget",
            "dimensions": {"TargetGroup": label[1]},
            "statistic": "Sum",
            "unit": None,
        }
    if kind:
        raise UnknownMetric(f"the predefined metric {kind} is not offered for ECS services")
    return _own_metric(configuration.get("CustomizedMetricSpecification") or {})


def _own_metric(metric: Mapping[str, Any]) -> dict[str, Any]:
    if not metric.get("MetricName") or not metric.get("Namespace"):
        raise UnknownMetric("a metric is needed: predefined, or customized with namespace and name")
    return {
        "namespace": metric["Namespace"],
        "metric_name": metric["MetricName"],
        "dimensions": {one["Name"]: one["Value"] for one in metric.get("Dimensions") or []},
        "statistic": metric.get("Statistic") or "Average",
        "unit": metric.get("Unit"),
    }
