"""The replica scheduler and the rolling update."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from miyabi.model.ecs import TaskStatus
from miyabi.policy.backoff import LONGEST, start_delay
from miyabi.policy.placement import Place, place_task
from miyabi.policy.scheduling import Asked, Seen, ceiling_of, floor_of, plan_service

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def task(name: str, *, deployment: str = "new", healthy: bool = True, stopping: bool = False, zone: str = "a") -> Seen:
    return Seen(name, deployment, TaskStatus.RUNNING, stopping, healthy, None, zone, NOW)


def asked(desired: int = 2, minimum: int = 100, maximum: int = 200) -> Asked:
    return Asked(desired, minimum, maximum, "new")


def test_a_new_service_starts_all_its_tasks() -> None:
    plan = plan_service(asked(), [], now=NOW)
    assert plan.starts is not None
    assert plan.starts.count == 2
    assert not plan.steady


def test_a_dead_task_is_replaced_and_nothing_else_happens() -> None:
    plan = plan_service(asked(), [task("1")], now=NOW)
    assert plan.starts is not None
    assert plan.starts.count == 1
    assert plan.stops == ()


def test_new_tasks_start_before_old_ones_stop() -> None:
    plan = plan_service(asked(), [task("1", deployment="old"), task("2", deployment="old")], now=NOW)
    assert plan.starts is not None
    assert plan.starts.count == 2
    assert plan.stops == ()


def test_an_old_task_stops_for_each_new_one_that_is_healthy() -> None:
    seen = [task("1", deployment="old"), task("2", deployment="old"), task("3"), task("4", healthy=False)]
    plan = plan_service(asked(), seen, now=NOW)
    assert [stop.task_id for stop in plan.stops] == ["1"]


def test_with_a_ceiling_of_one_hundred_percent_an_old_task_makes_room_first() -> None:
    seen = [task("1", deployment="old"), task("2", deployment="old")]
    plan = plan_service(asked(minimum=50, maximum=100), seen, now=NOW)
    assert plan.starts is None
    assert [stop.task_id for stop in plan.stops] == ["1"]


def test_scaling_in_takes_from_the_fullest_zone() -> None:
    seen = [task("1", zone="a"), task("2", zone="b"), task("3", zone="a")]
    plan = plan_service(asked(), seen, now=NOW)
    assert [stop.task_id for stop in plan.stops] == ["3"]


def test_a_deleted_service_stops_everything_and_starts_nothing() -> None:
    plan = plan_service(dataclasses.replace(asked(0), active=False), [task("1"), task("2")], now=NOW)
    assert len(plan.stops) == 2
    assert plan.starts is None


def test_a_task_that_its_load_balancer_gave_up_on_is_replaced_with_that_reason() -> None:
    sick = dataclasses.replace(task("1", healthy=False), unhealthy_reason="Task failed ELB health checks")
    plan = plan_service(asked(), [sick, task("2")], now=NOW)
    assert [(stop.task_id, stop.reason) for stop in plan.stops] == [("1", "Task failed ELB health checks")]


def test_a_service_whose_tasks_keep_failing_waits_and_says_how_long() -> None:
    failing = dataclasses.replace(asked(), start_failures=4, last_failure_at=NOW)
    plan = plan_service(failing, [], now=NOW + timedelta(seconds=3))
    assert plan.starts is None
    assert plan.look_again == timedelta(seconds=5)
    assert plan_service(failing, [], now=NOW + timedelta(seconds=8)).starts is not None


def test_the_delay_never_exceeds_fifteen_minutes() -> None:
    assert [start_delay(n).total_seconds() for n in range(4)] == [0, 1, 2, 4]
    assert start_delay(1000) == LONGEST


def test_a_rolled_out_service_with_a_draining_task_is_not_steady() -> None:
    plan = plan_service(asked(), [task("1"), task("2"), task("3", stopping=True, healthy=False)], now=NOW)
    assert plan.rolled_out
    assert not plan.steady


tasks = st.lists(
    st.builds(
        Seen,
        task_id=st.uuids().map(str),
        deployment=st.sampled_from(["new", "old", "older"]),
        status=st.just(TaskStatus.RUNNING),
        stopping=st.booleans(),
        healthy=st.booleans(),
        unhealthy_reason=st.none(),
        zone=st.sampled_from("ab"),
        created_at=st.just(NOW),
    ).map(lambda seen: dataclasses.replace(seen, healthy=seen.healthy and not seen.stopping)),
    max_size=12,
)
wishes = st.builds(
    Asked,
    desired_count=st.integers(0, 6),
    minimum_healthy_percent=st.sampled_from([0, 50, 100]),
    maximum_percent=st.sampled_from([100, 150, 200]),
    primary=st.just("new"),
)


@given(wishes, tasks)
def test_a_plan_never_goes_below_the_floor_or_above_the_ceiling(wish: Asked, seen: list[Seen]) -> None:
    plan = plan_service(wish, seen, now=NOW)
    stopped = {stop.task_id for stop in plan.stops}
    healthy_before = sum(item.healthy for item in seen)
    healthy_after = sum(item.healthy for item in seen if item.task_id not in stopped)
    assert healthy_after >= min(floor_of(wish), healthy_before)
    if plan.starts is not None:
        assert len(seen) + plan.starts.count <= ceiling_of(wish)


@given(wishes, tasks)
def test_carrying_plans_out_ends_in_a_plan_that_does_nothing(wish: Asked, seen: list[Seen]) -> None:
    for turn in range(40):
        plan = plan_service(wish, seen, now=NOW)
        if plan.starts is None and not plan.stops and plan_service(wish, seen, now=NOW) == plan and plan.steady:
            return
        stopped = {stop.task_id for stop in plan.stops}
        seen = [dataclasses.replace(i, healthy=True) for i in seen if i.task_id not in stopped and not i.stopping]
        if plan.starts is not None:
            seen += [task(f"{turn}-{n}", healthy=False) for n in range(plan.starts.count)]
    stuck = wish.desired_count > 0 and floor_of(wish) >= ceiling_of(wish)
    assert stuck, "only a floor that meets the ceiling may block a rollout"


@given(st.lists(st.sampled_from([Place("s1", "a"), Place("s2", "b"), Place("s3", "b")]), max_size=9))
def test_a_task_goes_to_the_zone_with_the_fewest(taken: list[Place]) -> None:
    places = [Place("s1", "a"), Place("s2", "b"), Place("s3", "b")]
    chosen = place_task(places, taken)
    counts = {zone: sum(place.zone == zone for place in taken) for zone in "ab"}
    assert counts[chosen.zone] == min(counts.values())
