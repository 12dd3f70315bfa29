"""CloudWatch's alarms over SDK and HTTP: their evaluation, their actions, mute rules."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from miyabi.localcloud.control.cloudwatch.alarms import CloudWatch
from miyabi.localcloud.control.cloudwatch.evaluation import Evaluation
from miyabi.localcloud.control.cloudwatch.transitions import Transitions
from miyabi.localcloud.control.service import Caller
from tests.contract.cloudwatch import (
    DIMENSIONS,
    SPACE,
    alarm,
    described,
    evaluate,
    minute,
    put,
    refused,
)
from tests.contract.control_api import Served


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
