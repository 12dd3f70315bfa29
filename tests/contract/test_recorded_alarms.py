"""Alarms of the time when they were only recorded: they become live ones, once."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.core.request import Request

from miyabi.localcloud.control.cloudwatch import take_over
from tests.contract.control_api import ACCOUNT, REGION, Served, serve


def record(served: Served, operation: str, body: dict[str, Any]) -> None:
    """Ask stock CloudWatch through the journal, as everybody did then."""
    now = datetime.now(UTC)
    scope = f"{served.instance.access_key}/{now:%Y%m%d}/{REGION}/monitoring/aws4_request"
    headers = {
        "host": f"monitoring.{REGION}.amazonaws.com",
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": f"GraniteServiceVersion20100801.{operation}",
        "authorization": f"AWS4-HMAC-SHA256 Credential={scope}",
    }
    request = Request.from_primitives("POST", f"http://{headers['host']}/", headers, json.dumps(body).encode())
    request.environ["RAW_URI"] = "/"
    request.from_wsgi_server = True
    request.get_data()
    status, _, content = served.on_worker(lambda: served.journal.run(request, "monitoring", REGION, now=now))
    assert status == 200, content


def take(served: Served) -> int:
    def inside() -> int:
        return take_over(served.engine.store, served.cloudwatch.alarms, ACCOUNT, datetime.now(UTC))

    return served.on_worker(inside)


def test_recorded_alarms_are_taken_over_once_with_settings_and_tags(tmp_path: Path) -> None:
    dimensions = [{"Name": "ClusterName", "Value": "c"}]
    asked = {
        "AlarmName": "old",
        "AlarmDescription": "from before",
        "ActionsEnabled": True,
        "AlarmActions": [f"arn:aws:sns:{REGION}:{ACCOUNT}:t"],
        "Namespace": "AWS/ECS",
        "MetricName": "CPUUtilization",
        "Dimensions": dimensions,
        "Statistic": "Average",
        "Period": 300,
        "EvaluationPeriods": 2,
        "Threshold": 70.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "breaching",
        "Tags": [{"Key": "team", "Value": "web"}],
    }
    with serve(tmp_path) as served:
        record(served, "PutMetricAlarm", asked)
        cloudwatch = served.client("cloudwatch")
        assert cloudwatch.describe_alarms()["MetricAlarms"] == [], "live CloudWatch knows its own only"
        assert take(served) == 1
        (alarm,) = cloudwatch.describe_alarms()["MetricAlarms"]
        shown = {name: value for name, value in asked.items() if name != "Tags"}
        assert {name: alarm[name] for name in shown} == shown
        assert alarm["StateValue"] == "INSUFFICIENT_DATA"
        tags = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        assert tags == [{"Key": "team", "Value": "web"}]
        cloudwatch.delete_alarms(AlarmNames=["old"])
        assert take(served) == 0
        assert cloudwatch.describe_alarms()["MetricAlarms"] == []
