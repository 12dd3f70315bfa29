"""The replica scheduler and the rolling update."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from miyabi.model.ecs import TaskStatus
from miyabi.policy.backoff import LONGEST, start_delay
from miyabi.policy.placement import Place, place_task
from miyabi.policy.scheduling import Asked, Plan, Rollout, Seen, ceiling_of, floor_of, plan_service

NOW = datetime(2026, 1, 1, tzinfo=UTC)


SICK = "Task failed ELB health checks"


def task(name: str, *, deployment: str = "new", healthy: bool = True, stopping: bool = False, zone: str = "a") -> Seen:
    return Seen(name, deployment, TaskStatus.RUNNING, stopping, healthy, None, zone, NOW)


def sick(name: str, *, deployment: str = "new") -> Seen:
    return dataclasses.replace(task(name, deployment=deployment, healthy=False), unhealthy_reason=SICK)


def asked(
    desired: int = 2, minimum: int = 100, maximum: int = 200, *, failures: int = 0, stalled: bool = False
) -> Asked:
    new = Rollout("new", desired, failures, NOW if failures else None, stalled=stalled)
    return Asked(desired, minimum, maximum, (new, Rollout("old", desired, completed=True)))


def rolled_out(desired: int = 2, minimum: int = 100, maximum: int = 200) -> Asked:
    return Asked(desired, minimum, maximum, (Rollout("new", desired, completed=True),))


def started(plan: Plan) -> dict[str, int]:
    return {start.deployment: start.count for start in plan.starts}


def test_a_new_service_starts_all_its_tasks() -> None:
    plan = plan_service(Asked(2, 100, 200, (Rollout("new", 2),)), [], now=NOW)
    assert started(plan) == {"new": 2}
    assert not plan.steady


def test_a_dead_task_is_replaced_and_nothing_else_happens() -> None:
    wish = asked()
    done = dataclasses.replace(wish.primary, completed=True)
    retired = dataclasses.replace(wish.rollouts[1], desired_count=0)
    for rollouts in ((done, wish.rollouts[1]), (wish.primary, retired)):
        plan = plan_service(dataclasses.replace(wish, rollouts=rollouts), [task("1")], now=NOW)
        assert started(plan) == {"new": 1}
        assert plan.stops == ()


def test_new_tasks_start_before_old_ones_stop_even_where_the_floor_would_let_old_ones_go() -> None:
    for minimum in (0, 50, 100):
        seen = [task("1", deployment="old"), task("2", deployment="old")]
        plan = plan_service(asked(minimum=minimum), seen, now=NOW)
        assert started(plan) == {"new": 2}
        assert plan.stops == ()


def test_an_old_task_stops_for_each_new_one_that_is_healthy() -> None:
    seen = [task("1", deployment="old"), task("2", deployment="old"), task("3"), task("4", healthy=False)]
    plan = plan_service(asked(), seen, now=NOW)
    assert [stop.task_id for stop in plan.stops] == ["1"]


def test_with_a_ceiling_of_one_hundred_percent_an_old_task_makes_room_first() -> None:
    seen = [task("1", deployment="old"), task("2", deployment="old")]
    plan = plan_service(asked(minimum=50, maximum=100), seen, now=NOW)
    assert plan.starts == ()
    assert [stop.task_id for stop in plan.stops] == ["1"]


def test_with_a_floor_of_zero_one_task_still_serves_where_two_may_be() -> None:
    seen = [task("1", deployment="old"), task("2", deployment="old")]
    plan = plan_service(asked(minimum=0, maximum=100), seen, now=NOW)
    assert [stop.task_id for stop in plan.stops] == ["1"]
    alone = plan_service(asked(1, minimum=0, maximum=100), seen[:1], now=NOW)
    assert [stop.task_id for stop in alone.stops] == ["1"]


def test_scaling_in_takes_from_the_fullest_zone() -> None:
    seen = [task("1", zone="a"), task("2", zone="b"), task("3", zone="a")]
    plan = plan_service(asked(), seen, now=NOW)
    assert [stop.task_id for stop in plan.stops] == ["3"]


def test_a_deleted_service_stops_everything_and_starts_nothing() -> None:
    plan = plan_service(dataclasses.replace(asked(0), active=False), [task("1"), task("2")], now=NOW)
    assert len(plan.stops) == 2
    assert plan.starts == ()


def test_a_desired_count_below_zero_is_as_good_as_none() -> None:
    plan = plan_service(asked(-1), [task("1")], now=NOW)
    assert [stop.task_id for stop in plan.stops] == ["1"]


def test_a_sick_task_is_replaced_first_and_stopped_when_its_replacement_is_healthy() -> None:
    seen = [sick("1"), task("2")]
    plan = plan_service(rolled_out(), seen, now=NOW)
    assert (started(plan), plan.stops) == ({"new": 1}, ())
    plan = plan_service(rolled_out(), [*seen, task("3", healthy=False)], now=NOW)
    assert (plan.starts, plan.stops) == ((), ())
    plan = plan_service(rolled_out(), [*seen, task("3")], now=NOW)
    assert [(stop.task_id, stop.reason) for stop in plan.stops] == [("1", SICK)]


def test_sick_tasks_are_never_all_stopped_at_once() -> None:
    both = [sick("1"), sick("2")]
    plan = plan_service(rolled_out(), both, now=NOW)
    assert (started(plan), plan.stops) == ({"new": 2}, ())
    tight = rolled_out(maximum=100)
    assert len(plan_service(tight, both, now=NOW).stops) == 1
    assert plan_service(tight, [sick("1"), task("2", healthy=False)], now=NOW).stops == ()


def test_where_enough_tasks_are_healthy_sick_ones_make_room_at_the_ceiling() -> None:
    seen = [task("1", deployment="old"), task("2", deployment="old"), sick("3"), sick("4")]
    assert {stop.task_id for stop in plan_service(asked(), seen, now=NOW).stops} == {"3", "4"}
    waiting = asked(failures=4)
    assert plan_service(waiting, seen, now=NOW).stops == ()


def test_a_dead_task_of_the_old_deployment_is_replaced_by_one_of_its_own() -> None:
    seen = [task("1", deployment="old")]
    plan = plan_service(asked(failures=3), seen, now=NOW)
    assert started(plan) == {"old": 1}
    assert plan.look_again == timedelta(seconds=4)
    assert started(plan_service(asked(), seen, now=NOW)) == {"old": 1, "new": 2}
    assert started(plan_service(asked(), [], now=NOW)) == {"old": 2, "new": 2}


def test_a_deployment_that_was_never_completed_is_not_gone_back_to() -> None:
    wish = asked()
    unfinished = dataclasses.replace(wish, rollouts=(wish.primary, Rollout("old", 2)))
    assert started(plan_service(unfinished, [task("1", deployment="old")], now=NOW)) == {"new": 2}


def test_a_fix_does_not_wait_for_replacements_of_sick_old_tasks() -> None:
    plan = plan_service(asked(), [sick("1", deployment="old"), sick("2", deployment="old")], now=NOW)
    assert started(plan) == {"new": 2}
    assert plan.stops == ()


def test_idle_old_tasks_go_only_against_healthy_new_ones_or_beyond_what_is_needed() -> None:
    idle = [task("1", deployment="old", healthy=False), task("2", deployment="old", healthy=False)]
    assert plan_service(asked(), idle, now=NOW).stops == ()
    assert [stop.task_id for stop in plan_service(asked(), [*idle, task("3")], now=NOW).stops] == ["1"]
    serving = [task("3", deployment="old"), task("4", deployment="old")]
    assert {stop.task_id for stop in plan_service(asked(), [*idle, *serving], now=NOW).stops} == {"1", "2"}


def test_a_failed_deployment_starts_nothing_and_the_one_before_is_kept_up() -> None:
    plan = plan_service(asked(stalled=True), [task("1", deployment="old")], now=NOW)
    assert started(plan) == {"old": 1}


def test_a_deployment_whose_tasks_keep_failing_waits_and_says_how_long() -> None:
    failing = asked(failures=4)
    seen = [task("1", deployment="old"), task("2", deployment="old")]
    plan = plan_service(failing, seen, now=NOW + timedelta(seconds=3))
    assert plan.starts == ()
    assert plan.look_again == timedelta(seconds=5)
    assert started(plan_service(failing, seen, now=NOW + timedelta(seconds=8))) == {"new": 2}


def test_the_delay_never_exceeds_fifteen_minutes() -> None:
    assert [start_delay(n).total_seconds() for n in range(4)] == [0, 1, 2, 4]
    assert start_delay(1000) == LONGEST


def test_a_rolled_out_service_with_a_draining_task_is_not_steady() -> None:
    plan = plan_service(asked(), [task("1"), task("2"), task("3", stopping=True, healthy=False)], now=NOW)
    assert plan.rolled_out
    assert not plan.steady


def _possible(seen: Seen) -> Seen:
    """A task that stops is neither healthy nor given up, and none is both."""
    reason = None if seen.stopping or seen.healthy else seen.unhealthy_reason
    return dataclasses.replace(seen, healthy=seen.healthy and not seen.stopping, unhealthy_reason=reason)


tasks = st.lists(
    st.builds(
        Seen,
        task_id=st.uuids().map(str),
        deployment=st.sampled_from(["new", "old", "older"]),
        status=st.just(TaskStatus.RUNNING),
        stopping=st.booleans(),
        healthy=st.booleans(),
        unhealthy_reason=st.sampled_from([None, None, SICK]),
        zone=st.sampled_from("ab"),
        created_at=st.just(NOW),
    ).map(_possible),
    max_size=12,
)
wishes = st.builds(
    lambda desired, minimum, maximum, completed, failures: Asked(
        desired,
        minimum,
        maximum,
        (
            Rollout("new", desired, failures, NOW if failures else None),
            Rollout("old", desired, completed=completed),
            Rollout("older", desired),
        ),
    ),
    st.integers(0, 6),
    st.sampled_from([0, 50, 100, 150]),
    st.sampled_from([100, 150, 200]),
    st.booleans(),
    st.sampled_from([0, 0, 3]),
)


def serving(seen: list[Seen]) -> int:
    """Return how many tasks get requests: the healthy ones, or without any the ones that were given up."""
    return sum(item.healthy for item in seen) or sum(item.sick for item in seen)


def carried_out(plan: Plan, seen: list[Seen], turn: int) -> list[Seen]:
    stopped = {stop.task_id for stop in plan.stops}
    seen = [
        dataclasses.replace(i, stopping=True, healthy=False, unhealthy_reason=None) if i.task_id in stopped else i
        for i in seen
    ]
    fresh = [
        task(f"{turn}-{start.deployment}-{n}", deployment=start.deployment, healthy=False)
        for start in plan.starts
        for n in range(start.count)
    ]
    return [*seen, *fresh]


@given(wishes, tasks)
def test_a_plan_never_goes_below_the_floor_or_above_the_ceiling(wish: Asked, seen: list[Seen]) -> None:
    plan = plan_service(wish, seen, now=NOW)
    stopped = {stop.task_id for stop in plan.stops}
    assert len(stopped) == len(plan.stops)
    healthy_before = sum(item.healthy for item in seen)
    healthy_after = sum(item.healthy for item in seen if item.task_id not in stopped)
    assert healthy_after >= min(floor_of(wish), healthy_before)
    if plan.starts:
        assert len(seen) + sum(start.count for start in plan.starts) <= ceiling_of(wish)


@given(wishes, tasks)
def test_a_plan_leaves_a_task_that_serves_where_its_replacement_could_be_started(wish: Asked, seen: list[Seen]) -> None:
    plan = plan_service(wish, seen, now=NOW)
    stopped = {stop.task_id for stop in plan.stops}
    if wish.desired_count and ceiling_of(wish) > 1 and serving(seen):
        assert serving([item for item in seen if item.task_id not in stopped])


@given(wishes, tasks)
def test_what_was_planned_is_not_planned_again(wish: Asked, seen: list[Seen]) -> None:
    plan = plan_service(wish, seen, now=NOW)
    again = plan_service(wish, carried_out(plan, seen, 0), now=NOW)
    assert (again.starts, again.stops) == ((), ())


@given(wishes, tasks)
def test_carrying_plans_out_ends_in_a_plan_that_does_nothing(wish: Asked, seen: list[Seen]) -> None:
    later = NOW + LONGEST
    for turn in range(60):
        plan = plan_service(wish, seen, now=later)
        if not plan.starts and not plan.stops and plan.steady:
            return
        after = [item for item in carried_out(plan, seen, turn) if not item.stopping]
        seen = [item if item.sick else dataclasses.replace(item, healthy=True) for item in after]
    stuck = wish.desired_count > 0 and floor_of(wish) >= ceiling_of(wish)
    assert stuck, "only a floor that meets the ceiling may block a rollout"


@given(st.lists(st.sampled_from([Place("s1", "a"), Place("s2", "b"), Place("s3", "b")]), max_size=9))
def test_a_task_goes_to_the_zone_with_the_fewest(taken: list[Place]) -> None:
    places = [Place("s1", "a"), Place("s2", "b"), Place("s3", "b")]
    chosen = place_task(places, taken)
    counts = {zone: sum(place.zone == zone for place in taken) for zone in "ab"}
    assert counts[chosen.zone] == min(counts.values())
