"""The supervisor with real processes: what it is asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from miyabi.environment.home import Home
from miyabi.localcloud.processes import ProcessSpec
from miyabi.localcloud.supervisor.identity import identify
from miyabi.localcloud.supervisor_client import NotExecutable
from miyabi.model.errors import Conflict, InvalidInput, NotFound, Unavailable
from tests.integration.supervised import ENVIRONMENT, IDLE, Cloud, pid_of, wait_for


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


def test_the_control_plane_starts_at_once_and_comes_back_when_it_dies(cloud: Cloud) -> None:
    first = wait_for(lambda: cloud.running("control"))
    os.kill(first.pid, signal.SIGKILL)
    again = wait_for(lambda: (state := cloud.running("control")) and state.restarts == 1 and state)
    assert again.pid != first.pid
    cloud.signal("control", signal.SIGTERM)
    wait_for(lambda: (state := cloud.running("control")) and state.restarts == 2)


def test_starting_again_from_an_equal_spec_changes_nothing(cloud: Cloud) -> None:
    first = cloud.start(cloud.spec("task/a", *IDLE))
    assert cloud.start(cloud.spec("task/a", *IDLE)) == first


def test_another_spec_under_a_running_name_is_a_conflict(cloud: Cloud) -> None:
    cloud.start(cloud.spec("task/a", *IDLE))
    with pytest.raises(Conflict, match="task/a: runs from another spec"):
        cloud.start(cloud.spec("task/a", "sleep", "999"))


def test_an_end_is_remembered_until_it_is_forgotten_even_over_a_control_plane_restart(cloud: Cloud) -> None:
    cloud.start(cloud.shell("task/a", "exit 7"))
    ended = cloud.ended("task/a")
    assert (ended.exit_code, ended.running) == (7, False)
    assert ended.ended_at is not None
    assert ended.ended_at >= ended.started_at
    control = wait_for(lambda: cloud.running("control"))
    os.kill(control.pid, signal.SIGKILL)
    wait_for(lambda: (state := cloud.running("control")) and state.restarts == 1)
    assert cloud.state("task/a") == ended
    with pytest.raises(Conflict, match="forget it first"):
        cloud.start(cloud.shell("task/a", "exit 7"))
    cloud.forget("task/a")
    assert cloud.state("task/a") is None


def test_a_signal_shows_as_128_plus_its_number(cloud: Cloud) -> None:
    cloud.start(cloud.spec("task/a", *IDLE))
    cloud.signal("task/a", signal.SIGTERM)
    assert cloud.ended("task/a").exit_code == 128 + signal.SIGTERM
    with pytest.raises(Conflict, match="has ended"):
        cloud.signal("task/a", signal.SIGTERM)


def test_a_signal_reaches_the_whole_group_or_the_first_process_only(cloud: Cloud) -> None:
    inner = "trap 'echo second' USR1; echo ready; while :; do sleep 0.05; done"
    script = f"trap 'echo first' USR1; sh -c {shlex.quote(inner)} & while :; do wait; done"
    cloud.start(cloud.shell("task/a", script))
    wait_for(lambda: "ready" in cloud.output("task-a"))
    cloud.signal("task/a", signal.SIGUSR1, group=False)
    wait_for(lambda: "first" in cloud.output("task-a"))
    cloud.signal("task/a", signal.SIGUSR1)
    wait_for(lambda: cloud.output("task-a").count("first") == 2 and "second" in cloud.output("task-a"))
    assert cloud.output("task-a").count("second") == 1


def test_what_cannot_be_done_is_refused_by_kind(cloud: Cloud) -> None:
    plain = cloud.home.root / "plain.txt"
    plain.write_text("not a program")
    with pytest.raises(NotExecutable, match="task/a: cannot run absent: No such file"):
        cloud.start(cloud.spec("task/a", "absent"))
    with pytest.raises(NotExecutable, match="Permission denied"):
        cloud.start(cloud.spec("task/a", str(plain)))
    plain.chmod(0o700)
    with pytest.raises(NotExecutable, match="Exec format error"):
        cloud.start(cloud.spec("task/a", str(plain)))
    with pytest.raises(InvalidInput, match="working directory /absent does not exist"):
        cloud.start(ProcessSpec("task/a", tuple(IDLE), {}, "/absent", str(cloud.home.log / "a.log")))
    with pytest.raises(InvalidInput, match="cannot write to /absent/log"):
        cloud.start(ProcessSpec("task/a", tuple(IDLE), {}, "/", "/absent/log"))
    for request in (cloud.forget, lambda name: cloud.signal(name, signal.SIGTERM)):
        with pytest.raises(NotFound, match="task/a: no such process"):
            request("task/a")
    cloud.start(cloud.spec("task/a", *IDLE))
    with pytest.raises(Conflict, match="is running"):
        cloud.forget("task/a")


def test_a_program_is_looked_up_on_the_path_of_its_own_environment(cloud: Cloud, tmp_path: Path) -> None:
    program = tmp_path / "greet"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o700)
    cloud.start(cloud.spec("task/a", "greet", env={"PATH": str(tmp_path)}))
    assert cloud.ended("task/a").exit_code == 0
    assert cloud.output("task-a") == "hello\n"


def test_a_child_gets_a_clean_surrounding(cloud: Cloud) -> None:
    script = (
        "import os, resource, json; "
        "print(json.dumps({'env': dict(os.environ), 'umask': os.umask(0), "
        "'fds': sorted(int(fd) for fd in os.listdir('/proc/self/fd')), "
        "'stdin': os.readlink('/proc/self/fd/0'), "
        "'session': os.getsid(0) == os.getpid(), 'core': resource.getrlimit(resource.RLIMIT_CORE), "
        "'ignored': open('/proc/self/status').read().split('SigIgn:')[1].split()[0], 'cwd': os.getcwd()}))"
    )
    cloud.start(cloud.spec("task/a", sys.executable, "-I", "-c", script))
    assert cloud.ended("task/a").exit_code == 0
    seen = json.loads(cloud.output("task-a"))
    marks = {"MIYABI_INSTANCE_HOME": str(cloud.home.root), "MIYABI_INSTANCE_CHILD": "task/a"}
    assert {name: value for name, value in seen["env"].items() if name != "LC_CTYPE"} == ENVIRONMENT | marks
    assert seen["umask"] == 0o077
    assert seen["fds"][:3] == [0, 1, 2]
    assert len(seen["fds"]) == 4  # the fourth lists the directory
    assert seen["stdin"] == "/dev/null"
    assert seen["session"] is True
    assert seen["core"] == [0, 0]
    assert int(seen["ignored"], 16) & (1 << (signal.SIGHUP - 1)) == 0
    assert seen["cwd"] == str(cloud.home.root)


def test_socket_pid_file_and_outputs_are_private(cloud: Cloud) -> None:
    cloud.start(cloud.spec("task/a", *IDLE))
    files = [cloud.home.run / name for name in ("supervisor.sock", "supervisor.pid", "supervisor.lock")]
    for path in [*files, cloud.home.log / "task-a.log"]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert cloud.process is not None
    own = identify(cloud.process.pid)
    assert own is not None
    assert (cloud.home.run / "supervisor.pid").read_text() == f"{own.pid} {own.start_ticks}\n"


def test_a_bad_line_is_answered_and_harms_nobody(cloud: Cloud) -> None:
    strange = '{"name": "a", "argv": ["a"], "env": {"A=B": "c"}, "cwd": "/", "output": "/o"}'
    surrogate = '{"name": "\\ud800", "argv": ["a"], "env": {}, "cwd": "/", "output": "/\\ud800"}'
    lines = [
        b"\xff\xfe",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b'{"op":"start"}',
        b'{"op":"start","spec":{"name":5}}',
    ]
    lines += [b'{"op":"signal","name":"control","signal":999}', b'{"op":"signal","name":"control"}']
    lines += [b'{"op":"signal","name":"control","signal":{}}', b'{"op":"stop","timeout_seconds":"soon"}']
    lines += [f'{{"op": "start", "spec": {spec}}}'.encode() for spec in (strange, surrogate)]
    directory = os.open(cloud.home.run, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"/proc/self/fd/{directory}/supervisor.sock")
        with connection.makefile("rb") as answers:
            for line in lines:
                connection.sendall(line + b"\n")
                assert json.loads(answers.readline())["ok"] is False, line
            connection.sendall(b"x" * (3 << 20) + b"\n")
            assert json.loads(answers.readline())["code"] == "invalid"
    os.close(directory)
    assert cloud.running("control")


def test_watching_shows_every_state_and_then_every_change(cloud: Cloud) -> None:
    async def scenario() -> list[tuple[str, bool]]:
        seen: list[tuple[str, bool]] = []
        async with asyncio.timeout(10):
            async for state in cloud.client.watch():
                seen.append((state.name, state.running))
                if state.name == "control":
                    await cloud.client.start(cloud.shell("task/a", "exit 3"))
                if state.exit_code == 3:
                    break
        return seen

    assert asyncio.run(scenario()) == [("control", True), ("task/a", True), ("task/a", False)]


def test_a_watcher_learns_that_the_supervisor_is_gone(cloud: Cloud) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(10):
            async for _ in cloud.client.watch():
                assert cloud.process is not None
                cloud.process.kill()

    with pytest.raises(Unavailable, match="no supervisor runs"):
        asyncio.run(scenario())


def test_an_ended_child_leaves_nothing_behind_not_even_what_left_its_group(cloud: Cloud) -> None:
    script = "sleep 1000 & echo member $!; setsid sleep 1000 & echo escaped $!; read -r never < /dev/zero"
    state = cloud.start(cloud.shell("task/a", script))
    cloud.start(cloud.shell("task/b", "sleep 1000 & echo other $!; wait"))
    member, escaped = pid_of(cloud, "task-a", "member"), pid_of(cloud, "task-a", "escaped")
    other = pid_of(cloud, "task-b", "other")
    wait_for(lambda: os.getsid(escaped.pid) == escaped.pid)
    cloud.signal("task/a", signal.SIGKILL, group=False)
    assert cloud.ended("task/a").pid == state.pid
    wait_for(lambda: not member.alive() and not escaped.alive(), 2)
    assert other.alive()


def test_orphans_of_a_running_child_are_reaped(cloud: Cloud) -> None:
    cloud.start(cloud.shell("task/a", "(sleep 0.1 & echo orphan $!) ; sleep 1000"))
    orphan = wait_for(lambda: cloud.output("task-a").split()[1:2])
    wait_for(lambda: not Path(f"/proc/{orphan[0]}").exists())
    assert cloud.running("task/a")


def test_a_child_to_be_restarted_comes_back_until_it_is_told_to_end(cloud: Cloud) -> None:
    spec = cloud.spec("haproxy", *IDLE, restart=True)
    first = cloud.start(spec)
    os.kill(first.pid, signal.SIGKILL)
    assert cloud.start(spec).name == "haproxy"  # running or waiting for its restart: no second one
    again = wait_for(lambda: (state := cloud.running("haproxy")) and state.restarts == 1 and state)
    assert again.pid != first.pid
    cloud.signal("haproxy", signal.SIGTERM)
    assert cloud.ended("haproxy").exit_code == 128 + signal.SIGTERM
    fresh = cloud.start(cloud.spec("haproxy", "sleep", "999", restart=True))
    assert (fresh.running, fresh.restarts) == (True, 0)


def test_a_child_that_keeps_ending_is_restarted_ever_more_slowly(cloud: Cloud) -> None:
    cloud.start(cloud.shell("haproxy", "date +%s.%N; exit 1", restart=True))
    lines = wait_for(lambda: len(found := cloud.output("haproxy").split()) >= 5 and found)
    times = [float(line) for line in lines]
    gaps = [after - before for before, after in pairwise(times[:4])]
    assert all(gap >= pause for gap, pause in zip(gaps, (0.0, 0.1, 0.2), strict=True)), gaps
    found = cloud.state("haproxy")
    assert found is not None
    assert "restart " in found.reason
    assert "ended with exit code 1" in found.reason
    cloud.signal("haproxy", signal.SIGTERM)  # also while it waits
    wait_for(lambda: (state := cloud.state("haproxy")) and not state.running)
    with contextlib.suppress(Conflict):
        cloud.forget("haproxy")


def test_a_control_plane_that_hangs_is_restarted_and_one_that_never_spoke_is_left_alone(cloud: Cloud) -> None:
    first = wait_for(lambda: cloud.running("control"))
    os.kill(first.pid, signal.SIGSTOP)
    asyncio.run(cloud.client.alive("control"))  # from now on it must go on saying so
    other = cloud.start(cloud.spec("task/a", *IDLE))
    again = wait_for(lambda: (state := cloud.running("control")) and state.pid != first.pid and state, 60)
    assert again.restarts == 1
    assert "has not answered for 15 s" in (cloud.home.log / "supervisor.log").read_text()
    state = cloud.running("task/a")
    assert state is not None
    assert state.pid == other.pid


def test_a_home_may_be_deeper_than_a_socket_address_is_long(tmp_path: Path) -> None:
    root = tmp_path.joinpath(*["a-rather-long-directory-name"] * 8)
    root.parent.mkdir(parents=True)
    cloud = Cloud(Home(root))
    cloud.home.create()
    try:
        cloud.up()
        cloud.start(cloud.shell("task/a", "exit 0"))
        assert cloud.ended("task/a").exit_code == 0
        cloud.blocking.stop(timeout_seconds=10)
    finally:
        cloud.down()


def test_many_children_at_once_are_all_accounted_for(cloud: Cloud) -> None:
    async def scenario() -> None:
        specs = [cloud.shell(f"task/{number}", f"exit {number}") for number in range(60)]
        await asyncio.gather(*(cloud.client.start(spec) for spec in specs))

    asyncio.run(scenario())
    wait_for(lambda: not any(state.running for state in cloud.blocking.list() if state.name != "control"))
    codes = {state.name: state.exit_code for state in cloud.blocking.list() if state.name != "control"}
    assert codes == {f"task/{number}": number for number in range(60)}
