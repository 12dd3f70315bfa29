"""A DB instance's next step."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.model.rds import ApplyMethod, DbInstance, InstanceStatus, Parameter, ParameterGroup, Running
from miyabi.policy.database_life import NextStep, Seen, Step, next_step
from miyabi.policy.database_parameters import apply_status, at_boot, while_running

NOW = datetime(2026, 1, 7, 12, tzinfo=UTC)  # a Wednesday
GROUP = ParameterGroup("group", "arn", "postgres17", "")
SERVING = Seen(True, running=True, started_at=NOW - timedelta(minutes=1), answering=True)


def instance(status: InstanceStatus = InstanceStatus.AVAILABLE, **changes: Any) -> DbInstance:
    row = DbInstance(
        identifier="db",
        resource_id="db-A",
        arn="arn",
        instance_class="db.t3.micro",
        engine_version="17.10",
        database="app",
        username="app",
        address="127.9.0.4",
        port=5432,
        subnet_group="default",
        parameter_group="group",
        status=status,
        created_at=NOW,
        settings={"PreferredMaintenanceWindow": "sun:05:00-sun:06:00"},
        running=Running("group", {}),
    )
    return dataclasses.replace(row, **changes)


def step(row: DbInstance, seen: Seen, group: ParameterGroup = GROUP, now: datetime = NOW) -> NextStep:
    return next_step(row, seen, group, now=now)


def test_a_new_instance_gets_data_a_server_users_and_only_then_is_available() -> None:
    row = instance(InstanceStatus.CREATING, verifier="scram", running=None)
    assert step(row, Seen(False)).step is Step.INITIALISE
    assert step(row, Seen(True)).step is Step.START
    assert step(row, Seen(True, running=True, started_at=NOW)).step is Step.WAIT
    assert step(row, SERVING).step is Step.PREPARE
    done = step(dataclasses.replace(row, verifier=None), SERVING)
    assert (done.step, done.status) == (Step.SETTLE, InstanceStatus.AVAILABLE)


@given(
    status=st.sampled_from(InstanceStatus),
    initialised=st.booleans(),
    running=st.booleans(),
    restarting=st.booleans(),
    verifier=st.sampled_from([None, "scram"]),
)
def test_nothing_becomes_available_that_does_not_answer(
    status: InstanceStatus, initialised: bool, running: bool, restarting: bool, verifier: str | None
) -> None:
    seen = Seen(initialised, running=running, restarting=restarting, started_at=NOW)
    assert step(instance(status, verifier=verifier), seen).status is not InstanceStatus.AVAILABLE


def test_an_available_instance_whose_server_answers_is_left_alone() -> None:
    assert step(instance(), SERVING).step is Step.WAIT


def test_a_server_that_falls_silent_is_reported_and_one_that_died_is_left_to_its_restart() -> None:
    silent = dataclasses.replace(SERVING, answering=False, silent_since=NOW)
    assert step(instance(), silent).status is InstanceStatus.STARTING
    assert step(instance(), Seen(True, restarting=True)).status is InstanceStatus.STARTING
    assert step(instance(InstanceStatus.STARTING), Seen(True, restarting=True)).step is Step.WAIT
    long = dataclasses.replace(silent, silent_since=NOW - timedelta(minutes=3))
    failed = step(instance(InstanceStatus.STARTING), long)
    assert failed.status is InstanceStatus.FAILED
    again = instance(InstanceStatus.FAILED, reason=failed.reason)
    assert step(again, long).step is Step.WAIT
    assert step(again, SERVING).status is InstanceStatus.AVAILABLE


def test_a_server_that_keeps_ending_is_not_waited_for_and_gets_other_parameters_at_once() -> None:
    row = instance(InstanceStatus.REBOOTING, running=Running("group", {"max_connections": "5"}))
    group = dataclasses.replace(GROUP, parameters={"max_connections": Parameter("5", ApplyMethod.PENDING_REBOOT)})
    ending = Seen(True, restarting=True, failed_starts=3, last_words="max_connections must be more")
    assert step(row, ending, group).status is InstanceStatus.INCOMPATIBLE_PARAMETERS
    other = dataclasses.replace(ending, last_words="could not bind")
    assert step(row, other, group).status is InstanceStatus.FAILED
    assert step(row, ending, GROUP).step is Step.START


def test_a_reboot_stops_the_server_that_is_older_than_the_request_and_no_other() -> None:
    row = instance(InstanceStatus.REBOOTING, restart_requested_at=NOW)
    assert step(row, SERVING).step is Step.STOP
    assert step(row, dataclasses.replace(SERVING, stop_asked_at=NOW)).step is Step.WAIT
    assert step(row, Seen(True)).step is Step.START
    fresh = dataclasses.replace(SERVING, started_at=NOW + timedelta(seconds=1))
    assert step(row, fresh).status is InstanceStatus.AVAILABLE


def test_a_server_that_does_not_stop_in_time_is_ended_at_once() -> None:
    stuck = dataclasses.replace(SERVING, stop_asked_at=NOW - timedelta(minutes=1))
    assert step(instance(InstanceStatus.STOPPING), stuck).step is Step.KILL


def test_stopping_ends_in_stopped_and_after_seven_days_in_a_start() -> None:
    assert step(instance(InstanceStatus.STOPPING), SERVING).step is Step.STOP
    assert step(instance(InstanceStatus.STOPPING), Seen(True)).status is InstanceStatus.STOPPED
    stopped = instance(InstanceStatus.STOPPED, stopped_at=NOW)
    assert step(stopped, Seen(True)).step is Step.WAIT
    assert step(stopped, SERVING).step is Step.STOP
    assert step(stopped, Seen(True), now=NOW + timedelta(days=7)).status is InstanceStatus.STARTING


def test_deleting_ends_the_server_first() -> None:
    assert step(instance(InstanceStatus.DELETING), SERVING).step is Step.STOP
    assert step(instance(InstanceStatus.DELETING), Seen(True)).step is Step.REMOVE


def test_lost_data_is_a_failure_and_never_a_new_database() -> None:
    lost = step(instance(), Seen(False))
    assert (lost.step, lost.status) == (Step.SETTLE, InstanceStatus.FAILED)


def test_a_crash_is_reported_even_where_the_next_server_answers_already() -> None:
    crashed = dataclasses.replace(SERVING, crashed=True)
    assert step(instance(), crashed).status is InstanceStatus.STARTING
    assert step(instance(InstanceStatus.STARTING), crashed).status is InstanceStatus.AVAILABLE


def test_a_server_that_hangs_is_destroyed_and_then_started() -> None:
    hung = dataclasses.replace(SERVING, hangs="PostgreSQL runs but has not answered for 9 s")
    assert step(instance(), hung).status is InstanceStatus.STARTING  # it is not available when it is killed
    killed = step(instance(InstanceStatus.STARTING), hung)
    assert (killed.step, killed.reason) == (Step.DESTROY, hung.hangs)
    assert step(instance(InstanceStatus.STARTING), Seen(True)).step is Step.START


@pytest.mark.parametrize("status", [InstanceStatus.STOPPING, InstanceStatus.DELETING])
def test_a_server_that_does_not_stop_is_ended_ever_harder(status: InstanceStatus) -> None:
    def after(seconds: float) -> Step:
        asked_at = NOW - timedelta(seconds=seconds)
        return step(instance(status), dataclasses.replace(SERVING, stop_asked_at=asked_at)).step

    assert step(instance(status), SERVING).step is Step.STOP
    assert [after(seconds) for seconds in (59, 60, 64, 65)] == [Step.WAIT, Step.KILL, Step.KILL, Step.DESTROY]


def test_changes_wait_for_the_maintenance_window() -> None:
    row = instance(pending={"DBInstanceClass": "db.t3.small"})
    assert step(row, SERVING).step is Step.WAIT
    sunday = datetime(2026, 1, 11, 5, 30, tzinfo=UTC)
    assert step(row, SERVING, now=sunday).step is Step.MAINTAIN


@pytest.mark.parametrize(
    ("method", "status"), [(ApplyMethod.IMMEDIATE, "applying"), (ApplyMethod.PENDING_REBOOT, "pending-reboot")]
)
def test_a_changed_parameter_is_applied_now_or_with_the_next_boot(method: ApplyMethod, status: str) -> None:
    group = dataclasses.replace(GROUP, parameters={"work_mem": Parameter("8192", method)})
    running = Running("group", {})
    assert apply_status(running, group) == status
    assert at_boot(group).parameters == {"work_mem": "8192"}
    changed = while_running(running, group)
    assert (changed == running) == (method is ApplyMethod.PENDING_REBOOT)
    assert (step(instance(), SERVING, group).step is Step.RELOAD) == (method is ApplyMethod.IMMEDIATE)
    assert step(instance(running=changed), SERVING, group).step is Step.WAIT  # planning again yields nothing


def test_a_reset_parameter_goes_and_another_group_waits_for_a_reboot() -> None:
    reset = dataclasses.replace(GROUP, parameters={"work_mem": Parameter(None, ApplyMethod.IMMEDIATE)})
    assert while_running(Running("group", {"work_mem": "8192"}), reset).parameters == {}
    other = dataclasses.replace(reset, name="other")
    assert apply_status(Running("group", {"work_mem": "8192"}), other) == "pending-reboot"
    assert apply_status(at_boot(other), other) == "in-sync"
