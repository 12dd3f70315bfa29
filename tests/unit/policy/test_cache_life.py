"""What happens next to a cache node, and what it is set to."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.model.elasticache import CacheCluster, CacheStatus
from miyabi.policy.cache_life import (
    SeenNode,
    Step,
    in_window,
    is_window,
    next_step,
    run_time_settings,
    serves,
)

SUNDAY = datetime(2026, 1, 4, 5, 0, tzinfo=UTC)
WANTED = {"maxmemory": "1", "timeout": "0"}


def cluster(**changes: object) -> CacheCluster:
    row = CacheCluster(
        id="one",
        engine="redis",
        engine_version="7.0.7",
        node_type="cache.t3.micro",
        created_at=SUNDAY,
        zone="us-west-2a",
        address="127.0.0.4",
        port=6379,
        subnet_group="s",
        parameter_group="p",
        security_groups=(),
        maintenance_window="sun:05:00-sun:06:00",
        snapshot_window="03:00-04:00",
        snapshot_retention_limit=0,
        auto_minor_version_upgrade=True,
        static={},
    )
    return dataclasses.replace(row, **changes)  # type: ignore[arg-type]


SETTLED = {"status": CacheStatus.AVAILABLE, "run_id": "r", "applied": WANTED}


def test_a_cluster_without_a_process_is_started_and_one_that_was_available_is_not_any_more() -> None:
    assert next_step(cluster(), SeenNode(), WANTED).step is Step.START
    step = next_step(cluster(**SETTLED), SeenNode(), WANTED)
    assert (step.step, step.status) == (Step.START, CacheStatus.REBOOTING)


def test_a_new_cluster_is_creating_until_its_node_answers_and_has_its_settings() -> None:
    assert next_step(cluster(), SeenNode(running=True), WANTED).status is CacheStatus.CREATING
    answering = SeenNode(running=True, run_id="r")
    step = next_step(cluster(), answering, WANTED)
    assert (step.step, step.settings) == (Step.CONFIGURE, WANTED)
    step = next_step(cluster(run_id="r", applied=WANTED), answering, WANTED)
    assert (step.step, step.status) == (Step.REPORT, CacheStatus.AVAILABLE)


def test_only_what_differs_is_set_and_what_was_refused_is_not_tried_again() -> None:
    answering = SeenNode(running=True, run_id="r")
    row = cluster(**{**SETTLED, "applied": {"maxmemory": "2"}, "refused": {"timeout": "0"}})
    assert next_step(row, answering, WANTED).settings == {"maxmemory": "1"}


def test_a_process_of_before_a_reboot_is_ended_before_another_starts() -> None:
    seen = SeenNode(former=True)
    assert next_step(cluster(status=CacheStatus.REBOOTING, generation=2), seen, WANTED).step is Step.END_FORMER


def test_a_deleted_cluster_is_removed_when_nothing_of_it_runs() -> None:
    row = cluster(status=CacheStatus.DELETING)
    assert next_step(row, SeenNode(running=True), WANTED).step is Step.END_FORMER
    assert next_step(row, SeenNode(), WANTED).step is Step.REMOVE


@given(
    st.sampled_from(CacheStatus),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, "r", "s"]),
    st.dictionaries(st.sampled_from(["maxmemory", "timeout"]), st.sampled_from(["0", "1"])),
)
def test_nothing_reports_available_unless_its_process_answered_with_every_setting(
    status: CacheStatus, former: bool, running: bool, run_id: str | None, applied: dict[str, str]
) -> None:
    row = cluster(status=status, run_id="r", applied=applied)
    step = next_step(row, SeenNode(former, running, run_id if running else None), WANTED)
    if step.step is Step.REPORT and step.status is CacheStatus.AVAILABLE:
        assert running
        assert run_id == "r"
        assert applied == WANTED
    if step.step is Step.REPORT:  # reporting again changes nothing
        again = next_step(
            dataclasses.replace(row, status=step.status), SeenNode(former, running, run_id if running else None), WANTED
        )
        assert again.step is Step.WAIT


def test_the_reserve_is_taken_off_the_memory_and_buffers_become_one_setting() -> None:
    buffers = {
        f"client-output-buffer-limit-{kind}-{limit}": value
        for kind in ("normal", "pubsub")
        for limit, value in (("hard-limit", "3"), ("soft-limit", "2"), ("soft-seconds", "1"))
    }
    settings = run_time_settings(536_870_912, {"reserved-memory-percent": "25", "timeout": "0", **buffers})
    assert settings == {
        "maxmemory": "402653184",
        "timeout": "0",
        "client-output-buffer-limit": "normal 3 2 1 slave 268435456 67108864 60 pubsub 3 2 1",
    }


@pytest.mark.parametrize(
    ("server", "version", "engine", "asked", "able"),
    [
        ("redis", "7.0.15", "redis", "7.0.7", True),
        ("redis", "7.0.15", "redis", "6.2.6", True),
        ("redis", "7.0.15", "redis", "7.1.0", True),
        ("redis", "7.0.15", "valkey", "7.2.6", False),
        ("valkey", "9.1.2", "redis", "7.1.0", True),
        ("valkey", "9.1.2", "valkey", "8.1.0", True),
        ("valkey", "8.0.1", "valkey", "8.1.0", False),
        ("valkey", "9.1.2", "redis", "7.4.0", False),
    ],
)
def test_a_server_stands_for_what_its_clients_cannot_tell_apart(
    server: str, version: str, engine: str, asked: str, able: bool
) -> None:
    assert serves(server, version, engine, asked) is able


def test_a_window_is_weekly_in_utc_and_at_least_an_hour_long() -> None:
    assert in_window("sun:05:00-sun:06:00", SUNDAY)
    assert not in_window("sun:05:00-sun:06:00", SUNDAY + timedelta(hours=1))
    assert in_window("sat:23:30-sun:05:30", SUNDAY)
    assert in_window("sun:23:00-mon:02:00", SUNDAY + timedelta(hours=20))
    assert [is_window(w) for w in ("sun:05:00-sun:05:30", "x", "sun:25:00-sun:26:00", "SUN:05:00-SUN:06:00")] == [
        False,
        False,
        False,
        True,
    ]
