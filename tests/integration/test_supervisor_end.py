"""The supervisor with real processes: its end, orderly or not, and what comes after it."""

from __future__ import annotations

import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from miyabi.environment.home import Home
from miyabi.localcloud.supervisor.identity import identify, marked
from miyabi.model.errors import Unavailable
from tests.integration.supervised import IDLE, Cloud, pid_of, wait_for


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


@pytest.fixture
def idle(home: Home) -> Iterator[Cloud]:
    """A home without a supervisor."""
    cloud = Cloud(home)
    yield cloud
    cloud.down()


@pytest.fixture
def cloud(idle: Cloud) -> Cloud:
    idle.up()
    return idle


STAMP = "trap 'date +%s.%N > {path}; exit 0' TERM; echo ready; while :; do sleep 0.02; done"


@pytest.mark.parametrize("way", ["request", "SIGTERM", "SIGINT"])
def test_the_end_is_orderly_control_plane_then_tasks_then_the_balancer(idle: Cloud, way: str) -> None:
    stamps = {name: idle.home.root / f"stamp-{name}" for name in ("control", "task", "haproxy")}
    control = STAMP.format(path=shlex.quote(str(stamps["control"]))).replace("exit 0", "sleep 0.3; exit 0")
    process = idle.up(control=["/bin/sh", "-c", control])
    task = STAMP.format(path=stamps["task"]).replace("exit 0", "sleep 0.3; exit 0")
    idle.start(idle.shell("task/a", task))
    idle.start(idle.shell("haproxy", STAMP.format(path=stamps["haproxy"]), restart=True))
    wait_for(lambda: all("ready" in idle.output(name) for name in ("control", "task-a", "haproxy")))
    if way == "request":
        idle.blocking.stop(timeout_seconds=10)
        assert not list(marked(str(idle.home.root)))
    else:
        process.send_signal(signal.Signals[way])
    assert process.wait(10) == 0
    times = [float(stamps[name].read_text()) for name in ("control", "task", "haproxy")]
    assert times[0] + 0.3 <= times[1]
    assert times[1] + 0.3 <= times[2]
    assert not (idle.home.run / "supervisor.sock").exists()
    assert not (idle.home.run / "supervisor.pid").exists()


def test_what_does_not_end_in_time_is_killed(idle: Cloud) -> None:
    process = idle.up("--stop-timeout", "0.3")
    idle.start(idle.shell("task/a", "trap '' TERM; echo ready; while :; do sleep 0.1; done"))
    wait_for(lambda: "ready" in idle.output("task-a"))
    idle.blocking.stop(timeout_seconds=10)
    assert process.wait(5) == 0
    assert not list(marked(str(idle.home.root)))


def test_a_second_signal_ends_the_patience(idle: Cloud) -> None:
    process = idle.up("--stop-timeout", "1000")
    idle.start(idle.shell("task/a", "trap 'echo term' TERM; echo ready; while :; do sleep 0.1; done"))
    wait_for(lambda: "ready" in idle.output("task-a"))
    process.terminate()
    wait_for(lambda: "term" in idle.output("task-a"))
    with pytest.raises(Unavailable, match="is stopping"):
        idle.start(idle.spec("task/b", *IDLE))
    process.terminate()
    assert process.wait(5) == 0


def test_children_die_with_a_killed_supervisor_and_the_next_one_sweeps_the_rest(idle: Cloud) -> None:
    process = idle.up()
    control = wait_for(lambda: idle.running("control"))
    tasks = [idle.start(idle.spec(f"task/{number}", *IDLE)) for number in range(5)]
    idle.start(idle.shell("task/parent", "setsid sleep 1000 & echo grandchild $!; wait"))
    grandchild = pid_of(idle, "task-parent", "grandchild")
    children = [identify(state.pid) for state in (control, *tasks)]
    process.kill()
    wait_for(lambda: not any(child and child.alive() for child in children), 1)
    process.wait()
    idle.up()
    assert not grandchild.alive()
    assert [state.name for state in idle.blocking.list()] == ["control"]


def test_what_belongs_to_another_home_is_never_touched(idle: Cloud) -> None:
    root = str(idle.home.root)
    others = [{"MIYABI_INSTANCE_HOME": root + "2"}, {"OTHER": f"MIYABI_INSTANCE_HOME={root}"}, {}]
    strangers = [subprocess.Popen(IDLE, env=env) for env in others]
    try:
        idle.up()
        idle.blocking.stop(timeout_seconds=10)
        assert all(stranger.poll() is None for stranger in strangers)
    finally:
        for stranger in strangers:
            stranger.kill()
            stranger.wait()


def test_a_second_supervisor_on_the_home_refuses(cloud: Cloud) -> None:
    second = cloud.spawn()
    assert second.wait(10) == 5
    assert "another supervisor serves" in (cloud.home.log / "supervisor.log").read_text()
    assert cloud.running("control")
