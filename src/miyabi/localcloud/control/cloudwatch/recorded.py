"""moto's alarms: what homes have in their journals from the time when alarms were only recorded.

A replay must answer as it did then. Alarms that are there are taken over once, and from then on only live ones count.
"""

from __future__ import annotations

from datetime import datetime
from types import ModuleType
from typing import Any

from moto.cloudwatch import urls
from moto.cloudwatch.models import Alarm, CloudWatchBackend, cloudwatch_backends

from miyabi.localcloud.control.cloudwatch import alarm_settings
from miyabi.localcloud.control.cloudwatch.tables import AlarmTables
from miyabi.localcloud.control.service import ApiError, Caller
from miyabi.localcloud.control.store import Store, Table

_STATE = ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history")
_TAKEN = "taken"


class RecordedAlarms(CloudWatchBackend):
    """CloudWatch whose alarms are in INSUFFICIENT_DATA, keep their state when they are changed, and lose their tags."""

    @property
    def _url_module(self) -> ModuleType:
        return urls  # moto derives it from the name of the backend's module

    def put_metric_alarm(self, name: str, tags: Any = None, **named: Any) -> Alarm:  # type: ignore[override]
        """Create an alarm, or change its settings and keep its state and tags."""
        before = self.alarms.get(name)
        alarm = super().put_metric_alarm(name, tags=None if before else tags, **named)
        if before is None:
            alarm.state_value = "INSUFFICIENT_DATA"
        else:
            for attribute in _STATE:
                setattr(alarm, attribute, getattr(before, attribute))
        return alarm

    def delete_alarms(self, alarm_names: list[str]) -> None:
        """Delete alarms and their tags."""
        for name in alarm_names:
            if name in self.alarms:
                self.tagger.delete_all_tags_for_resource(self.alarms[name].alarm_arn)
        super().delete_alarms(alarm_names)


def install_cloudwatch() -> None:
    """Make moto's CloudWatch use this backend. Call it before CloudWatch is used for the first time."""
    if cloudwatch_backends:
        raise RuntimeError("CloudWatch is in use already")
    cloudwatch_backends.backend = RecordedAlarms


def take_over(store: Store, tables: AlarmTables, account: str, now: datetime) -> int:
    """Take alarms that were recorded into the live tables, once in a home's life; return how many."""
    done = Table(store, "cloudwatch.recorded", str)
    if done.get("", _TAKEN):
        return 0
    count = 0
    if account in cloudwatch_backends:
        for region, backend in cloudwatch_backends[account].items():
            for recorded in backend.alarms.values():
                caller = Caller(account, str(region), "", now)
                count += _take(tables, caller, recorded, backend)
    done.put("", _TAKEN, _TAKEN)
    return count


def _take(tables: AlarmTables, caller: Caller, recorded: Alarm, backend: CloudWatchBackend) -> bool:
    tags = [
        {"Key": key, "Value": value}
        for key, value in backend.tagger.get_tag_dict_for_resource(recorded.alarm_arn).items()
    ]
    params: dict[str, Any] = {
        "AlarmName": recorded.name,
        "AlarmDescription": recorded.description,
        "ActionsEnabled": recorded.actions_enabled,
        "OKActions": recorded.ok_actions,
        "AlarmActions": recorded.alarm_actions,
        "InsufficientDataActions": recorded.insufficient_data_actions,
        "Tags": tags,
    }
    try:
        if recorded.rule:
            asked = params | {"AlarmRule": recorded.rule}
            tables.put(caller.region, alarm_settings.composite_alarm(caller, asked, None))
        else:
            tables.put(caller.region, alarm_settings.metric_alarm(caller, params | _watched(recorded), None))
    except ApiError:
        return False  # an alarm of a kind that is not evaluated here
    return True


def _watched(recorded: Alarm) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "EvaluationPeriods": int(recorded.evaluation_periods),
        "DatapointsToAlarm": recorded.datapoints_to_alarm and int(recorded.datapoints_to_alarm),
        "Threshold": recorded.threshold,
        "ComparisonOperator": recorded.comparison_operator,
        "TreatMissingData": recorded.treat_missing_data,
        "EvaluateLowSampleCountPercentile": recorded.evaluate_low_sample_count_percentile,
    }
    if not recorded.metric_name:
        raise ApiError("ValidationError", "an alarm on expressions")
    return asked | {
        "MetricName": recorded.metric_name,
        "Namespace": recorded.namespace,
        "Statistic": recorded.statistic,
        "ExtendedStatistic": recorded.extended_statistic,
        "Period": int(recorded.period or 60),
        "Unit": recorded.unit,
        "Dimensions": [{"Name": one.name, "Value": one.value} for one in recorded.dimensions],
    }
