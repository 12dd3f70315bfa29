"""Operations on metrics, alarms and autoscaling against the API in process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from miyabi.model.errors import Conflict, InvalidInput, NotFound
from miyabi.model.metrics import Kind, Measurement, Sample
from miyabi.operations.metrics import MetricReading
from tests.contract.control_api import REGION, serve
from tests.contract.operated import ALARM, CLUSTER, SERVICE, TARGET, Operated


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    root = tmp_path_factory.mktemp("watched")
    (root / "home").mkdir()
    with serve(root / "home") as served:
        world = Operated(served, root)
        subnets = [one["SubnetId"] for one in served.client("ec2").describe_subnets()["Subnets"][:2]]
        world.balancer = (
            served.client("elbv2")
            .create_load_balancer(Name="miyabi-alb-dev", Subnets=subnets)[  # type: ignore[attr-defined]
                "LoadBalancers"
            ][0]["LoadBalancerArn"]
            .partition("loadbalancer/")[2]
        )
        yield world


@pytest.fixture
def world(made: Operated) -> Operated:
    made.reset()
    made.clock = datetime.now(UTC)
    return made


def publish(world: Operated, ago: int, *measurements: Measurement) -> None:
    begin = int(world.clock.timestamp()) // 60 * 60 - ago * 60
    world.on_worker(lambda: world.served.cloudwatch.measured(measurements, begin, 60))


def of_service(name: str, *values: float, space: str = "AWS/ECS") -> Measurement:
    dimensions = {"ClusterName": CLUSTER, "ServiceName": SERVICE}
    return Measurement(REGION, space, name, dimensions, "Percent", Sample.of(*values))


def of_balancer(world: Operated, name: str, *values: float) -> Measurement:
    suffix: str = world.balancer  # type: ignore[attr-defined]
    return Measurement(
        REGION, "AWS/ApplicationELB", name, {"LoadBalancer": suffix}, "Count", Sample.of(*values), Kind.COUNT
    )


def shown(world: Operated, **given: object) -> dict[str, MetricReading]:
    return {one.name: one for one in world.run("metrics.show", **given).metrics}


def test_metrics_are_held_against_their_targets_and_absence_is_said(world: Operated) -> None:
    before = shown(world)
    assert {one.verdict for one in before.values()} == {"no data"}
    assert before["Response time"].reason == "no requests in this time"

    publish(world, 2, of_service("CPUUtilization", 90.0, 92.0), of_service("MemoryUtilization", 30.0))
    publish(
        world,
        1,
        of_service("CPUUtilization", 50.0, 60.0),
        of_service("RunningTaskCount", 1.0, space="ECS/ContainerInsights"),
        of_balancer(world, "RequestCount", 120.0),
        of_balancer(world, "TargetResponseTime", 0.01, 0.5),
    )
    found = shown(world, window=timedelta(minutes=10))
    cpu = found["CPU utilization"]
    assert (cpu.newest, cpu.worst, cpu.typical, cpu.target, cpu.verdict) == (55.0, 91.0, 73.0, "< 70", "ok")
    assert len(cpu.points) == 10
    assert cpu.points[-2:] == (91.0, 55.0)
    assert found["Running tasks"].verdict == "off target"
    assert found["Requests a minute"].newest == 120.0
    assert (found["5xx errors"].newest, found["5xx errors"].verdict) == (0.0, "ok"), "there were requests, and no error"
    assert found["Response time"].verdict == "off target"
    assert found["Response time p99"].newest == 0.5
    assert found["Cache hit ratio"].reason.startswith("nobody read")


def test_a_count_is_0_only_where_there_were_requests_and_told_as_that_of_a_minute(world: Operated) -> None:
    """On AWS a minute's datapoints are published some minutes later: until then nobody knows of an error."""
    for ago in range(5, 15):
        publish(
            world,
            ago,
            of_balancer(world, "RequestCount", 120.0),
            of_balancer(world, "HTTPCode_Target_5XX_Count", 100.0),
        )
    publish(world, 4, of_balancer(world, "RequestCount", 120.0))
    found = shown(world, window=timedelta(minutes=20))
    assert found["5xx errors"].points[-6:-2] == (100.0, 100.0, 0.0, None)
    assert found["5xx errors"].worst == 100.0
    for ago in range(5, 15):
        publish(world, 60 + ago, of_balancer(world, "RequestCount", 120.0))
    wide = shown(world, window=timedelta(minutes=120), period=300)
    assert max(one or 0 for one in wide["Requests a minute"].points) == 120.0


