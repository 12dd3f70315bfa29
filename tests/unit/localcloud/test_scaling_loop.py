"""Metrics, alarms and scaling policies together, minute by minute, on a clock that the test moves.

Nothing runs: a task is a row, and what it uses is what the test says.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from miyabi.localcloud.control.autoscaling import ApplicationAutoScaling, Scaler
from miyabi.localcloud.control.cloudwatch import AlarmTables, CloudWatch, MetricDatabase, Transitions
from miyabi.localcloud.control.cloudwatch.evaluation import Evaluation
from miyabi.localcloud.control.ecs.tables import EcsTables
from miyabi.localcloud.control.service import ApiError, Caller
from miyabi.localcloud.control.store import Store
from miyabi.model.ecs import Deployment, RolloutState, Service, Task, TaskStatus
from miyabi.model.metrics import Kind, Measurement, Sample
from miyabi.policy.tempo import Tempo

ACCOUNT, REGION = "112530848482", "us-west-2"
RESOURCE = "service/c/web"
BEGIN = datetime(2026, 1, 5, 12, tzinfo=UTC)
CPU = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}
FAST = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilizationHighResolution"}}
REQUESTS = {
    "PredefinedMetricSpecification": {
        "PredefinedMetricType": "ALBRequestCountPerTarget",
        "ResourceLabel": "app/lb/1/targetgroup/tg/2",
    }
}


@dataclass
class Topics:
    """SNS that remembers, and knows one topic."""

    told: list[str] = field(default_factory=list)

    def publish(self, caller: Caller, topic_arn: str, subject: str, message: str) -> None:
        if not topic_arn.endswith(":pages"):
            raise ApiError("NotFound", "Topic does not exist")
        assert caller.account in message
        self.told.append(subject)


class World:
    """A service whose tasks use as much as the test says."""

    def __init__(self, root: Path, speed: int = 1) -> None:
        self.tempo = Tempo(speed)
        self.now = BEGIN
        self.store = Store(root / "control.sqlite")
        self.database = MetricDatabase(root / "metrics.sqlite", self.tempo)
        self.ecs = EcsTables(self.store)
        self.topics = Topics()
        self.alarms = AlarmTables(self.store)
        transitions = Transitions(self.alarms, self.topics, ACCOUNT, lambda: "key")
        self.cloudwatch = CloudWatch(
            self.database, self.alarms, transitions, self.tempo, lambda: self.now, lambda: None
        )
        self.scaling = ApplicationAutoScaling(self.store, self.ecs, self.cloudwatch, lambda: None)
        self.scaler = Scaler(self.scaling, self.store, self.ecs, self.alarms, self.tempo)
        self.evaluation = Evaluation(self.cloudwatch)
        self._put_service(2)
        self._run_tasks()
        self.scaling.register_scalable_target(
            self.caller,
            {"ResourceId": RESOURCE, "MinCapacity": 2, "MaxCapacity": 4} | self._named,
        )

    _named: ClassVar = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}

    @property
    def caller(self) -> Caller:
        return Caller(ACCOUNT, REGION, "key", self.now)

    @property
    def service(self) -> Service:
        found = self.ecs.services.get(REGION, "c/web")
        assert found is not None
        return found

    def policy(self, name: str, target: float, metric: dict[str, Any], **more: Any) -> None:
        tracking = metric | {"TargetValue": target, "ScaleOutCooldown": 60, "ScaleInCooldown": 300} | more
        self.scaling.put_scaling_policy(
            self.caller,
            {
                "PolicyName": name,
                "ResourceId": RESOURCE,
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": tracking,
            }
            | self._named,
        )

    def bounds(self, low: int, high: int) -> None:
        given = {"ResourceId": RESOURCE, "MinCapacity": low, "MaxCapacity": high}
        self.scaling.register_scalable_target(self.caller, given | self._named)

    def pass_(
        self,
        measure: Callable[[World], list[Measurement]],
        *,
        minutes: float,
        cadence: int = 60,
        late: timedelta = timedelta(microseconds=1),  # a boundary may have been rounded down
    ) -> None:
        """Let time go by: at each boundary measure, evaluate, scale; at the next as many tasks run as should."""
        for _ in range(int(minutes * 60) // cadence):
            boundary = self.tempo.last_boundary(self.now, cadence) + cadence
            self.now = self.tempo.instant(boundary) + late
            self.cloudwatch.measured(measure(self), boundary - cadence, 60 if cadence == 60 else 1)
            due = {cadence, 60} if boundary % 60 == 0 else {cadence}
            for each in due:
                self.evaluation.evaluate(each, boundary, self.now)
            self.scaler.act(due, self.evaluation.newest, self.now)
            self._run_tasks()
            self.scaling.capacity.settle(self.now)

    def activities(self, **given: Any) -> list[dict[str, Any]]:
        """Oldest first."""
        found = self.scaling.describe_scaling_activities(self.caller, given | self._named)["ScalingActivities"]
        return list(reversed(found))

    def counts(self) -> list[int]:
        return [int(re.findall(r"\d+", one["Description"])[0]) for one in self.activities()]

    def state(self, side: str, policy: str = "cpu") -> str:
        (name,) = [
            one for row in self.scaling.policies.list(REGION) if row.name == policy for one in row.alarms if side in one
        ]
        return str(self.alarms.state_of(REGION, name))

    def _put_service(self, desired: int) -> None:
        deployment = Deployment(
            "ecs-svc/1", "PRIMARY", "web:1", desired, BEGIN, BEGIN, RolloutState.COMPLETED, "", {}, [], "1.4.0", {}
        )
        row = Service("web", "arn:web", "arn:c", "c", desired, BEGIN, "", [deployment], [], {}, {}, steady=True)
        self.ecs.put_service(REGION, row)

    def _run_tasks(self) -> None:
        tasks = self.ecs.tasks.list(REGION)
        wanted = self.service.desired_count
        for task in tasks[wanted:]:
            self.ecs.tasks.delete(REGION, task.key)
        for number in range(len(tasks), wanted):
            self.ecs.put_task(REGION, _task(f"{number:03d}"))
        self.ecs.put_service(REGION, dataclasses.replace(self.service, steady=True))

    def close(self) -> None:
        self.store.close()
        self.database.close()


def _task(name: str) -> Task:
    nothing: dict[str, Any] = {}
    return Task(
        name, f"arn:{name}", "arn:c", "c", "web:1", "service:web", "ecs-svc/1", "a", "s", "", "256", "512", BEGIN, [],
        [], nothing, "1.4.0", "", "", name, {}, nothing, last_status=TaskStatus.RUNNING,
    )  # fmt: skip


def cpu_of(percent: float) -> Callable[[World], list[Measurement]]:
    """Return a CPU that no number of tasks changes."""
    dimensions = {"ClusterName": "c", "ServiceName": "web"}
    return lambda _: [Measurement(REGION, "AWS/ECS", "CPUUtilization", dimensions, "Percent", Sample.of(percent))]


def cpu(work: float) -> Callable[[World], list[Measurement]]:
    """Return what so much work, in tasks' worth, makes of the average CPU."""

    def measure(world: World) -> list[Measurement]:
        running = len(world.ecs.tasks.list(REGION))
        used = min(100.0, 100.0 * work / running)
        dimensions = {"ClusterName": "c", "ServiceName": "web"}
        return [Measurement(REGION, "AWS/ECS", "CPUUtilization", dimensions, "Percent", Sample.of(*[used] * running))]

    return measure


