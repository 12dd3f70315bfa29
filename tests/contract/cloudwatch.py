"""What the tests of CloudWatch ask for, and how."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from miyabi.localcloud.control.cloudwatch.evaluation import Evaluation
from tests.contract.control_api import Served

SPACE = "Shop"
DIMENSIONS = [{"Name": "Service", "Value": "web"}]


def minute(ago: int) -> datetime:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    return now - timedelta(minutes=ago)


def put(cloudwatch: Any, name: str, *data: dict[str, Any]) -> None:
    shape = {"MetricName": name, "Dimensions": DIMENSIONS}
    cloudwatch.put_metric_data(Namespace=SPACE, MetricData=[shape | one for one in data])


def statistics(cloudwatch: Any, name: str, **given: Any) -> list[dict[str, Any]]:
    usual = {
        "Namespace": SPACE,
        "MetricName": name,
        "Dimensions": DIMENSIONS,
        "StartTime": minute(30),
        "EndTime": minute(-1),
        "Period": 60,
        "Statistics": ["Average", "Sum", "Minimum", "Maximum", "SampleCount"],
    }
    asked = {name: value for name, value in (usual | given).items() if value is not None}
    found: list[dict[str, Any]] = cloudwatch.get_metric_statistics(**asked)["Datapoints"]
    return found


def refused(call: Any, **given: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**given)
    return str(caught.value.response["Error"]["Code"])


def alarm(name: str, **given: Any) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "Namespace": SPACE,
        "MetricName": name,
        "Dimensions": DIMENSIONS,
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 3,
        "Threshold": 70.0,
        "ComparisonOperator": "GreaterThanThreshold",
    } | given


def described(cloudwatch: Any, name: str) -> dict[str, Any]:
    (found,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return dict(found)


def evaluate(served: Served, boundary: datetime) -> None:
    evaluation = Evaluation(served.cloudwatch)
    now = datetime.now(UTC)
    served.on_worker(evaluation.evaluate, 60, int(boundary.timestamp()), now)
    served.on_worker(evaluation.compose, now)


def composite(cloudwatch: Any, name: str) -> dict[str, Any]:
    (found,) = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"], AlarmNames=[name])["CompositeAlarms"]
    return dict(found)


def actions_of(cloudwatch: Any, name: str) -> int:
    given = {"AlarmName": name, "AlarmTypes": ["MetricAlarm", "CompositeAlarm"], "HistoryItemType": "Action"}
    return len(cloudwatch.describe_alarm_history(**given)["AlarmHistoryItems"])


def set_state(cloudwatch: Any, name: str, state: str) -> None:
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="trying")
