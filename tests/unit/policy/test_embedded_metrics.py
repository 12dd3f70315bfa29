"""Metrics in log lines."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.policy.embedded_metrics import embedded_metrics

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def line(**more: Any) -> str:
    directive = {
        "Namespace": "Shop",
        "Dimensions": [["Service"], ["Service", "Route"]],
        "Metrics": [{"Name": "Latency", "Unit": "Milliseconds"}, {"Name": "Items", "StorageResolution": 1}],
    }
    about = {"Timestamp": int(NOW.timestamp() * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": about, "Service": "web", "Route": "/", "Latency": [1, 2.5], "Items": 3} | more)


def test_each_metric_is_there_for_each_set_of_dimensions() -> None:
    found = embedded_metrics(line(), now=NOW)
    assert [(one.name, dict(one.dimensions), one.sample.total, one.unit, one.width) for one in found] == [
        ("Latency", {"Service": "web"}, 3.5, "Milliseconds", 60),
        ("Latency", {"Service": "web", "Route": "/"}, 3.5, "Milliseconds", 60),
        ("Items", {"Service": "web"}, 3.0, "None", 1),
        ("Items", {"Service": "web", "Route": "/"}, 3.0, "None", 1),
    ]
    assert {one.at for one in found} == {NOW}


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"Latency": "slow"}, ["Items", "Items"]),
        ({"Latency": True}, ["Items", "Items"]),
        ({"Latency": []}, ["Items", "Items"]),
        ({"Latency": 10**400}, ["Items", "Items"]),
        ({"Latency": [1e300, 1]}, ["Items", "Items"]),
        ({"Route": 5}, ["Latency", "Items"]),
        ({"_aws": {}}, []),
        ({"_aws": {"Timestamp": "now", "CloudWatchMetrics": []}}, []),
        ({"_aws": {"Timestamp": 1e300, "CloudWatchMetrics": []}}, []),
        ({"_aws": {"Timestamp": 10**400, "CloudWatchMetrics": []}}, []),
    ],
)
def test_what_does_not_follow_the_format_is_left_out(given: dict[str, Any], names: list[str]) -> None:
    assert [one.name for one in embedded_metrics(line(**given), now=NOW)] == names


@pytest.mark.parametrize("namespace", ["AWS/ECS", "aws/ecs", ":Shop"])
def test_a_line_cannot_add_to_the_metrics_of_aws_s_services(namespace: str) -> None:
    assert embedded_metrics(line().replace('"Shop"', f'"{namespace}"'), now=NOW) == []


def test_a_line_of_long_ago_carries_nothing() -> None:
    assert embedded_metrics(line(), now=NOW + timedelta(days=15)) == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.just(10**400) | st.text(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    )
)
def test_nothing_in_a_line_can_do_harm(value: Any) -> None:
    embedded_metrics(json.dumps({"_aws": value}), now=NOW)
    embedded_metrics(json.dumps({"_aws": {"Timestamp": value, "CloudWatchMetrics": []}}), now=NOW)
    embedded_metrics(line(Latency=value), now=NOW)
    embedded_metrics(
        json.dumps({"_aws": {"Timestamp": 0, "CloudWatchMetrics": [value]}}), now=datetime.fromtimestamp(0, UTC)
    )
    embedded_metrics('"_aws"' + str(value), now=NOW)
