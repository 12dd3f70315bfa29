"""Alarms as the API shows them, and as their actions tell of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from miyabi.localcloud.control.cloudwatch.tables import Alarm, type_of
from miyabi.model.alarms import CompositeAlarm, HistoryItem, MetricAlarm, MetricQuery, MetricStat
from miyabi.model.metrics import AlarmState


def described(alarm: Alarm) -> dict[str, Any]:
    """Return an alarm as DescribeAlarms shows it."""
    shape = _metric(alarm) if isinstance(alarm, MetricAlarm) else _composite(alarm)
    return {name: value for name, value in (_common(alarm) | shape).items() if value is not None}


def _common(alarm: Alarm) -> dict[str, Any]:
    return {
        "AlarmName": alarm.name,
        "AlarmArn": alarm.arn,
        "AlarmDescription": alarm.description,
        "AlarmConfigurationUpdatedTimestamp": alarm.configured_at,
        "ActionsEnabled": alarm.actions_enabled,
        "OKActions": list(alarm.actions.ok),
        "AlarmActions": list(alarm.actions.alarm),
        "InsufficientDataActions": list(alarm.actions.insufficient_data),
        "StateValue": alarm.standing.state.value,
        "StateReason": alarm.standing.reason,
        "StateReasonData": alarm.standing.data or None,
        "StateUpdatedTimestamp": alarm.standing.updated_at,
        "StateTransitionedTimestamp": alarm.standing.transitioned_at,
    }


def _metric(alarm: MetricAlarm) -> dict[str, Any]:
    rule = alarm.rule
    shape: dict[str, Any] = {
        "EvaluationPeriods": rule.evaluation_periods,
        "Threshold": rule.threshold,
        "ComparisonOperator": rule.comparison.value,
        **alarm.asked,
    }
    if not alarm.simple:
        return shape | {"Metrics": [_query(one) for one in alarm.queries]}
    stat = _stat_of(alarm)
    kind = "ExtendedStatistic" if stat.statistic.startswith("p") else "Statistic"
    return shape | {
        "MetricName": stat.name,
        "Namespace": stat.namespace,
        kind: stat.statistic,
        "Dimensions": _dimensions(stat),
        "Period": stat.period_seconds,
        "Unit": stat.unit,
    }


def _composite(alarm: CompositeAlarm) -> dict[str, Any]:
    suppressed = alarm.suppressor is not None
    return {
        "AlarmRule": alarm.expression,
        "ActionsSuppressor": alarm.suppressor,
        "ActionsSuppressorWaitPeriod": alarm.wait_seconds if suppressed else None,
        "ActionsSuppressorExtensionPeriod": alarm.extension_seconds if suppressed else None,
        "ActionsSuppressedBy": alarm.suppressed_by,
        "ActionsSuppressedReason": alarm.suppressed_reason,
    }


def _stat_of(alarm: MetricAlarm) -> MetricStat:
    stat = alarm.watched.stat
    assert stat is not None, "an alarm of one metric watches a statistic"  # noqa: S101
    return stat


def _dimensions(stat: MetricStat) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in stat.dimensions.items()]


def _query(query: MetricQuery) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "Id": query.id,
        "Expression": query.expression,
        "Label": query.label,
        "Period": query.period_seconds,
        "ReturnData": query.return_data,
    }
    if query.stat is not None:
        metric = {"Namespace": query.stat.namespace, "MetricName": query.stat.name}
        shape["MetricStat"] = {
            "Metric": metric | {"Dimensions": _dimensions(query.stat)},
            "Period": query.stat.period_seconds,
            "Stat": query.stat.statistic,
        } | ({"Unit": query.stat.unit} if query.stat.unit else {})
    return {name: value for name, value in shape.items() if value is not None}


def described_history(item: HistoryItem) -> dict[str, Any]:
    """Return a line of history as DescribeAlarmHistory shows it."""
    return {
        "AlarmName": item.alarm,
        "AlarmType": item.alarm_type,
        "Timestamp": item.at,
        "HistoryItemType": item.type,
        "HistorySummary": item.summary,
        "HistoryData": item.data,
    }


def subject(alarm: Alarm, region_name: str) -> str:
    """Return the subject of a notification."""
    return f'{alarm.standing.state}: "{alarm.name}" in {region_name}'[:100]


def notification(alarm: Alarm, old: AlarmState, account: str, region_name: str) -> dict[str, Any]:
    """Return what a notification's message holds; source: docs.aws.amazon.com, "Notifying users on alarm changes"."""
    standing = alarm.standing
    message: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": account,
        "AlarmConfigurationUpdatedTimestamp": json_time(alarm.configured_at),
        "NewStateValue": standing.state.value,
        "NewStateReason": standing.reason,
        "StateChangeTime": json_time(standing.transitioned_at),
        "Region": region_name,
        "AlarmArn": alarm.arn,
        "OldStateValue": old.value,
        "OKActions": list(alarm.actions.ok),
        "AlarmActions": list(alarm.actions.alarm),
        "InsufficientDataActions": list(alarm.actions.insufficient_data),
    }
    if isinstance(alarm, CompositeAlarm):
        return message | {"AlarmRule": alarm.expression}
    return message | {"Trigger": _trigger(alarm)}


def _trigger(alarm: MetricAlarm) -> dict[str, Any]:
    rule = alarm.rule
    shape: dict[str, Any] = {
        "Period": alarm.period_seconds,
        "EvaluationPeriods": rule.evaluation_periods,
        "DatapointsToAlarm": rule.datapoints_to_alarm,
        "ComparisonOperator": rule.comparison.value,
        "Threshold": rule.threshold,
        "TreatMissingData": rule.missing_data.value,
        "EvaluateLowSampleCountPercentile": alarm.asked.get("EvaluateLowSampleCountPercentile", ""),
    }
    if not alarm.simple:
        return shape | {"Metrics": [_query(one) for one in alarm.queries]}
    stat = _stat_of(alarm)
    return shape | {
        "MetricName": stat.name,
        "Namespace": stat.namespace,
        "StatisticType": "ExtendedStatistic" if stat.statistic.startswith("p") else "Statistic",
        "Statistic": stat.statistic if stat.statistic.startswith("p") else stat.statistic.upper(),
        "Unit": stat.unit,
        "Dimensions": [{"value": value, "name": name} for name, value in stat.dimensions.items()],
    }


def json_time(at: datetime) -> str:
    """Return an instant as CloudWatch writes it into JSON."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+0000"


def configuration_change(alarm: Alarm, *, created: bool) -> dict[str, Any]:
    """Return the data of a ConfigurationUpdate."""
    shown = {
        name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in described(alarm).items()
    }
    return {"version": "1.0", "type": "Create" if created else "Update", "alarmType": type_of(alarm)} | {
        "createdAlarm" if created else "updatedAlarm": shown
    }
