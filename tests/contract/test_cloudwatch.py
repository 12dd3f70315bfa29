"""CloudWatch's API over SDK and HTTP: metrics in and out, alarms, their evaluation and what follows from it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from miyabi.localcloud.control.cloudwatch import data
from miyabi.localcloud.control.cloudwatch.alarms import CloudWatch
from miyabi.localcloud.control.cloudwatch.database import Series
from miyabi.localcloud.control.cloudwatch.evaluation import Evaluation
from miyabi.localcloud.control.cloudwatch.transitions import Transitions
from miyabi.localcloud.control.service import Caller
from miyabi.model.metrics import Sample
from tests.contract.control_api import Served, serve

SPACE = "Shop"
DIMENSIONS = [{"Name": "Service", "Value": "web"}]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("cloudwatch")) as served:
        yield served


@pytest.fixture(scope="module")
def cloudwatch(served: Served) -> Any:
    return served.client("cloudwatch")


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


def test_an_alarm_goes_off_after_all_its_periods_and_tells_its_topic(served: Served, cloudwatch: Any) -> None:
    sqs, sns = served.client("sqs"), served.client("sns")
    queue = sqs.create_queue(QueueName="pages")["QueueUrl"]
    topic = sns.create_topic(Name="pages")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-west-2:{served.instance.account}:pages")
    cloudwatch.put_metric_alarm(**alarm("Busy", AlarmActions=[topic], OKActions=[topic], AlarmDescription="too busy"))
    fresh = described(cloudwatch, "Busy")
    assert fresh["StateValue"] == "INSUFFICIENT_DATA"
    put(cloudwatch, "Busy", *({"Value": 90.0, "Timestamp": minute(ago)} for ago in (4, 3)))
    put(cloudwatch, "Busy", {"Value": 10.0, "Timestamp": minute(5)})

    evaluate(served, minute(2))
    assert described(cloudwatch, "Busy")["StateValue"] == "OK", "two of three periods breach"
    put(cloudwatch, "Busy", {"Value": 90.0, "Timestamp": minute(2)})
    evaluate(served, minute(1))
    raised = described(cloudwatch, "Busy")
    assert raised["StateValue"] == "ALARM"
    assert json.loads(raised["StateReasonData"])["recentDatapoints"] == [90.0, 90.0, 90.0]

    bodies = [
        json.loads(json.loads(one["Body"])["Message"])
        for one in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    ]
    assert [(body["OldStateValue"], body["NewStateValue"]) for body in bodies] == [
        ("INSUFFICIENT_DATA", "OK"),
        ("OK", "ALARM"),
    ]
    assert bodies[1]["Region"] == "US West (Oregon)"
    assert bodies[1]["Trigger"]["MetricName"] == "Busy"
    history = cloudwatch.describe_alarm_history(AlarmName="Busy")["AlarmHistoryItems"]
    assert [item["HistoryItemType"] for item in history] == [
        "Action",
        "StateUpdate",
        "Action",
        "StateUpdate",
        "ConfigurationUpdate",
    ]
    assert history[1]["HistorySummary"] == "Alarm updated from OK to ALARM"


def test_actions_that_are_disabled_are_not_taken(served: Served, cloudwatch: Any) -> None:
    topic = served.client("sns").create_topic(Name="quiet")["TopicArn"]
    cloudwatch.put_metric_alarm(**alarm("Quiet", AlarmActions=[topic]))
    cloudwatch.disable_alarm_actions(AlarmNames=["Quiet"])
    cloudwatch.set_alarm_state(AlarmName="Quiet", StateValue="ALARM", StateReason="trying")
    kinds = [
        item["HistoryItemType"] for item in cloudwatch.describe_alarm_history(AlarmName="Quiet")["AlarmHistoryItems"]
    ]
    assert kinds == ["StateUpdate", "ConfigurationUpdate", "ConfigurationUpdate"]
    cloudwatch.enable_alarm_actions(AlarmNames=["Quiet"])
    assert described(cloudwatch, "Quiet")["ActionsEnabled"] is True


def test_a_mute_rule_holds_actions_back_and_what_is_in_alarm_acts_when_it_ends(served: Served, cloudwatch: Any) -> None:
    topic = served.client("sns").create_topic(Name="muted")["TopicArn"]
    cloudwatch.put_metric_alarm(**alarm("Muted", AlarmActions=[topic]))
    begin = datetime.now(UTC)
    schedule = {"Expression": f"at({begin:%Y-%m-%dT%H:%M})", "Duration": "PT30M"}
    rule = {"Name": "night", "Rule": {"Schedule": schedule}, "MuteTargets": {"AlarmNames": ["Muted"]}}
    cloudwatch.put_alarm_mute_rule(**rule)
    (summary,) = cloudwatch.list_alarm_mute_rules(AlarmName="Muted")["AlarmMuteRuleSummaries"]
    assert (summary["Status"], summary["MuteType"]) == ("ACTIVE", "ONE_TIME")
    assert cloudwatch.get_alarm_mute_rule(AlarmMuteRuleName="night")["Rule"]["Schedule"]["Duration"] == "PT30M"

    def actions() -> list[str]:
        given = {"AlarmName": "Muted", "HistoryItemType": "Action"}
        return [one["HistorySummary"] for one in cloudwatch.describe_alarm_history(**given)["AlarmHistoryItems"]]

    evaluation = Evaluation(served.cloudwatch)
    cloudwatch.set_alarm_state(AlarmName="Muted", StateValue="ALARM", StateReason="trying")
    assert served.on_worker(evaluation.compose, datetime.now(UTC)), "it is looked at again"
    assert actions() == []
    served.on_worker(evaluation.compose, begin + timedelta(minutes=31))
    assert actions() == [f"Successfully executed action {topic}"]

    cloudwatch.set_alarm_state(AlarmName="Muted", StateValue="OK", StateReason="trying")
    cloudwatch.set_alarm_state(AlarmName="Muted", StateValue="ALARM", StateReason="trying")
    assert len(actions()) == 1
    cloudwatch.delete_alarm_mute_rule(AlarmMuteRuleName="night")
    served.on_worker(evaluation.compose, datetime.now(UTC))
    assert len(actions()) == 2
    cloudwatch.delete_alarm_mute_rule(AlarmMuteRuleName="night")
    assert refused(cloudwatch.get_alarm_mute_rule, AlarmMuteRuleName="night") == "ResourceNotFoundException"
    bad = {**rule, "Rule": {"Schedule": schedule | {"Duration": "PT0M"}}}
    assert refused(cloudwatch.put_alarm_mute_rule, **bad) == "ValidationError"


@pytest.mark.parametrize(
    "given",
    [
        {"Expression": "at(9999-12-31T23:59)", "Timezone": "America/Los_Angeles"},
        {"Expression": "at(0001-01-01T00:00)", "Timezone": "Asia/Tokyo"},
        {"StartDate": datetime(1, 1, 1, tzinfo=UTC)},
        {"StartDate": datetime(9999, 12, 31, tzinfo=UTC)},
        {"Timezone": "America"},
    ],
)
def test_a_mute_rule_that_could_never_be_told_is_refused(cloudwatch: Any, given: dict[str, Any]) -> None:
    start = {name: given[name] for name in given.keys() & {"StartDate"}}
    schedule = {"Expression": "cron(0 2 * * *)", "Duration": "PT30M"} | given
    schedule.pop("StartDate", None)
    rule = {"Rule": {"Schedule": schedule}, "MuteTargets": {"AlarmNames": ["Any"]}}
    assert refused(cloudwatch.put_alarm_mute_rule, Name="far", **rule, **start) == "ValidationError"
    cloudwatch.list_alarm_mute_rules()


def test_a_topic_that_is_gone_is_written_down_as_a_failed_action(served: Served, cloudwatch: Any) -> None:
    gone = f"arn:aws:sns:us-west-2:{served.instance.account}:gone"
    cloudwatch.put_metric_alarm(**alarm("Lost", AlarmActions=[gone]))
    cloudwatch.set_alarm_state(AlarmName="Lost", StateValue="ALARM", StateReason="trying")
    (action,) = cloudwatch.describe_alarm_history(AlarmName="Lost", HistoryItemType="Action")["AlarmHistoryItems"]
    assert action["HistorySummary"] == f"Failed to execute action {gone}"


def test_an_alarm_that_cannot_be_evaluated_harms_no_other(served: Served, cloudwatch: Any) -> None:
    topic = served.client("sns").create_topic(Name="unharmed")["TopicArn"]
    for name in ("A broken one", "Whole"):
        cloudwatch.put_metric_alarm(**alarm(name, EvaluationPeriods=1, AlarmActions=[topic]))
        put(cloudwatch, name, *({"Value": 90.0 + ago, "Timestamp": minute(ago)} for ago in (3, 2)))
    cloudwatch.put_composite_alarm(AlarmName="Unreadable", AlarmRule="ALARM(Whole)")
    cloudwatch.put_composite_alarm(AlarmName="Upon it", AlarmRule="ALARM(Whole)")
    tables = served.cloudwatch.alarms

    def damage() -> None:
        broken, unreadable = (
            tables.metric.get("us-west-2", "A broken one"),
            tables.composite.get("us-west-2", "Unreadable"),
        )
        assert broken is not None
        assert unreadable is not None
        assert broken.watched.stat is not None
        queries = (replace(broken.watched, stat=replace(broken.watched.stat, statistic="p")),)
        tables.put("us-west-2", replace(broken, queries=queries))
        tables.put("us-west-2", replace(unreadable, expression="ALARM("))

    served.on_worker(damage)
    for _ in range(3):
        evaluate(served, minute(1))
    assert described(cloudwatch, "A broken one")["StateValue"] == "INSUFFICIENT_DATA"
    assert described(cloudwatch, "Whole")["StateValue"] == "ALARM"
    actions = cloudwatch.describe_alarm_history(AlarmName="Whole", HistoryItemType="Action")["AlarmHistoryItems"]
    assert [one["HistorySummary"] for one in actions] == [f"Successfully executed action {topic}"], "told once"
    found = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"], AlarmNames=["Upon it"])["CompositeAlarms"]
    assert found[0]["StateValue"] == "ALARM"
    cloudwatch.delete_alarms(AlarmNames=["A broken one", "Unreadable"])


class Failing:
    """Topics that fail in a way that nobody foresaw."""

    def publish(self, caller: Caller, topic_arn: str, subject: str, message: str) -> None:
        raise RuntimeError("what is this")


def test_a_topic_that_fails_in_any_way_does_not_make_the_transition_happen_again(
    served: Served, cloudwatch: Any
) -> None:
    topic = served.client("sns").create_topic(Name="failing")["TopicArn"]
    cloudwatch.put_metric_alarm(**alarm("Untold", EvaluationPeriods=1, AlarmActions=[topic]))
    put(cloudwatch, "Untold", {"Value": 90.0, "Timestamp": minute(2)})
    mine = served.cloudwatch
    transitions = Transitions(mine.alarms, Failing(), served.instance.account, lambda: "key")
    failing = CloudWatch(mine.database, mine.alarms, transitions, mine.tempo, lambda: datetime.now(UTC), lambda: None)
    for _ in range(2):
        served.on_worker(Evaluation(failing).evaluate, 60, int(minute(1).timestamp()), datetime.now(UTC))
    (action,) = cloudwatch.describe_alarm_history(AlarmName="Untold", HistoryItemType="Action")["AlarmHistoryItems"]
    assert action["HistorySummary"] == f"Failed to execute action {topic}"
    assert described(cloudwatch, "Untold")["StateValue"] == "ALARM"


def test_an_alarm_on_an_expression_watches_its_value(served: Served, cloudwatch: Any) -> None:
    stat = {
        "Metric": {"Namespace": SPACE, "MetricName": "Errors", "Dimensions": DIMENSIONS},
        "Period": 60,
        "Stat": "Sum",
    }
    cloudwatch.put_metric_alarm(
        AlarmName="Errors",
        Metrics=[
            {"Id": "e", "MetricStat": stat, "ReturnData": False},
            {"Id": "f", "Expression": "FILL(e, 0) + 1", "ReturnData": True},
        ],
        EvaluationPeriods=1,
        Threshold=5.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    evaluate(served, minute(1))
    assert described(cloudwatch, "Errors")["StateValue"] == "OK"
    put(cloudwatch, "Errors", {"Value": 5.0, "Timestamp": minute(2)})
    evaluate(served, minute(1))
    found = described(cloudwatch, "Errors")
    assert found["StateValue"] == "ALARM"
    assert [query["Id"] for query in found["Metrics"]] == ["e", "f"]
    assert "MetricName" not in found


def test_a_composite_alarm_follows_its_rule_and_its_suppressor(served: Served, cloudwatch: Any) -> None:
    topic = served.client("sns").create_topic(Name="composite")["TopicArn"]
    for name in ("One", "Two", "Maintenance"):
        cloudwatch.put_metric_alarm(**alarm(name))
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="begin")
    cloudwatch.set_alarm_state(AlarmName="Maintenance", StateValue="ALARM", StateReason="begin")
    cloudwatch.put_composite_alarm(
        AlarmName="Both",
        AlarmRule='ALARM("One") AND NOT OK(Two)',
        AlarmActions=[topic],
        ActionsSuppressor="Maintenance",
        ActionsSuppressorWaitPeriod=1,
        ActionsSuppressorExtensionPeriod=1,
    )
    evaluation = Evaluation(served.cloudwatch)

    def composed(seconds: float = 0) -> dict[str, Any]:
        served.on_worker(evaluation.compose, datetime.now(UTC) + timedelta(seconds=seconds))
        (found,) = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"], AlarmNames=["Both"])["CompositeAlarms"]
        return dict(found)

    assert composed()["StateValue"] == "OK"
    for name in ("One", "Two"):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="go")
    suppressed = composed()
    assert (suppressed["StateValue"], suppressed["ActionsSuppressedBy"]) == ("ALARM", "Alarm")
    cloudwatch.set_alarm_state(AlarmName="Maintenance", StateValue="OK", StateReason="over")
    assert composed()["ActionsSuppressedBy"] == "ExtensionPeriod"
    acted = composed(seconds=2)
    assert "ActionsSuppressedBy" not in acted
    asked = {"AlarmName": "Both", "HistoryItemType": "Action"}
    assert cloudwatch.describe_alarm_history(**asked)["AlarmHistoryItems"] == [], "composite ones are asked for"
    (action,) = cloudwatch.describe_alarm_history(**asked, AlarmTypes=["CompositeAlarm"])["AlarmHistoryItems"]
    assert action["HistorySummary"] == f"Successfully executed action {topic}"
    assert cloudwatch.describe_alarms(AlarmNamePrefix="Both")["MetricAlarms"] == []


def composite(cloudwatch: Any, name: str) -> dict[str, Any]:
    (found,) = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"], AlarmNames=[name])["CompositeAlarms"]
    return dict(found)


def actions_of(cloudwatch: Any, name: str) -> int:
    given = {"AlarmName": name, "AlarmTypes": ["MetricAlarm", "CompositeAlarm"], "HistoryItemType": "Action"}
    return len(cloudwatch.describe_alarm_history(**given)["AlarmHistoryItems"])


def set_state(cloudwatch: Any, name: str, state: str) -> None:
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="trying")


def test_a_composite_alarm_whose_state_is_set_acts_and_stays_until_a_child_changes(
    served: Served, cloudwatch: Any
) -> None:
    topic = served.client("sns").create_topic(Name="rehearsed")["TopicArn"]
    cloudwatch.put_metric_alarm(**alarm("Child"))
    set_state(cloudwatch, "Child", "OK")
    rule = {"AlarmName": "Rehearsed", "AlarmRule": "ALARM(Child)", "AlarmActions": [topic]}
    cloudwatch.put_composite_alarm(**rule)
    compose = Evaluation(served.cloudwatch).compose
    served.on_worker(compose, datetime.now(UTC))

    set_state(cloudwatch, "Rehearsed", "ALARM")
    assert actions_of(cloudwatch, "Rehearsed") == 1, "at once"
    served.on_worker(compose, datetime.now(UTC))
    assert composite(cloudwatch, "Rehearsed")["StateValue"] == "ALARM"
    set_state(cloudwatch, "Child", "INSUFFICIENT_DATA")
    served.on_worker(compose, datetime.now(UTC))
    assert composite(cloudwatch, "Rehearsed")["StateValue"] == "OK"

    set_state(cloudwatch, "Rehearsed", "ALARM")
    cloudwatch.put_composite_alarm(**rule, AlarmDescription="changed")
    served.on_worker(compose, datetime.now(UTC))
    assert composite(cloudwatch, "Rehearsed")["StateValue"] == "OK"


def test_each_transition_of_a_composite_alarm_has_a_wait_period_and_acts_after_it(
    served: Served, cloudwatch: Any
) -> None:
    topic = served.client("sns").create_topic(Name="waiting")["TopicArn"]
    for name in ("Fault", "Deploying"):
        cloudwatch.put_metric_alarm(**alarm(name))
        set_state(cloudwatch, name, "OK")
    cloudwatch.put_composite_alarm(
        AlarmName="Patient",
        AlarmRule="ALARM(Fault)",
        AlarmActions=[topic],
        OKActions=[topic],
        ActionsSuppressor="Deploying",
        ActionsSuppressorWaitPeriod=60,
        ActionsSuppressorExtensionPeriod=120,
    )
    evaluation, begin = Evaluation(served.cloudwatch), datetime.now(UTC)

    def composed(seconds: float) -> tuple[str, str | None, int]:
        served.on_worker(evaluation.compose, begin + timedelta(seconds=seconds))
        found = composite(cloudwatch, "Patient")
        return found["StateValue"], found.get("ActionsSuppressedBy"), actions_of(cloudwatch, "Patient")

    assert composed(0) == ("OK", "WaitPeriod", 0)
    assert composed(60) == ("OK", None, 1)
    set_state(cloudwatch, "Fault", "ALARM")
    assert composed(100) == ("ALARM", "WaitPeriod", 1)
    set_state(cloudwatch, "Fault", "OK")
    assert composed(130) == ("OK", "WaitPeriod", 1)
    assert composed(189) == ("OK", "WaitPeriod", 1)
    assert composed(190) == ("OK", None, 2), "also of a state that it was in before"
    assert composed(999) == ("OK", None, 2)


def test_what_a_mute_rule_or_a_suppressor_holds_back_is_not_lost_by_a_change_of_the_alarm(
    served: Served, cloudwatch: Any
) -> None:
    topic = served.client("sns").create_topic(Name="changing")["TopicArn"]
    begin = datetime.now(UTC)
    schedule = {"Expression": f"at({begin:%Y-%m-%dT%H:%M})", "Duration": "PT30M"}
    targets = {"AlarmNames": ["Changing", "Changing above"]}
    cloudwatch.put_metric_alarm(**alarm("Changing", AlarmActions=[topic]))
    cloudwatch.put_metric_alarm(**alarm("Upkeep"))
    set_state(cloudwatch, "Upkeep", "ALARM")
    above = {"AlarmRule": "ALARM(Changing)", "AlarmActions": [topic], "OKActions": [topic]}
    held = {
        "ActionsSuppressor": "Upkeep",
        "ActionsSuppressorWaitPeriod": 60,
        "ActionsSuppressorExtensionPeriod": 60,
    }
    cloudwatch.put_alarm_mute_rule(Name="change", Rule={"Schedule": schedule}, MuteTargets=targets)
    compose = Evaluation(served.cloudwatch).compose
    cloudwatch.put_composite_alarm(AlarmName="Changing above", **above)
    cloudwatch.put_composite_alarm(AlarmName="Held above", **above, **held)
    set_state(cloudwatch, "Changing", "ALARM")
    served.on_worker(compose, datetime.now(UTC))
    assert composite(cloudwatch, "Held above")["ActionsSuppressedBy"] == "Alarm"

    cloudwatch.put_metric_alarm(**alarm("Changing", AlarmActions=[topic], Threshold=80.0))
    cloudwatch.put_composite_alarm(AlarmName="Changing above", **above, AlarmDescription="changed")
    cloudwatch.put_composite_alarm(AlarmName="Held above", **above, **held, AlarmDescription="changed")
    assert composite(cloudwatch, "Held above")["ActionsSuppressedBy"] == "Alarm"
    names = ("Changing", "Changing above", "Held above")
    assert [actions_of(cloudwatch, name) for name in names] == [0, 0, 0]
    served.on_worker(compose, begin + timedelta(minutes=31))
    assert [actions_of(cloudwatch, name) for name in names] == [1, 1, 0]
    set_state(cloudwatch, "Upkeep", "OK")
    served.on_worker(compose, datetime.now(UTC))
    assert composite(cloudwatch, "Held above")["ActionsSuppressedBy"] == "ExtensionPeriod"
    served.on_worker(compose, begin + timedelta(minutes=33))
    assert [actions_of(cloudwatch, name) for name in names] == [1, 1, 1]

    set_state(cloudwatch, "Changing", "OK")
    served.on_worker(compose, datetime.now(UTC))
    assert composite(cloudwatch, "Changing above")["StateValue"] == "OK"
    served.on_worker(compose, begin + timedelta(minutes=35))
    assert actions_of(cloudwatch, "Changing above") == 1, "to be told that it is over is not made up for"
    cloudwatch.delete_alarm_mute_rule(AlarmMuteRuleName="change")


def test_an_alarm_that_a_composite_one_depends_on_is_not_deleted(cloudwatch: Any) -> None:
    for name in ("Needed", "Needless"):
        cloudwatch.put_metric_alarm(**alarm(name))
    arn = described(cloudwatch, "Needed")["AlarmArn"]
    for name in ("Above one", "Above two"):
        cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=f'ALARM("{arn}")')
    with pytest.raises(ClientError) as caught:
        cloudwatch.delete_alarms(AlarmNames=["Needless", "Needed"])
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationError"
    assert error["Message"] == "Cannot delete Needed as there are composite alarm(s) depending on it."
    assert described(cloudwatch, "Needless")
    assert refused(cloudwatch.delete_alarms, AlarmNames=["Above one", "Above two"]) == "ValidationError"
    cloudwatch.delete_alarms(AlarmNames=["Above one"])
    cloudwatch.delete_alarms(AlarmNames=["Nobody", "Above two", "Needed", "Needless"])
    assert cloudwatch.describe_alarms(AlarmNames=["Needed", "Needless"])["MetricAlarms"] == []


def test_composite_alarms_that_depend_on_each_other_are_neither_evaluated_nor_deleted(
    served: Served, cloudwatch: Any
) -> None:
    cloudwatch.put_composite_alarm(AlarmName="X", AlarmRule="FALSE")
    cloudwatch.put_composite_alarm(AlarmName="Y", AlarmRule="NOT ALARM(X)")
    cloudwatch.put_composite_alarm(AlarmName="X", AlarmRule="ALARM(Y)")
    compose = Evaluation(served.cloudwatch).compose
    for _ in range(3):
        served.on_worker(compose, datetime.now(UTC))
    assert [composite(cloudwatch, name)["StateValue"] for name in "XY"] == ["INSUFFICIENT_DATA"] * 2
    assert refused(cloudwatch.delete_alarms, AlarmNames=["X"]) == "ValidationError"
    cloudwatch.put_composite_alarm(AlarmName="X", AlarmRule="FALSE")
    served.on_worker(compose, datetime.now(UTC))
    assert [composite(cloudwatch, name)["StateValue"] for name in "XY"] == ["OK", "ALARM"]
    cloudwatch.delete_alarms(AlarmNames=["Y"])
    cloudwatch.delete_alarms(AlarmNames=["X"])


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"Period": 45}, "ValidationError"),
        ({"EvaluationPeriods": 2, "DatapointsToAlarm": 3}, "ValidationError"),
        ({"Period": 3600, "EvaluationPeriods": 200}, "ValidationError"),
        ({"Statistic": "Average", "ExtendedStatistic": "p99"}, "InvalidParameterCombination"),
        ({"AlarmActions": ["topic"]}, "ValidationError"),
        ({"TreatMissingData": "whatever"}, "ValidationError"),
    ],
)
def test_alarms_that_cannot_be_evaluated_are_refused(cloudwatch: Any, given: dict[str, Any], code: str) -> None:
    assert refused(cloudwatch.put_metric_alarm, **alarm("Bad", **given)) == code
    assert cloudwatch.describe_alarms(AlarmNames=["Bad"])["MetricAlarms"] == []


@pytest.mark.parametrize(("of_metric", "of_expression"), [(1, None), (60, 5)])
def test_an_alarm_on_queries_has_a_period_that_is_evaluated(
    cloudwatch: Any, of_metric: int, of_expression: int | None
) -> None:
    metric = {"Namespace": SPACE, "MetricName": "Bad", "Dimensions": DIMENSIONS}
    stat = {"Metric": metric, "Period": of_metric, "Stat": "Sum"}
    period = {} if of_expression is None else {"Period": of_expression}
    queries = [{"Id": "m", "MetricStat": stat, "ReturnData": False}, {"Id": "e", "Expression": "m * 2", **period}]
    given = {name: value for name, value in alarm("Bad").items() if name in {"EvaluationPeriods", "Threshold"}}
    given |= {"AlarmName": "Bad", "ComparisonOperator": "GreaterThanThreshold", "Metrics": queries}
    assert refused(cloudwatch.put_metric_alarm, **given) == "ValidationError"


def test_an_alarm_may_ignore_a_percentile_of_few_samples(served: Served, cloudwatch: Any) -> None:
    boundary = minute(1)
    given = {"Statistic": None, "ExtendedStatistic": "p90", "EvaluationPeriods": 2}
    for name, few in (("Careful", "ignore"), ("Hasty", "evaluate")):
        asked = alarm(name, MetricName="Few", EvaluateLowSampleCountPercentile=few, **given)
        cloudwatch.put_metric_alarm(**{key: value for key, value in asked.items() if value is not None})

    def states(samples: float) -> list[str]:
        put(cloudwatch, "Few", {"Values": [90.0], "Counts": [samples], "Timestamp": boundary - timedelta(minutes=1)})
        evaluate(served, boundary)
        return [described(cloudwatch, name)["StateValue"] for name in ("Careful", "Hasty")]

    put(cloudwatch, "Few", {"Value": 90.0, "Timestamp": boundary - timedelta(minutes=2)})
    assert states(1) == ["INSUFFICIENT_DATA", "ALARM"]
    assert states(97) == ["INSUFFICIENT_DATA", "ALARM"], "99 samples"
    assert states(1) == ["ALARM", "ALARM"]


def test_changing_an_alarm_keeps_its_state_and_tags(cloudwatch: Any) -> None:
    cloudwatch.put_metric_alarm(**alarm("Kept", Tags=[{"Key": "team", "Value": "web"}]))
    cloudwatch.set_alarm_state(AlarmName="Kept", StateValue="ALARM", StateReason="trying")
    cloudwatch.put_metric_alarm(**alarm("Kept", Threshold=80.0))
    found = described(cloudwatch, "Kept")
    assert (found["StateValue"], found["Threshold"]) == ("ALARM", 80.0)
    arn = found["AlarmArn"]
    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "tier", "Value": "1"}])
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "tier", "Value": "1"}]
    cloudwatch.delete_alarms(AlarmNames=["Kept"])
    cloudwatch.put_metric_alarm(**alarm("Kept"))
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == []


def test_an_unknown_alarm_is_said_to_be_unknown(cloudwatch: Any) -> None:
    given = {"AlarmName": "Nobody", "StateValue": "OK", "StateReason": "x"}
    assert refused(cloudwatch.set_alarm_state, **given) == "ResourceNotFound"
    assert refused(cloudwatch.delete_alarms, AlarmNames=["Nobody"]) == "ResourceNotFound"


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