def requests(per_second: float) -> Callable[[World], list[Measurement]]:
    """Return the requests of a period, by target; it is shorter where loops run faster."""

    def measure(world: World) -> list[Measurement]:
        counted = per_second * 60 / world.tempo.speed / len(world.ecs.tasks.list(REGION))
        dimensions = {"TargetGroup": "targetgroup/tg/2"}
        name = "RequestCountPerTarget"
        return [Measurement(REGION, "AWS/ApplicationELB", name, dimensions, "Count", Sample.of(counted), Kind.COUNT)]

    return measure


@pytest.fixture(params=[1, 15], ids=["speed 1", "speed 15"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, request.param)
    yield world
    world.close()


def test_load_scales_out_after_three_minutes_and_in_after_fifteen(world: World) -> None:
    world.policy("cpu", 70.0, CPU)
    world.pass_(cpu(0.8), minutes=4)
    assert (world.state("High"), world.counts()) == ("OK", [])
    world.pass_(cpu(2.6), minutes=2)
    assert (world.state("High"), world.counts()) == ("OK", []), "two of three minutes"
    world.pass_(cpu(2.6), minutes=1)
    assert (world.state("High"), world.counts()) == ("ALARM", [3])
    world.pass_(cpu(2.6), minutes=3)
    assert world.counts() == [3, 4], "still above the target with three"
    world.pass_(cpu(2.6), minutes=10)
    assert (world.state("High"), world.counts()) == ("OK", [3, 4]), "65 % on four"
    world.pass_(cpu(0.8), minutes=14)
    assert world.counts() == [3, 4]
    world.pass_(cpu(0.8), minutes=10)
    assert world.counts() == [3, 4, 2], "0.8 tasks' worth fit on two"
    world.pass_(cpu(0.8), minutes=60)
    assert world.counts() == [3, 4, 2]
    first = world.activities()[0]
    assert first["StatusCode"] == "Successful"
    assert re.fullmatch(
        r"monitor alarm TargetTracking-service/c/web-AlarmHigh-[0-9a-f-]{36} in state ALARM triggered policy cpu "
        r"\(2 running x 100 / 70 = 3\)",
        first["Cause"],
    )


def test_requests_are_counted_as_if_the_minute_had_been_whole(world: World) -> None:
    world.policy("requests", 1000.0, REQUESTS)
    world.pass_(requests(100), minutes=3)
    assert world.counts() == [4], "100 a second want six, the maximum is four"
    assert "2 running x 3000 / 1000 = 6, within 2 to 4: 4" in world.activities()[0]["Cause"]
    world.pass_(requests(100), minutes=5)
    refused = world.activities(IncludeNotScaledActivities=True)[-1]
    assert refused["NotScaledReasons"] == [
        {"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 4, "MinCapacity": 2, "CurrentCapacity": 4}
    ]
    assert len(world.activities()) == 1, "refused ones only where they are asked for"


def test_the_quicker_metrics_scale_out_after_a_minute(world: World) -> None:
    world.policy("cpu", 70.0, FAST)
    world.pass_(cpu(0.8), minutes=2, cadence=20)
    world.pass_(cpu(2.5), minutes=2 / 3, cadence=20)
    assert world.counts() == []
    world.pass_(cpu(2.5), minutes=1 / 3, cadence=20)
    assert world.counts() == [3]


def test_missing_data_scales_nothing(world: World) -> None:
    world.policy("cpu", 70.0, CPU)
    world.pass_(lambda _: [], minutes=40)
    assert (world.state("High"), world.state("Low")) == ("INSUFFICIENT_DATA", "INSUFFICIENT_DATA")
    assert world.counts() == []


def test_a_policy_without_data_keeps_the_others_from_scaling_in(world: World) -> None:
    world.policy("cpu", 70.0, CPU)
    world.policy("requests", 1000.0, REQUESTS)
    world.pass_(cpu(4), minutes=6)
    assert world.counts() == [3, 4]
    world.pass_(cpu(0.1), minutes=40)
    assert world.counts() == [3, 4]
    both = lambda world: cpu(0.1)(world) + requests(1)(world)  # noqa: E731
    world.pass_(both, minutes=20)
    assert world.counts() == [3, 4, 2]


def test_suspended_scaling_is_refused_with_its_reason(world: World) -> None:
    world.policy("cpu", 70.0, CPU)
    suspended = {"ResourceId": RESOURCE, "SuspendedState": {"DynamicScalingOutSuspended": True}} | World._named
    world.scaling.register_scalable_target(world.caller, suspended)
    world.pass_(cpu(4), minutes=6)
    assert world.counts() == []
    (refused,) = world.activities(IncludeNotScaledActivities=True)
    assert (refused["StatusCode"], refused["NotScaledReasons"][0]["Code"]) == ("Failed", "DynamicScalingOutSuspended")


def test_constant_load_leads_to_one_count_and_stays_there(world: World) -> None:
    for work in (0.5, 1.5, 2.1, 2.8, 9.0):
        world.policy("cpu", 70.0, CPU)
        world.pass_(cpu(work), minutes=60)
        settled = world.counts()
        world.pass_(cpu(work), minutes=120)
        assert world.counts() == settled, f"{work} tasks' worth of work"


def test_an_alarm_with_a_topic_tells_it_once(world: World) -> None:
    world.cloudwatch.put_metric_alarm(
        world.caller,
        {
            "AlarmName": "cpu-high",
            "Namespace": "AWS/ECS",
            "MetricName": "CPUUtilization",
            "Dimensions": [{"Name": "ClusterName", "Value": "c"}, {"Name": "ServiceName", "Value": "web"}],
            "Statistic": "Average",
            "Period": 300,
            "EvaluationPeriods": 2,
            "Threshold": 70.0,
            "ComparisonOperator": "GreaterThanThreshold",
            "AlarmActions": [f"arn:aws:sns:{REGION}:{ACCOUNT}:pages"],
        },
    )
    world.pass_(cpu(0.8), minutes=20)
    world.pass_(cpu(9), minutes=20)
    assert world.topics.told == ['ALARM: "cpu-high" in US West (Oregon)']


def step(world: World, change: int = 1, *, threshold: float = 80.0, cooldown: int = 60, above: bool = True) -> None:
    """Put a step scaling policy and its alarm, of two minutes."""
    side = "MetricIntervalLowerBound" if above else "MetricIntervalUpperBound"
    steps = {"AdjustmentType": "ChangeInCapacity", "Cooldown": cooldown}
    steps |= {"StepAdjustments": [{side: 0.0, "ScalingAdjustment": change}]}
    named = World._named | {"ResourceId": RESOURCE, "PolicyName": "steps", "PolicyType": "StepScaling"}
    policy = named | {"StepScalingPolicyConfiguration": steps}
    arn = world.scaling.put_scaling_policy(world.caller, policy)["PolicyARN"]
    world.cloudwatch.put_metric_alarm(
        world.caller,
        {
            "AlarmName": "busy",
            "Namespace": "AWS/ECS",
            "MetricName": "CPUUtilization",
            "Dimensions": [{"Name": "ClusterName", "Value": "c"}, {"Name": "ServiceName", "Value": "web"}],
            "Statistic": "Average",
            "Period": 60,
            "EvaluationPeriods": 2,
            "Threshold": threshold,
            "ComparisonOperator": "GreaterThanThreshold" if above else "LessThanThreshold",
            "AlarmActions": [arn],
        },
    )


def test_step_scaling_follows_the_alarm_that_names_it(world: World) -> None:
    step(world)
    world.pass_(cpu(9), minutes=2)
    assert world.counts() == [3]
    world.pass_(cpu(9), minutes=3)
    assert world.counts() == [3, 4]
    assert "monitor alarm busy in state ALARM triggered policy steps" in world.activities()[0]["Cause"]


def test_each_policy_acts_at_its_own_alarm_s_pace_and_once_at_a_boundary(world: World) -> None:
    world.bounds(2, 20)
    step(world, cooldown=0)
    world.policy("fast", 50.0, FAST, ScaleOutCooldown=3600)
    world.pass_(cpu_of(90.0), minutes=1, cadence=20)
    assert world.counts() == [4], "2 x 90 / 50, by the quick one alone"
    world.pass_(cpu_of(90.0), minutes=1, cadence=20)
    assert world.counts() == [4, 5], "the slow one at its second minute"
    world.pass_(cpu_of(90.0), minutes=2 / 3, cadence=20)
    assert world.counts() == [4, 5], "not within the minute"
    world.pass_(cpu_of(90.0), minutes=1 / 3, cadence=20)
    assert world.counts() == [4, 5, 6]


def test_of_policies_that_act_at_the_same_boundary_the_largest_capacity_wins(world: World) -> None:
    world.bounds(2, 20)
    step(world, threshold=50.0, cooldown=0)
    world.policy("fast", 70.0, FAST)
    world.pass_(cpu_of(60.0), minutes=1, cadence=20)
    world.pass_(cpu_of(71.0), minutes=1, cadence=20)
    assert world.counts() == [3], "both want three"


def test_a_policy_at_the_maximum_keeps_another_from_scaling_in(world: World) -> None:
    step(world, -1, threshold=50.0, above=False, cooldown=0)
    world.policy("requests", 1000.0, REQUESTS)
    world.pass_(requests(200), minutes=3)
    assert world.counts() == [4]
    both = lambda world: cpu_of(10.0)(world) + requests(200)(world)  # noqa: E731
    world.pass_(both, minutes=5)
    assert world.counts() == [4]
    world.pass_(lambda world: cpu_of(10.0)(world) + requests(10)(world), minutes=3)
    assert world.counts()[-1] < 4


def test_the_last_datapoint_of_an_alarm_that_was_deleted_counts_for_nothing(world: World) -> None:
    world.policy("cpu", 70.0, CPU)
    world.pass_(cpu(9), minutes=6)
    world.pass_(cpu(0.1), minutes=14)
    (high,) = [one for one in world.scaling.policies.list(REGION)[0].alarms if "High" in one]
    world.cloudwatch.delete_alarms(world.caller, {"AlarmNames": [high]})
    world.pass_(cpu(0.1), minutes=10)
    assert world.counts() == [3, 4]


@pytest.mark.parametrize("speed", [1, 7, 15, 30])
def test_a_look_that_comes_late_makes_no_cooldown_longer(tmp_path: Path, speed: int) -> None:
    world = World(tmp_path, speed)
    world.policy("cpu", 70.0, CPU)
    world.pass_(cpu(2.6), minutes=2)
    world.pass_(cpu(2.6), minutes=1, late=timedelta(seconds=0.9))
    assert world.counts() == [3]
    world.pass_(cpu(2.6), minutes=1, late=timedelta(seconds=0.1))
    assert world.counts() == [3, 4], "a minute later"
    world.close()


def busy_services(world: World, count: int) -> tuple[float, float]:
    """Let all of so many services of four tasks go into alarm in one minute; return what evaluating and scaling took.

    Seconds of this thread's own time.
    """
    with world.store.transaction():
        for number in range(count):
            world.ecs.put_service(REGION, dataclasses.replace(world.service, name=f"s{number}"))
            for task in range(4):
                row = dataclasses.replace(_task(f"{number:05}-{task}"), group=f"service:s{number}")
                world.ecs.put_task(REGION, row)
            named = World._named | {"ResourceId": f"service/c/s{number}"}
            world.scaling.register_scalable_target(world.caller, named | {"MinCapacity": 2, "MaxCapacity": 10})
            tracking = {"TargetTrackingScalingPolicyConfiguration": CPU | {"TargetValue": 70.0}}
            policy = {"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling"}
            world.scaling.put_scaling_policy(world.caller, named | policy | tracking)
    evaluating = scaling = 0.0
    for passed in range(3):
        world.now += timedelta(minutes=1)
        boundary = world.tempo.last_boundary(world.now, 60)
        busy = Sample.of(90.0, 90.0, 90.0, 90.0)
        dimensions = [{"ClusterName": "c", "ServiceName": f"s{number}"} for number in range(count)]
        measured = [Measurement(REGION, "AWS/ECS", "CPUUtilization", one, "Percent", busy) for one in dimensions]
        world.cloudwatch.measured(measured, boundary - 60, 60)
        with world.store.transaction():
            begun = time.thread_time()
            world.evaluation.evaluate(60, boundary, world.now)
            evaluating = time.thread_time() - begun
            assert world.scaler.act({60}, world.evaluation.newest, world.now) == (passed == 2)
            scaling = time.thread_time() - begun - evaluating
    assert sum(row.desired_count == 6 for row in world.ecs.services.list(REGION)) == count
    return evaluating, scaling


def test_a_thousand_services_are_evaluated_and_scaled_within_a_second(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert sum(busy_services(world, 1000)) < 1
    world.close()


def test_during_a_rollout_it_scales_out_by_the_new_deployment_and_never_in(world: World) -> None:
    world.policy("cpu", 70.0, CPU)
    world.pass_(cpu(0.1), minutes=20)
    old = dataclasses.replace(world.service.primary, id="ecs-svc/0", status="ACTIVE", desired_count=1)
    new = dataclasses.replace(world.service.primary, rollout_state=RolloutState.IN_PROGRESS)
    world.ecs.put_service(REGION, dataclasses.replace(world.service, desired_count=4, deployments=[new, old]))
    world.pass_(cpu(0.1), minutes=5)
    assert world.counts() == []
    refused = world.activities(IncludeNotScaledActivities=True)[-1]
    assert refused["NotScaledReasons"][0]["Code"] == "DeploymentInProgress"

    world.ecs.put_service(REGION, dataclasses.replace(world.service, desired_count=2, deployments=[new, old]))
    world.pass_(cpu(9), minutes=4)
    assert world.counts()[0] == 3
    assert [one.desired_count for one in world.service.deployments] == [world.service.desired_count, 1]


def test_during_a_service_s_first_deployment_it_never_scales_in(world: World) -> None:
    world.policy("cpu", 70.0, CPU)
    world.pass_(cpu(9), minutes=6)
    first = dataclasses.replace(world.service.primary, rollout_state=RolloutState.IN_PROGRESS)
    world.ecs.put_service(REGION, dataclasses.replace(world.service, deployments=[first]))
    world.pass_(cpu(0.1), minutes=20)
    assert world.counts()[-1] == 4
    assert (
        world.activities(IncludeNotScaledActivities=True)[-1]["NotScaledReasons"][0]["Code"] == "DeploymentInProgress"
    )
