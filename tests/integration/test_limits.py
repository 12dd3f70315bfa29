"""Real programs held to real limits: by the control groups of this machine, and by looking at their memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from miyabi.environment.control_groups import LIMITER_FILE, find_places
from miyabi.environment.home import Home
from miyabi.localcloud.processes import ProcessSpec
from miyabi.policy.limiter import Limiter
from tests.integration.supervised import Cloud, wait_for

MEBIBYTE = 1 << 20
# Takes memory in steps, so that a poll has its chance, and really touches it.
GREEDY = """
import sys, time
held = []
print("ready", flush=True)
while True:
    held.append(bytearray(b"x" * (4 << 20)))
    time.sleep(0.01)
"""
BUSY = "import time; until = time.monotonic() + 2\nwhile time.monotonic() < until: pass\nprint(time.process_time())"


def groups() -> bool:
    return any({"memory", "cpu"} <= set(places.by_controller) for places in find_places().values())


@pytest.fixture(params=["best", Limiter.POLLING.value])
def cloud(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    if request.param != "best":
        monkeypatch.setenv("MIYABI_LIMITER", request.param)
    home = Home(tmp_path / "home")
    home.create()
    cloud = Cloud(home)
    cloud.up()
    yield cloud
    cloud.down()


def limited(cloud: Cloud, name: str, script: str, *, mebibytes: int = 0, cpu_units: int = 0) -> ProcessSpec:
    spec = cloud.spec(name, "python3", "-c", script)
    return ProcessSpec(
        spec.name, spec.argv, spec.env, spec.cwd, spec.output, cpu_units=cpu_units, memory_bytes=mebibytes * MEBIBYTE
    )


def test_what_uses_more_memory_than_it_may_is_killed_and_known_as_such(cloud: Cloud) -> None:
    modest = cloud.start(limited(cloud, "task/modest", "import time; time.sleep(1000)", mebibytes=512))
    cloud.start(limited(cloud, "task/greedy", GREEDY, mebibytes=64))
    ended = cloud.ended("task/greedy")
    assert (ended.exit_code, ended.out_of_memory) == (137, True)
    assert "killed for its memory" in ended.reason
    still = cloud.running("task/modest")
    assert still is not None
    assert (still.pid, still.out_of_memory) == (modest.pid, False)


def test_what_it_starts_counts_too(cloud: Cloud) -> None:
    script = f"import subprocess, sys\nsys.exit(subprocess.run([sys.executable, '-c', {GREEDY!r}]).returncode and 9)"
    cloud.start(limited(cloud, "task/parent", script, mebibytes=64))
    ended = cloud.ended("task/parent")
    assert ended.out_of_memory
    assert ended.exit_code in {9, 137}  # a control group kills the greedy one, a poll the whole task


def test_a_kill_is_not_taken_for_a_lack_of_memory(cloud: Cloud) -> None:
    cloud.start(limited(cloud, "task/a", "import os; os.kill(os.getpid(), 9)", mebibytes=64))
    ended = cloud.ended("task/a")
    assert (ended.exit_code, ended.out_of_memory) == (137, False)
    cloud.forget("task/a")
    assert cloud.start(limited(cloud, "task/a", "print(1)", mebibytes=64)).running  # its group can be made again


def test_the_supervisor_says_by_what_it_limits_and_leaves_no_group_behind(cloud: Cloud) -> None:
    said = (cloud.home.run / LIMITER_FILE).read_text()
    cloud.start(limited(cloud, "task/a", "import time; time.sleep(1000)", mebibytes=64, cpu_units=256))
    if said.startswith(Limiter.POLLING):
        assert "CPU is not limited" in said
    else:
        assert cloud.groups()
    cloud.blocking.stop(timeout_seconds=10)
    assert not cloud.groups()
    assert not (cloud.home.run / LIMITER_FILE).exists()


@pytest.mark.skipif(not groups(), reason="this user may make no control groups")
def test_cpu_is_limited_by_a_control_group(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    cloud = Cloud(home)
    try:
        cloud.up()
        cloud.start(limited(cloud, "task/quarter", BUSY, cpu_units=256))
        began = time.monotonic()
        assert cloud.ended("task/quarter").exit_code == 0
        used = float(wait_for(lambda: cloud.output("task-quarter").strip()))
        assert used <= 0.25 * (time.monotonic() - began) + 0.1, used
    finally:
        cloud.down()
