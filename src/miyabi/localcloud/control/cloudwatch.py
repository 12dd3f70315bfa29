"""moto's CloudWatch, made to say what is true of alarms, and the door through which live services make alarms.

Stock moto starts an alarm as OK, forgets an alarm's state when its settings change, and lets a new alarm inherit the
tags of a deleted one of the same name.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import msgspec
from moto.cloudwatch import urls
from moto.cloudwatch.models import Alarm, CloudWatchBackend, cloudwatch_backends
from moto.core.request import Request

from miyabi.localcloud.control.journal import Journal
from miyabi.localcloud.control.service import ApiError, Caller
from miyabi.model.scaling import TrackingAlarm
from miyabi.policy.tracking_alarms import PERIOD_SECONDS

_SIGNING_NAME = "monitoring"
_TARGET = "GraniteServiceVersion20100801"
_STATE = ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history")


class TrueAlarms(CloudWatchBackend):
    """CloudWatch whose alarms are in INSUFFICIENT_DATA until something evaluates them."""

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
    cloudwatch_backends.backend = TrueAlarms


class PolicyAlarms:
    """Alarms that scaling policies make: requests to CloudWatch's own API, so the journal brings them back."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def put(self, caller: Caller, alarm: TrackingAlarm, description: str, action: str) -> None:
        """Create or replace an alarm."""
        asked = {
            "AlarmName": alarm.name,
            "AlarmDescription": description,
            "ActionsEnabled": True,
            "AlarmActions": [action],
            "Namespace": alarm.namespace,
            "MetricName": alarm.metric_name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in alarm.dimensions.items()],
            "Statistic": alarm.statistic,
            "Period": PERIOD_SECONDS,
            "EvaluationPeriods": alarm.evaluation_periods,
            "Threshold": alarm.threshold,
            "ComparisonOperator": alarm.comparison_operator,
        }
        self._ask(caller, "PutMetricAlarm", asked | ({"Unit": alarm.unit} if alarm.unit else {}))

    def delete(self, caller: Caller, names: tuple[str, ...]) -> None:
        """Delete alarms; those that are gone already are no error."""
        self._ask(caller, "DeleteAlarms", {"AlarmNames": list(names)})

    def _ask(self, caller: Caller, operation: str, body: dict[str, Any]) -> None:
        scope = f"{caller.access_key}/{caller.now:%Y%m%d}/{caller.region}/{_SIGNING_NAME}/aws4_request"
        headers = {
            "host": f"{_SIGNING_NAME}.{caller.region}.amazonaws.com",
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"{_TARGET}.{operation}",
            "authorization": f"AWS4-HMAC-SHA256 Credential={scope}",
        }
        request = Request.from_primitives("POST", f"http://{headers['host']}/", headers, msgspec.json.encode(body))
        request.environ["RAW_URI"] = "/"
        request.from_wsgi_server = True
        request.get_data()
        status, _, content = self._journal.run(request, _SIGNING_NAME, caller.region, now=caller.now)
        if status >= 300:
            raise ApiError(
                "FailedResourceAccessException", f"CloudWatch refused {operation}: {content.decode(errors='replace')}"
            )
