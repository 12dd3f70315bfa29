"""Bounds and scheduled actions of Application Auto Scaling, as boto3 sees them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contract.control_api import serve
from tests.contract.operated import CLUSTER, SERVICE, TARGET, Operated


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    root = tmp_path_factory.mktemp("scheduled")
    (root / "home").mkdir()
    with serve(root / "home") as served:
        yield Operated(served, root)


@pytest.fixture
def world(made: Operated) -> Operated:
    made.reset()
    return made


def put(world: Operated, name: str = "evening", **params: Any) -> None:
    usual: dict[str, Any] = {"Schedule": "rate(1 hour)", "ScalableTargetAction": {"MinCapacity": 3, "MaxCapacity": 5}}
    world.scaling.put_scheduled_action(**TARGET, ScheduledActionName=name, **usual | params)


def listed(world: Operated, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.scaling.describe_scheduled_actions(ServiceNamespace="ecs", **params)[
        "ScheduledActions"
    ]
    return found


def activities(world: Operated) -> dict[str, dict[str, Any]]:
    found = world.scaling.describe_scaling_activities(ServiceNamespace="ecs")["ScalingActivities"]
    return {one["ActivityId"]: one for one in found}


def new_activity(world: Operated, before: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the one activity that is new: other tests have left some, also of later."""
    (number,) = activities(world).keys() - before.keys()
    return activities(world)[number]


def test_bounds_beyond_the_count_act_at_once(world: Operated) -> None:
    before = activities(world)
    world.scaling.register_scalable_target(**TARGET, MinCapacity=3)
    assert world.service()["desiredCount"] == 3
    assert new_activity(world, before)["Cause"] == "minimum capacity was set to 3"
    before = activities(world)
    world.scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=1)
    assert world.service()["desiredCount"] == 1
    assert new_activity(world, before)["Cause"] == "maximum capacity was set to 1"


def test_each_registration_brings_the_count_inside_the_bounds_whatever_it_changes(world: Operated) -> None:
    world.ecs.update_service(cluster=CLUSTER, service=SERVICE, desiredCount=0)
    world.scaling.register_scalable_target(**TARGET, SuspendedState={"DynamicScalingInSuspended": True})
    assert world.service()["desiredCount"] == 2
    world.ecs.update_service(cluster=CLUSTER, service=SERVICE, desiredCount=7)
    world.scaling.register_scalable_target(**TARGET)
    assert world.service()["desiredCount"] == 4