@pytest.mark.parametrize(
    "given",
    [{"period": 90}, {"window": timedelta(days=2)}, {"window": timedelta(minutes=5), "period": 3600}],
)
def test_a_window_that_cannot_be_shown_is_refused(world: Operated, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        world.run("metrics.show", **given)


def test_alarms_are_listed_with_their_condition_and_whether_anybody_hears(world: Operated) -> None:
    world.cloudwatch.set_alarm_state(AlarmName=ALARM, StateValue="ALARM", StateReason="one task runs")
    (alarm,) = world.run("alarms.list").alarms
    assert (alarm.name, alarm.state, alarm.actions) == (ALARM, "ALARM", "none")
    assert alarm.condition == "RunningTaskCount Minimum < 2 for 1 of 1 x 1 min"
    assert alarm.reason == "one task runs"
    kinds = [one.kind for one in world.run("alarms.history").events]
    assert kinds[0] == "ConfigurationUpdate"
    assert "StateUpdate" in kinds


def test_the_history_of_a_composite_alarm_is_shown(world: Operated) -> None:
    name = "miyabi-service-any-dev"
    world.cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=f"ALARM({ALARM})")
    try:
        world.cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="trying")
        kinds = [one.kind for one in world.run("alarms.history", name=name).events]
        assert kinds == ["ConfigurationUpdate", "StateUpdate"]
    finally:
        world.cloudwatch.delete_alarms(AlarmNames=[name])


def test_a_silence_ends_by_itself_or_when_it_is_ended(world: Operated) -> None:
    silenced = world.run("alarms.silence", name=ALARM, **{"for": timedelta(minutes=30)}, reason="we work on it")
    assert timedelta(minutes=30) <= silenced.until - world.clock <= timedelta(minutes=31)
    (alarm,) = world.run("alarms.list").alarms
    assert alarm.silenced_until == silenced.until
    ended = world.run("alarms.silence", name=ALARM, off=True)
    assert ended.until is None
    assert world.run("alarms.list").alarms[0].silenced_until is None
    assert '"operation":"alarms.silence"' in "".join(world.records()).replace(" ", "")


def mute(world: Operated, name: str, expression: str) -> None:
    schedule = {"Expression": expression, "Duration": "PT12H"}
    world.cloudwatch.put_alarm_mute_rule(Name=name, Rule={"Schedule": schedule}, MuteTargets={"AlarmNames": [ALARM]})


def test_a_recurring_silence_is_shown_with_the_end_of_the_one_that_goes_on(world: Operated) -> None:
    begin = world.clock.replace(minute=0, second=0, microsecond=0)
    mute(world, "nightly", f"cron(0 {begin.hour} * * *)")
    try:
        (alarm,) = world.run("alarms.list").alarms
        assert alarm.silenced_until == begin + timedelta(hours=12)
    finally:
        world.cloudwatch.delete_alarm_mute_rule(AlarmMuteRuleName="nightly")


def test_a_silence_can_be_ended_beside_another_which_is_named(world: Operated) -> None:
    begin = world.clock.replace(second=0, microsecond=0)
    mute(world, "theirs", f"at({begin:%Y-%m-%dT%H:%M})")
    try:
        world.run("alarms.silence", name=ALARM, **{"for": timedelta(minutes=30)})
        outcome = world.outcome("alarms.silence", name=ALARM, off=True)
        assert outcome.result.until == begin + timedelta(hours=12)
        assert "by mute rule 'theirs'" in outcome.warnings[0]
        with pytest.raises(ClientError):
            world.cloudwatch.get_alarm_mute_rule(AlarmMuteRuleName=f"miyabi-silence-{ALARM}")
    finally:
        world.cloudwatch.delete_alarm_mute_rule(AlarmMuteRuleName="theirs")


def test_a_mute_rule_that_goes_meanwhile_is_passed_over(world: Operated) -> None:
    mute(world, "fleeting", f"at({world.clock:%Y-%m-%dT%H:%M})")
    cloud = world.cloud()

    def forget(action: str, _: int) -> None:
        if action == "cloudwatch:GetAlarmMuteRule":
            world.cloudwatch.delete_alarm_mute_rule(AlarmMuteRuleName="fleeting")

    cloud.hook = forget
    (alarm,) = world.run("alarms.list", world.settings(cloud)).alarms
    assert alarm.silenced_until is None


