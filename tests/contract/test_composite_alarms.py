"""CloudWatch's composite alarms over SDK and HTTP: rules, suppression, what depends on what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from miyabi.localcloud.control.cloudwatch.evaluation import Evaluation
from miyabi.model.metrics import AlarmState
from tests.contract.cloudwatch import (
    actions_of,
    alarm,
    composite,
    described,
    refused,
    set_state,
)
from tests.contract.control_api import Served


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


@pytest.mark.parametrize(("acted_on", "count"), [(AlarmState.OK, 1), (AlarmState.ALARM, 0)])
def test_what_a_former_version_held_back_is_acted_on(
    served: Served, cloudwatch: Any, acted_on: AlarmState, count: int
) -> None:
    topic = served.client("sns").create_topic(Name="former")["TopicArn"]
    cloudwatch.put_metric_alarm(**alarm("Under"))
    name = f"Former{count}"
    cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule="NOT ALARM(Under)", AlarmActions=[topic])
    compose = Evaluation(served.cloudwatch).compose
    served.on_worker(compose, datetime.now(UTC))
    tables = served.cloudwatch.alarms
    row = served.on_worker(lambda: tables.composite.get("us-west-2", name))
    former = replace(row, acted_on=acted_on, suppressed_by="WaitPeriod", suppressed_reason="It waits.")
    served.on_worker(lambda: tables.put("us-west-2", former))
    before = actions_of(cloudwatch, name)
    for _ in range(2):
        served.on_worker(compose, datetime.now(UTC))
    assert actions_of(cloudwatch, name) == before + count
    assert "ActionsSuppressedBy" not in composite(cloudwatch, name)


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