def test_suspended_policies_do_not_keep_bounds_from_acting(world: Operated) -> None:
    suspended = {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": True}
    world.scaling.register_scalable_target(**TARGET, MinCapacity=3, SuspendedState=suspended)
    assert world.service()["desiredCount"] == 3
    put(world, ScalableTargetAction={"MinCapacity": 4})
    world.pass_time(timedelta(minutes=61))
    assert (world.service()["desiredCount"], world.standing()["bounds"]) == (4, (4, 4))


def test_an_action_is_described_changed_and_deleted(world: Operated) -> None:
    put(world)
    put(world, "morning", Schedule="cron(0 9 * * ? *)", Timezone="Asia/Tokyo")
    (evening, morning) = listed(world)
    assert (evening["ScheduledActionName"], evening["Schedule"], evening["Timezone"]) == (
        "evening",
        "rate(1 hour)",
        "UTC",
    )
    assert morning["ScalableTargetAction"] == {"MinCapacity": 3, "MaxCapacity": 5}
    put(world, Schedule="rate(2 hours)", ScalableTargetAction={"MaxCapacity": 9})
    (changed,) = listed(world, ScheduledActionNames=["evening"])
    assert (changed["ScheduledActionARN"], changed["Schedule"]) == (evening["ScheduledActionARN"], "rate(2 hours)")
    assert changed["ScalableTargetAction"] == {"MaxCapacity": 9}
    world.scaling.delete_scheduled_action(**TARGET, ScheduledActionName="evening")
    assert [one["ScheduledActionName"] for one in listed(world)] == ["morning"]


def test_times_that_are_not_given_again_are_gone(world: Operated) -> None:
    end = datetime(2100, 1, 1, tzinfo=UTC)
    put(world, StartTime=datetime(2099, 1, 1, tzinfo=UTC), EndTime=end)
    put(world, EndTime=end)
    (changed,) = listed(world)
    assert (changed.get("StartTime"), changed["EndTime"]) == (None, end)
    put(world, ScalableTargetAction={"MinCapacity": 1})
    assert "EndTime" not in listed(world)[0]


def test_lists_come_in_pages(world: Operated) -> None:
    for name in "abc":
        put(world, name)
    first = world.scaling.describe_scheduled_actions(ServiceNamespace="ecs", MaxResults=2)
    second = world.scaling.describe_scheduled_actions(ServiceNamespace="ecs", NextToken=first["NextToken"])
    names = [one["ScheduledActionName"] for page in (first, second) for one in page["ScheduledActions"]]
    assert names == ["a", "b", "c"]
    assert "NextToken" not in second


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Schedule": "at(2020-01-01T00:00:00)"}, "ValidationException"),
        ({"Schedule": "sometimes"}, "ValidationException"),
        ({"Timezone": "Mars/Olympus"}, "ValidationException"),
        ({"ScalableTargetAction": {}}, "ValidationException"),
        ({"ScalableTargetAction": {"MinCapacity": 4, "MaxCapacity": 2}}, "ValidationException"),
        ({"EndTime": datetime(2020, 1, 1, tzinfo=UTC)}, "ValidationException"),
    ],
)
def test_what_is_wrong_is_refused(world: Operated, params: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        put(world, **params)
    assert caught.value.response["Error"]["Code"] == code
    assert listed(world) == []


def test_what_does_not_exist_is_not_deleted(world: Operated) -> None:
    with pytest.raises(ClientError) as caught:
        world.scaling.delete_scheduled_action(**TARGET, ScheduledActionName="none")
    assert caught.value.response["Error"]["Code"] == "ObjectNotFoundException"


def test_an_action_runs_when_it_is_due_again_and_again(world: Operated) -> None:
    put(world)
    world.pass_time(timedelta(minutes=59))
    assert world.service()["desiredCount"] == 2
    world.pass_time(timedelta(minutes=2))
    assert (world.service()["desiredCount"], world.standing()["bounds"]) == (3, (3, 5))
    world.scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=4)
    world.pass_time(timedelta(hours=1))
    assert world.standing()["bounds"] == (3, 5)


def test_what_falls_into_a_suspension_is_not_made_up_for(world: Operated) -> None:
    put(world)
    world.scaling.register_scalable_target(**TARGET, SuspendedState={"ScheduledScalingSuspended": True})
    world.pass_time(timedelta(minutes=61))
    world.scaling.register_scalable_target(**TARGET, SuspendedState={"ScheduledScalingSuspended": False})
    world.pass_time(timedelta(minutes=30))
    assert world.standing()["bounds"] == (2, 4)
    world.pass_time(timedelta(minutes=30))
    assert world.standing()["bounds"] == (3, 5)


def test_an_activity_ends_when_the_tasks_run(world: Operated) -> None:
    before = activities(world)
    world.scaling.register_scalable_target(**TARGET, MinCapacity=3)
    assert new_activity(world, before)["StatusCode"] == "InProgress"
    world.settle()
    world.on_worker(lambda: world.served.autoscaling.capacity.settle(datetime.now(UTC)))
    ended = new_activity(world, before)
    assert (ended["StatusCode"], "EndTime" in ended) == ("Successful", True)


def test_deregistering_takes_the_actions_along(world: Operated) -> None:
    put(world)
    world.scaling.deregister_scalable_target(**TARGET)
    assert listed(world) == []
