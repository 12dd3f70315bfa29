"""CloudWatch's metrics over SDK and HTTP: samples in, statistics and metric math out."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from miyabi.localcloud.control.cloudwatch import data
from miyabi.localcloud.control.cloudwatch.database import Series
from miyabi.model.metrics import Sample
from tests.contract.cloudwatch import (
    DIMENSIONS,
    SPACE,
    minute,
    put,
    refused,
    statistics,
)
from tests.contract.control_api import Served


def test_samples_of_a_minute_are_one_datapoint_with_all_statistics(cloudwatch: Any) -> None:
    at = minute(5)
    put(cloudwatch, "Latency", {"Value": 1.0, "Timestamp": at, "Unit": "Seconds"})
    put(cloudwatch, "Latency", {"Value": 3.0, "Timestamp": at + timedelta(seconds=59), "Unit": "Seconds"})
    put(cloudwatch, "Latency", {"Value": 9.0, "Timestamp": at + timedelta(seconds=60), "Unit": "Seconds"})
    first, second = statistics(cloudwatch, "Latency")
    assert first == {
        "Timestamp": at,
        "SampleCount": 2.0,
        "Average": 2.0,
        "Sum": 4.0,
        "Minimum": 1.0,
        "Maximum": 3.0,
        "Unit": "Seconds",
    }
    assert second["Timestamp"] == at + timedelta(minutes=1)


def test_percentiles_are_told_from_values_with_counts(cloudwatch: Any) -> None:
    values = {"Values": [float(value) for value in range(1, 101)], "Counts": [1.0] * 100, "Timestamp": minute(3)}
    put(cloudwatch, "Spread", values)
    (point,) = statistics(cloudwatch, "Spread", Statistics=["Average"], ExtendedStatistics=["p50", "p99", "p100"])
    assert point["ExtendedStatistics"] == {"p50": 50.0, "p99": 99.0, "p100": 100.0}
    assert point["Average"] == 50.5


def test_a_statistic_set_of_one_value_keeps_its_percentiles_among_others(cloudwatch: Any) -> None:
    at = {"Timestamp": minute(3)}
    same = {"SampleCount": 9.0, "Sum": 18.0, "Minimum": 2.0, "Maximum": 2.0}
    put(cloudwatch, "Set", {"StatisticValues": same} | at, {"Value": 7.0} | at)
    (point,) = statistics(cloudwatch, "Set", Statistics=None, ExtendedStatistics=["p90", "p91"])
    assert point["ExtendedStatistics"] == {"p90": 2.0, "p91": 7.0}


def test_the_period_of_a_metric_is_its_own(cloudwatch: Any) -> None:
    put(cloudwatch, "Periods", {"Value": 600.0, "Timestamp": minute(3)})
    metric = {"Namespace": SPACE, "MetricName": "Periods", "Dimensions": DIMENSIONS}
    queries = [
        {"Id": f"m{period}", "MetricStat": {"Metric": metric, "Period": period, "Stat": "Sum"}, "ReturnData": False}
        for period in (60, 300)
    ]
    queries.append({"Id": "a", "Expression": "m60 / PERIOD(m300)"})
    found = cloudwatch.get_metric_data(MetricDataQueries=queries, StartTime=minute(10), EndTime=minute(0))
    assert [one["Values"] for one in found["MetricDataResults"]] == [[2.0]]


def test_dimensions_must_match_exactly(cloudwatch: Any) -> None:
    put(cloudwatch, "Exact", {"Value": 1.0, "Timestamp": minute(2)})
    assert statistics(cloudwatch, "Exact", Dimensions=[]) == []
    assert len(statistics(cloudwatch, "Exact")) == 1


def test_periods_begin_at_the_start_time(cloudwatch: Any) -> None:
    put(cloudwatch, "Aligned", *({"Value": 1.0, "Timestamp": minute(ago)} for ago in (9, 8, 7, 6, 5)))
    points = statistics(cloudwatch, "Aligned", StartTime=minute(9), EndTime=minute(4), Period=180)
    assert [(point["Timestamp"], point["Sum"]) for point in points] == [(minute(9), 3.0), (minute(6), 2.0)]


def test_data_by_the_second_is_there_for_three_hours(cloudwatch: Any) -> None:
    long_ago, lately = minute(190), minute(10)
    put(cloudwatch, "Fine", *({"Value": 1.0, "Timestamp": at, "StorageResolution": 1} for at in (long_ago, lately)))

    def times(period: int) -> list[datetime]:
        points = (
            statistics(cloudwatch, "Fine", StartTime=at, EndTime=at + timedelta(minutes=5), Period=period)
            for at in (long_ago, lately)
        )
        return [point["Timestamp"] for found in points for point in found]

    assert (times(10), times(60)) == ([lately], [long_ago, lately])


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"Period": 45}, "InvalidParameterValue"),
        ({"StartTime": minute(0), "EndTime": minute(5)}, "InvalidParameterCombination"),
        ({"StartTime": minute(3000), "Period": 60}, "InvalidParameterCombination"),
        ({"Statistics": None}, "MissingParameter"),
        ({"Statistics": None, "ExtendedStatistics": ["p101"]}, "InvalidParameterValue"),
    ],
)
def test_statistics_that_cannot_be_told_are_refused(cloudwatch: Any, given: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        statistics(cloudwatch, "Latency", **given)
    assert caught.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("namespace", "datum", "code"),
    [
        ("AWS/ECS", {"Value": 1.0}, "InvalidParameterValue"),
        (SPACE, {}, "InvalidParameterCombination"),
        (SPACE, {"Value": 1.0, "Values": [1.0]}, "InvalidParameterCombination"),
        (SPACE, {"Value": 1.0, "Timestamp": minute(60 * 24 * 15)}, "InvalidParameterValue"),
        (SPACE, {"Value": 1.0, "StorageResolution": 7}, "InvalidParameterValue"),
        (SPACE, {"Values": [1.0], "Counts": [1.0, 2.0]}, "InvalidParameterValue"),
    ],
)
def test_samples_that_cannot_be_kept_are_refused(
    cloudwatch: Any, namespace: str, datum: dict[str, Any], code: str
) -> None:
    data = [{"MetricName": "Bad"} | datum]
    assert refused(cloudwatch.put_metric_data, Namespace=namespace, MetricData=data) == code
    assert cloudwatch.list_metrics(MetricName="Bad")["Metrics"] == []


def test_metrics_are_listed_by_name_and_dimension(cloudwatch: Any) -> None:
    put(cloudwatch, "Listed", {"Value": 1.0})
    expected = [{"Namespace": SPACE, "MetricName": "Listed", "Dimensions": DIMENSIONS}]
    assert cloudwatch.list_metrics(Namespace=SPACE, MetricName="Listed")["Metrics"] == expected
    assert cloudwatch.list_metrics(MetricName="Listed", Dimensions=[{"Name": "Service"}])["Metrics"] == expected
    assert cloudwatch.list_metrics(MetricName="Listed", Dimensions=[{"Name": "Other"}])["Metrics"] == []


def test_metric_data_brings_metrics_expressions_and_searches(cloudwatch: Any) -> None:
    for ago, hits, misses in ((4, 8.0, 2.0), (3, 0.0, 0.0), (2, 9.0, 1.0)):
        put(cloudwatch, "Hits", {"Value": hits, "Timestamp": minute(ago)})
        put(cloudwatch, "Misses", {"Value": misses, "Timestamp": minute(ago)})

    def stat(name: str) -> dict[str, Any]:
        metric = {"Namespace": SPACE, "MetricName": name, "Dimensions": DIMENSIONS}
        return {"Metric": metric, "Period": 60, "Stat": "Sum"}

    found = cloudwatch.get_metric_data(
        MetricDataQueries=[
            {"Id": "hits", "MetricStat": stat("Hits"), "ReturnData": False},
            {"Id": "misses", "MetricStat": stat("Misses"), "ReturnData": False},
            {"Id": "rate", "Expression": "100 * hits / (hits + misses)", "Label": "hit rate"},
            {"Id": "filled", "Expression": "FILL(rate, 0)"},
            {"Id": "all", "Expression": f"SEARCH('{{{SPACE},Service}} MetricName=\"Hits\"', 'Sum', 60)"},
        ],
        StartTime=minute(5),
        EndTime=minute(1),
        ScanBy="TimestampAscending",
    )["MetricDataResults"]
    by_id = {one["Id"]: one for one in found}
    assert by_id.keys() == {"rate", "filled", "all"}
    assert by_id["rate"]["Label"] == "hit rate"
    assert by_id["rate"]["Timestamps"] == [minute(4), minute(2)], "a division by zero leaves no datapoint"
    assert by_id["rate"]["Values"] == [80.0, 90.0]
    assert by_id["filled"]["Values"] == [0.0, 80.0, 0.0, 90.0]
    assert by_id["all"]["Values"] == [8.0, 0.0, 9.0]


def test_metric_data_comes_in_pages(cloudwatch: Any) -> None:
    put(cloudwatch, "Paged", *({"Value": float(ago), "Timestamp": minute(ago)} for ago in range(1, 8)))
    metric = {"Namespace": SPACE, "MetricName": "Paged", "Dimensions": DIMENSIONS}
    asked = {
        "MetricDataQueries": [{"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}],
        "StartTime": minute(10),
        "EndTime": minute(0),
        "MaxDatapoints": 3,
    }
    pages = list(cloudwatch.get_paginator("get_metric_data").paginate(**asked))
    values = [value for page in pages for one in page["MetricDataResults"] for value in one["Values"]]
    assert values == [float(ago) for ago in range(1, 8)]
    codes = [one["StatusCode"] for page in pages for one in page["MetricDataResults"]]
    assert codes == ["PartialData", "PartialData", "Complete"]


@pytest.mark.parametrize("expression", ["m1 +", "NOPE(m1)", "m2", "a"])
def test_expressions_that_mean_nothing_are_refused(cloudwatch: Any, expression: str) -> None:
    queries = [{"Id": "a", "Expression": expression}]
    given = {"MetricDataQueries": queries, "StartTime": minute(5), "EndTime": minute(1)}
    assert refused(cloudwatch.get_metric_data, **given) == "ValidationError"


def test_a_range_since_1970_is_what_is_kept_at_most_and_not_filled_beyond_a_call_s_datapoints(cloudwatch: Any) -> None:
    given = {"StartTime": datetime(1970, 1, 1, tzinfo=UTC), "EndTime": minute(0)}
    by_hours = [{"Id": "a", "Expression": "TIME_SERIES(1)", "Period": 3600}]
    (found,) = cloudwatch.get_metric_data(MetricDataQueries=by_hours, **given)["MetricDataResults"]
    assert 455 * 24 <= len(found["Values"]) <= 455 * 24 + 2
    by_minutes = [{"Id": "a", "Expression": "TIME_SERIES(1)"}]
    assert refused(cloudwatch.get_metric_data, MetricDataQueries=by_minutes, **given) == "ValidationError"


def test_what_would_keep_the_control_plane_for_long_is_refused(
    cloudwatch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "_MOST_VALUES", 100)
    put(cloudwatch, "Much", {"Values": [float(value) for value in range(150)], "Timestamp": minute(3)})
    metric = {"Namespace": SPACE, "MetricName": "Much", "Dimensions": DIMENSIONS}
    queries = [{"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "p50"}}]
    given = {"MetricDataQueries": queries, "StartTime": minute(5), "EndTime": minute(0)}
    assert refused(cloudwatch.get_metric_data, **given) == "ValidationError"
    with pytest.raises(ClientError, match="InvalidParameterCombination"):
        statistics(cloudwatch, "Much", Statistics=None, ExtendedStatistics=["p50"])
    assert len(statistics(cloudwatch, "Much")) == 1


def test_a_large_request_that_the_sdk_compresses_is_understood(cloudwatch: Any) -> None:
    data = [{"Value": float(number), "Timestamp": minute(6), "Unit": "Count"} for number in range(1000)]
    put(cloudwatch, "Compressed", *data)
    (point,) = statistics(cloudwatch, "Compressed")
    assert (point["SampleCount"], point["Sum"]) == (1000.0, 499_500.0)


def day_read(served: Served, cloudwatch: Any) -> float:
    """Ask for a day of minutes of one among a hundred series; return what it took, the best of five.

    Seconds of the one worker thread's own time.
    """
    day = minute(1440)
    begin = int(day.timestamp())
    for number in range(100):
        series = Series("us-west-2", SPACE, "Day", (("Service", f"s{number}"),), "Count")
        points = [(series, begin + 60 * one, 60, Sample.of(float(one))) for one in range(1440)]
        served.on_worker(served.cloudwatch.database.write, points)
    taken = []
    for number in range(5):
        before = served.on_worker(time.thread_time)
        found = statistics(
            cloudwatch,
            "Day",
            Dimensions=[{"Name": "Service", "Value": f"s{number}"}],
            StartTime=day,
            EndTime=day + timedelta(days=1),
            Statistics=["Average"],
        )
        taken.append(served.on_worker(time.thread_time) - before)
        assert len(found) == 1440
    return min(taken)


def test_a_day_of_minutes_among_a_hundred_series_is_read_quickly(served: Served, cloudwatch: Any) -> None:
    assert day_read(served, cloudwatch) < 0.050


def test_log_lines_carry_metrics(served: Served, cloudwatch: Any) -> None:
    logs = served.client("logs")
    logs.create_log_group(logGroupName="/emf")
    logs.create_log_stream(logGroupName="/emf", logStreamName="s")
    at = minute(2)
    directive = {"Namespace": SPACE, "Dimensions": [["Service"]], "Metrics": [{"Name": "Embedded", "Unit": "Count"}]}
    about = {"Timestamp": int(at.timestamp() * 1000), "CloudWatchMetrics": [directive]}
    message = json.dumps({"_aws": about, "Service": "web", "Embedded": [1, 4]})
    event = {"timestamp": int(time.time() * 1000), "message": message}
    logs.put_log_events(logGroupName="/emf", logStreamName="s", logEvents=[event])
    (point,) = statistics(cloudwatch, "Embedded")
    assert (point["Timestamp"], point["Sum"], point["Unit"]) == (at, 5.0, "Count")


def test_a_line_whose_metric_is_too_large_is_a_log_event_like_others(served: Served, cloudwatch: Any) -> None:
    logs = served.client("logs")
    logs.create_log_group(logGroupName="/large")
    logs.create_log_stream(logGroupName="/large", logStreamName="s")
    directive = {"Namespace": SPACE, "Dimensions": [["Service"]], "Metrics": [{"Name": "Large"}]}
    about = {"Timestamp": int(minute(2).timestamp() * 1000), "CloudWatchMetrics": [directive]}
    lines = [json.dumps({"_aws": about, "Service": "web", "Large": value}) for value in (10**310, 5, [1e308, 1e308])]
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": message} for message in lines]
    logs.put_log_events(logGroupName="/large", logStreamName="s", logEvents=events)
    assert len(logs.get_log_events(logGroupName="/large", logStreamName="s")["events"]) == 3
    (point,) = statistics(cloudwatch, "Large")
    assert (point["SampleCount"], point["Sum"]) == (1.0, 5.0)


def test_stock_dashboards_stay(cloudwatch: Any) -> None:
    cloudwatch.put_dashboard(DashboardName="board", DashboardBody=json.dumps({"widgets": []}))
    assert json.loads(cloudwatch.get_dashboard(DashboardName="board")["DashboardBody"]) == {"widgets": []}