def test_a_mute_rule_that_may_not_be_read_is_said_to_be_unknown(world: Operated) -> None:
    mute(world, "secret", f"at({world.clock:%Y-%m-%dT%H:%M})")
    iam = world.served.client("iam")
    iam.create_user(UserName="onlooker")
    looks = {"Effect": "Allow", "Action": ["cloudwatch:Describe*", "cloudwatch:List*"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [looks]})
    iam.put_user_policy(UserName="onlooker", PolicyName="p", PolicyDocument=policy)
    key = iam.create_access_key(UserName="onlooker")["AccessKey"]
    cloud = world.cloud(access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
    try:
        outcome = world.outcome("alarms.list", world.settings(cloud))
        assert [one.name for one in outcome.result.alarms] == [ALARM]
        assert "mute rule 'secret' cannot be read" in outcome.warnings[0]
    finally:
        world.cloudwatch.delete_alarm_mute_rule(AlarmMuteRuleName="secret")


def test_a_silence_is_tried_without_being_made(world: Operated) -> None:
    outcome = world.outcome("alarms.silence", name=ALARM, **{"for": timedelta(hours=1)}, dry_run=True)
    (call,) = outcome.calls
    assert (call.operation, call.params["MuteTargets"]) == ("PutAlarmMuteRule", {"AlarmNames": [ALARM]})
    assert world.cloudwatch.list_alarm_mute_rules()["AlarmMuteRuleSummaries"] == []


def test_an_alarm_that_is_not_there_gets_a_suggestion(world: Operated) -> None:
    with pytest.raises(NotFound) as caught:
        world.run("alarms.silence", name="miyabi-service-low-task-dev", **{"for": timedelta(minutes=5)})
    assert ALARM in str(caught.value.hint)
    with pytest.raises(InvalidInput):
        world.run("alarms.silence", name=ALARM)


def track(world: Operated, target: float = 70.0) -> None:
    world.scaling.put_scaling_policy(
        **TARGET,
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": target,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
            "ScaleOutCooldown": 60,
        },
    )


def test_scaling_shows_its_policies_and_what_contradicts_them(world: Operated) -> None:
    track(world)
    world.cloudwatch.put_metric_alarm(
        AlarmName="miyabi-service-cpu-high-dev",
        Namespace="AWS/ECS",
        MetricName="CPUUtilization",
        Dimensions=[{"Name": "ClusterName", "Value": CLUSTER}, {"Name": "ServiceName", "Value": SERVICE}],
        Statistic="Average",
        Period=300,
        EvaluationPeriods=2,
        Threshold=70,
        ComparisonOperator="GreaterThanThreshold",
    )
    publish(world, 0, of_service("CPUUtilization", 42.0))
    status = world.run("scaling.status")
    assert (status.minimum, status.maximum, status.desired_count, status.running_count) == (2, 4, 2, 2)
    (policy,) = status.policies
    assert (policy.name, policy.target, policy.value) == ("cpu", 70.0, 42.0)
    assert (policy.out_cooldown_seconds, policy.in_cooldown_seconds) == (60, 300)
    (said,) = status.contradictions
    assert said.startswith("miyabi-service-cpu-high-dev goes off above 70 after 10 minutes")
    world.cloudwatch.delete_alarms(AlarmNames=["miyabi-service-cpu-high-dev"])
    assert len(world.run("alarms.list", all=True).alarms) == 3
    assert len(world.run("alarms.list").alarms) == 1


def test_activities_are_told_with_their_cause(world: Operated) -> None:
    world.scaling.register_scalable_target(**TARGET, MinCapacity=3, MaxCapacity=4)
    world.settle()
    activity = world.run("scaling.activities").activities[-1]
    assert activity.description == "Setting desired count to 3."
    assert activity.cause == "minimum capacity was set to 3"


def test_limits_are_shown_and_changed_with_what_that_does(world: Operated) -> None:
    found = world.run("scaling.limits")
    assert (found.minimum, found.maximum, found.desired_count) == (2, 4, 2)
    outcome = world.outcome("scaling.set-limits", min=3, max=6)
    assert (outcome.result.minimum, outcome.result.maximum) == (3, 6)
    assert outcome.result.effect == "the count goes from 2 to 3 at once"
    assert "min_tasks = 3 and max_tasks = 6" in outcome.warnings[0]
    assert world.service()["desiredCount"] == 3
    with pytest.raises(InvalidInput, match="the minimum would be 3 and the maximum 1"):
        world.run("scaling.set-limits", max=1)
    with pytest.raises(InvalidInput, match="neither"):
        world.run("scaling.set-limits")


@pytest.mark.parametrize(
    ("given", "hint"),
    [({"max": 1}, "Give both: --min 1 --max 1."), ({"min": 6}, "Give both: --min 6 --max 6.")],
)
def test_limits_that_contradict_each_other_are_refused_with_what_would_do(
    world: Operated, given: dict[str, int], hint: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        world.run("scaling.set-limits", **given)
    assert caught.value.hint == hint


def test_limits_of_a_stopped_service_stay_since_they_would_start_tasks(world: Operated) -> None:
    world.run("service.stop")
    with pytest.raises(Conflict, match="AWS would start tasks") as caught:
        world.run("scaling.set-limits", min=3)
    assert caught.value.hint == "`miyabi service resume` first."
    assert world.service()["desiredCount"] == 0
    world.run("service.resume")


def test_limits_stay_during_an_override(world: Operated) -> None:
    world.run("service.scale", count=3, **{"for": timedelta(hours=1)})
    with pytest.raises(Conflict, match="an override of 3 tasks holds until"):
        world.run("scaling.set-limits", max=6)
