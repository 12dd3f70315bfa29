"""Operations against the API in process: what they change, what they remember, what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from miyabi.model.errors import Conflict, InvalidInput, NotFound, Unavailable
from miyabi.operations.registry import find, names
from tests.contract.control_api import serve
from tests.contract.operated import ALARM, CLUSTER, SERVICE, TARGET, Operated


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    root = tmp_path_factory.mktemp("operated")
    (root / "home").mkdir()
    with serve(root / "home") as served:
        yield Operated(served, root)


@pytest.fixture
def world(made: Operated) -> Operated:
    made.reset()
    return made


def test_status_tells_counts_deployments_and_events(world: Operated) -> None:
    report = world.run("service.status")
    assert (report.desired_count, report.running_count, report.pending_count, report.steady) == (2, 2, 0, True)
    assert [one.task_definition for one in report.deployments] == ["miyabi-app-dev:1"]


def test_a_read_takes_no_lock_and_leaves_no_record(world: Operated) -> None:
    settings = world.settings()
    world.run("service.status", settings)
    assert settings.cloud.actions == ["ecs:DescribeServices"]
    assert (world.lock_item(), world.records()) == ({}, [])


def test_scaling_within_the_bounds_changes_the_count_only(world: Operated) -> None:
    scaled = world.run("service.scale", count="3")
    assert (scaled.previous_count, scaled.desired_count, scaled.running_count) == (2, 3, 3)
    assert scaled.meanwhile == "autoscaling may change it between 2 and 4"
    assert world.standing() | {"desired": 3} == world.standing()
    assert world.tags() == {}


@pytest.mark.parametrize("count", ["1", "5"])
def test_a_count_that_autoscaling_would_undo_is_refused(world: Operated, count: str) -> None:
    before = world.standing()
    with pytest.raises(InvalidInput, match=f"between 2 and 4 tasks: {count} would not last") as caught:
        world.run("service.scale", count=count)
    assert "--for" in str(caught.value.hint)
    assert world.standing() == before


@pytest.mark.parametrize(("count", "bounds"), [("1", (1, 4)), ("3", (3, 4)), ("6", (6, 6))])
def test_an_override_moves_the_bounds_and_ends_by_itself(world: Operated, count: str, bounds: tuple[int, int]) -> None:
    scaled = world.run("service.scale", **{"count": count, "for": "2h"})
    during = world.standing()
    assert (during["desired"], during["bounds"]) == (int(count), bounds)
    assert during["scheduled"] == [
        (f"at({scaled.until:%Y-%m-%dT%H:%M:%S})", {"MinCapacity": 2, "MaxCapacity": 4}),
    ]
    assert "its earlier bounds are back" in scaled.meanwhile
    assert world.run("service.status").notes[0].startswith(f"at least {count} tasks until ")
    world.pass_time(timedelta(hours=1, minutes=59))
    assert world.standing()["bounds"] == bounds
    world.pass_time(timedelta(minutes=2))
    assert world.standing()["bounds"] == (2, 4)
    assert world.standing()["desired"] == min(max(int(count), 2), 4)


def test_an_override_is_replaced_by_another_and_the_first_bounds_come_back(world: Operated) -> None:
    world.run("service.scale", **{"count": "6", "for": "1h"})
    world.run("service.scale", **{"count": "5", "for": "3h"})
    world.pass_time(timedelta(hours=2))
    assert world.standing()["bounds"] == (5, 6) or world.standing()["bounds"] == (5, 5)
    world.pass_time(timedelta(hours=2))
    assert world.standing()["bounds"] == (2, 4)


def test_scaling_for_good_ends_an_override(world: Operated) -> None:
    before = world.standing()
    world.run("service.scale", **{"count": "6", "for": "1h"})
    scaled = world.run("service.scale", count="2")
    assert "has ended" in scaled.meanwhile
    assert world.standing() == before


def test_an_override_needs_autoscaling(world: Operated) -> None:
    world.scaling.deregister_scalable_target(**TARGET)
    with pytest.raises(InvalidInput, match="no autoscaling"):
        world.run("service.scale", **{"count": "3", "for": "1h"})
    assert world.run("service.scale", count="7").meanwhile.startswith("there is no autoscaling")


def test_what_would_disturb_a_deployment_is_refused_or_waits(world: Operated) -> None:
    world.ecs.update_service(cluster=CLUSTER, service=SERVICE, forceNewDeployment=True)
    for name, values in (("service.scale", {"count": "3"}), ("service.restart", {})):
        with pytest.raises(Conflict, match="is being deployed"):
            world.run(name, **values)
    assert world.run("service.scale", count="3", wait=True).running_count == 3


def test_stop_and_resume_leave_everything_as_it_was(world: Operated) -> None:
    before = world.standing()
    stopped = world.run("service.stop")
    assert (stopped.remembered_count, stopped.autoscaling, stopped.alarm) == (2, "suspended", "silenced")
    during = world.standing()
    assert (during["desired"], during["alarm"], during["bounds"]) == (0, False, (2, 4))
    assert all(during["suspended"].values())
    assert world.run("service.status").notes[0].startswith("stopped since ")
    with pytest.raises(Conflict, match="was stopped on"):
        world.run("service.scale", count="3")
    resumed = world.run("service.resume")
    assert (resumed.running_count, resumed.autoscaling, resumed.alarm) == (2, "active", "enabled")
    assert world.standing() == before


def test_stopping_twice_forgets_nothing(world: Operated) -> None:
    before = world.standing()
    world.run("service.stop")
    assert world.run("service.stop").changed is False
    world.run("service.resume")
    assert world.standing() == before


def test_a_stop_that_was_interrupted_is_finished_without_a_task_being_started(world: Operated) -> None:
    before = world.standing()
    settings = world.settings(sleep=lambda _: None)
    with pytest.raises(Unavailable):
        world.run("service.stop", settings, timeout=timedelta(seconds=1))
    assert world.service()["desiredCount"] == 0
    again = world.settings()
    counts: list[int] = []
    again.cloud.hook = lambda *_: counts.append(world.service()["desiredCount"])
    assert world.run("service.stop", again).changed
    assert set(counts) == {0}
    assert "application-autoscaling:RegisterScalableTarget" not in again.cloud.actions
    world.run("service.resume")
    assert world.standing() == before


def test_autoscaling_that_came_during_a_stop_is_as_it_came_after_the_resume(world: Operated) -> None:
    world.scaling.deregister_scalable_target(**TARGET)
    world.run("service.stop")
    world.scaling.register_scalable_target(**TARGET, MinCapacity=2, MaxCapacity=4)
    assert world.run("service.stop").autoscaling == "suspended"
    assert world.run("service.resume").autoscaling == "active"
    assert not any(world.standing()["suspended"].values())


def test_a_stop_says_that_something_starts_the_tasks_again(world: Operated) -> None:
    def scale(_: float) -> None:
        world.scaling.register_scalable_target(**TARGET)

    with pytest.raises(Unavailable, match="2 tasks are desired"):
        world.run("service.stop", world.settings(sleep=scale), timeout=timedelta(seconds=1))
    assert world.run("service.stop").changed
    assert world.service()["desiredCount"] == 0


def test_a_resume_starts_no_count_that_autoscaling_would_undo(world: Operated) -> None:
    world.run("service.scale", **{"count": "6", "for": "1h"})
    world.run("service.stop")
    world.pass_time(timedelta(hours=2))
    with pytest.raises(InvalidInput, match="between 2 and 4 tasks: 1 would not last") as caught:
        world.run("service.resume", count="1")
    assert caught.value.hint == "miyabi service resume --count 2"
    assert world.service()["desiredCount"] == 0
    outcome = world.outcome("service.resume")
    assert outcome.calls[0].params["desiredCount"] == 4
    assert (outcome.result.running_count, world.standing()["bounds"]) == (4, (2, 4))


def test_what_was_off_before_a_stop_is_off_after_the_resume(world: Operated) -> None:
    world.cloudwatch.disable_alarm_actions(AlarmNames=[ALARM])
    world.scaling.register_scalable_target(**TARGET, SuspendedState={"DynamicScalingInSuspended": True})
    before = world.standing()
    world.run("service.stop")
    world.run("service.resume")
    assert world.standing() == before


def test_an_override_that_ended_during_a_stop_is_made_up_for(world: Operated) -> None:
    world.run("service.scale", **{"count": "6", "for": "1h"})
    world.run("service.stop")
    world.pass_time(timedelta(hours=2))
    world.run("service.resume", count="3")
    after = world.standing()
    assert (after["desired"], after["bounds"], after["scheduled"], after["tags"]) == (3, (2, 4), [], {})


def test_a_service_that_is_not_stopped_is_not_resumed(world: Operated) -> None:
    with pytest.raises(Conflict, match="is not stopped"):
        world.run("service.resume")
    world.ecs.update_service(cluster=CLUSTER, service=SERVICE, desiredCount=0)
    with pytest.raises(Conflict, match="no count to remember"):
        world.run("service.stop")
    assert world.run("service.resume", count="2").running_count == 2


def test_restart_replaces_the_deployment(world: Operated) -> None:
    before = world.service()["deployments"][0]["id"]
    restarted = world.run("service.restart")
    assert restarted.deployment == world.service()["deployments"][0]["id"] != before


def test_a_task_is_found_by_its_first_letters_and_stopped(world: Operated) -> None:
    first = world.run("tasks.list").tasks[0].id
    assert world.run("tasks.show", task=first[:8]).id == first
    with pytest.raises(NotFound, match="not found"):
        world.run("tasks.show", task="zzzzzz")
    with pytest.raises(InvalidInput, match="too short"):
        world.run("tasks.show", task="1")


@pytest.mark.parametrize(
    ("name", "values", "calls", "then"),
    [
        ("service.restart", {}, ["UpdateService"], True),
        ("service.scale", {"count": "3"}, ["UpdateService"], True),
        (
            "service.scale",
            {"count": "6", "for": "1h"},
            ["PutScheduledAction", "TagResource", "RegisterScalableTarget", "UpdateService"],
            True,
        ),
        (
            "service.stop",
            {},
            ["TagResource", "RegisterScalableTarget", "DisableAlarmActions", "UpdateService"],
            True,
        ),
    ],
)
def test_a_dry_run_shows_the_calls_and_sends_none(
    world: Operated, name: str, values: dict[str, str], calls: list[str], then: bool
) -> None:
    before = world.standing()
    outcome = world.outcome(name, dry_run=True, **values)
    assert [call.operation for call in outcome.calls] == calls
    assert (outcome.then is not None) == then
    assert (world.standing(), world.lock_item(), world.records()) == (before, {}, [])


def test_a_dry_run_shows_exactly_what_is_sent_afterwards(world: Operated) -> None:
    tried = world.outcome("service.stop", dry_run=True)
    sent = world.outcome("service.stop")
    assert [(one.service, one.operation, one.params) for one in tried.calls] == [
        (one.service, one.operation, one.params) for one in sent.calls
    ]
    tried = world.outcome("service.resume", dry_run=True)
    sent = world.outcome("service.resume")
    assert [(one.operation, one.params) for one in tried.calls] == [(one.operation, one.params) for one in sent.calls]


@pytest.mark.parametrize("name", names())
def test_every_operation_is_declared_where_the_registry_says(name: str) -> None:
    operation = find(name)
    assert operation.name == name
    assert operation.summary.endswith(".") or operation.summary.endswith("`.")
    assert operation.permissions == tuple(dict.fromkeys(operation.permissions))
    assert all(one.help for one in operation.parameters())
