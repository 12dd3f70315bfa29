"""Starting and stopping a whole local cloud, with a small program in the control plane's place."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from miyabi.environment.home import Home, Instance
from miyabi.localcloud import lifecycle
from miyabi.localcloud.supervisor.identity import identify, marked
from miyabi.model.errors import Conflict, Failed, NotFound, Unavailable

CONTROL = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
port, body = int(sys.argv[1]), json.dumps({"ready": True, "instance_id": sys.argv[2]}).encode()
class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/_miyabi/ready" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
HTTPServer(("127.0.0.1", port), Ready).serve_forever()
"""


def wait_for(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    until = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < until, "the condition did not come true in time"
        time.sleep(0.01)
    return result


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def home(tmp_path: Path, port: int) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    home.create()
    home.write_instance(Instance(1, "0123abcd", 90, port, "1" * 12, "us-west-2", "AKIA", "secret"))
    yield home
    lifecycle.stop(home, deadline_seconds=10)


def control(home: Home) -> list[str]:
    instance = home.read_instance()
    assert instance is not None
    return [sys.executable, "-I", "-c", CONTROL, str(instance.api_port), instance.instance_id]


def start(home: Home, **kwargs: Any) -> lifecycle.Running:
    lifecycle.start(home, **{"control_command": control(home), **kwargs})
    running = lifecycle.inspect(home)
    assert running is not None
    return running


def nothing_runs(home: Home) -> bool:
    return lifecycle.inspect(home) is None and not list(marked(str(home.root)))


def test_start_returns_when_the_api_answers_and_says_how_it_went(home: Home, port: int) -> None:
    lines: list[str] = []
    running = start(home, progress=lines.append)
    assert lines == [
        f"supervisor started (pid {running.pid})",
        f"control plane answers at http://127.0.0.1:{port}",
    ]
    found = running.process("control")
    assert found is not None
    assert found.running
    assert os.getsid(running.pid) == running.pid


def test_start_is_idempotent(home: Home) -> None:
    assert start(home) == start(home)


def test_stop_ends_everything_and_a_second_stop_finds_nothing(home: Home) -> None:
    start(home)
    assert lifecycle.stop(home) is True
    assert nothing_runs(home)
    assert list(home.run.iterdir()) == [home.run / "supervisor.lock"]
    assert lifecycle.stop(home) is False


def test_nothing_runs_in_a_new_home(tmp_path: Path) -> None:
    home = Home(tmp_path / "absent")
    assert lifecycle.inspect(home) is None
    assert lifecycle.stop(home) is False
    with pytest.raises(NotFound, match="there is no local cloud in"):
        lifecycle.start(home)


def test_a_port_held_by_another_program_is_named(home: Home, port: int) -> None:
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(Conflict, match=f"port {port} of 127") as raised,
    ):
        start(home)
    assert "MIYABI_API_PORT" in str(raised.value.hint)
    assert nothing_runs(home)
    start(home)


def test_another_local_cloud_on_the_port_is_not_taken_for_ours(home: Home) -> None:
    with pytest.raises(Conflict, match="taken by another program"):
        start(home, control_command=[*control(home)[:-1], "ffffffff"])
    assert nothing_runs(home)


def test_a_control_plane_that_keeps_ending_is_reported_with_its_last_words(home: Home) -> None:
    with pytest.raises(Failed, match=r"keeps ending \(exit code 3") as raised:
        start(home, control_command=["/bin/sh", "-c", "echo the journal is torn >&2; exit 3"])
    assert "the journal is torn" in str(raised.value.hint)
    assert nothing_runs(home)
    start(home)


def test_a_control_plane_that_never_gets_ready_is_given_up(home: Home) -> None:
    with pytest.raises(Unavailable, match="is not ready in time"):
        start(home, control_command=["/bin/sh", "-c", "exec sleep 1000"], deadline_seconds=1)
    assert nothing_runs(home)


def test_a_control_plane_that_cannot_be_run_is_reported(home: Home) -> None:
    with pytest.raises(Failed, match=r"the supervisor of .* ended") as raised:
        start(home, control_command=["/absent/python"])
    assert "cannot run /absent/python" in str(raised.value.hint)
    assert nothing_runs(home)


def test_an_interrupted_start_leaves_nothing_and_the_next_one_works(home: Home) -> None:
    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(home, progress=interrupt)
    assert nothing_runs(home)
    start(home)


def test_a_killed_supervisor_is_noticed_and_replaced(home: Home) -> None:
    first = start(home)
    os.kill(first.pid, signal.SIGKILL)
    wait_for(lambda: identify(first.pid) is None)
    assert lifecycle.inspect(home) is None
    assert start(home).pid != first.pid


def test_a_supervisor_that_hangs_is_killed_in_the_end(home: Home) -> None:
    running = start(home)
    os.kill(running.pid, signal.SIGSTOP)
    assert lifecycle.stop(home, deadline_seconds=2) is True
    assert nothing_runs(home)


def test_a_pid_file_that_names_another_process_is_not_believed(home: Home) -> None:
    stranger = subprocess.Popen(["/bin/sleep", "1000"])
    try:
        found = identify(stranger.pid)
        assert found is not None
        (home.run / "supervisor.pid").write_text(f"{found.pid} {found.start_ticks}\n")
        assert lifecycle.stop(home) is False
        (home.run / "supervisor.pid").write_text("rubbish")
        assert lifecycle.stop(home) is False
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_the_shell_that_starts_it_does_not_colour_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "TF_WORKSPACE", "HTTP_PROXY", "MIYABI_INSTANCE_HOME"):
        monkeypatch.setenv(name, "from-the-shell")
    found = start(home).process("control")
    assert found is not None
    environment = Path(f"/proc/{found.pid}/environ").read_text()
    assert "from-the-shell" not in environment
    assert f"MIYABI_INSTANCE_HOME={home.root}\0" in environment


def test_two_commands_at_once_do_not_start_or_stop_together(home: Home) -> None:
    with (
        lifecycle.exclusive(home),
        pytest.raises(Conflict, match=rf"another miyabi command .* \(pid {os.getpid()}\)"),
        lifecycle.exclusive(home),
    ):
        pass
    with lifecycle.exclusive(home):
        pass


def test_the_right_to_start_is_not_inherited_by_what_is_started(home: Home) -> None:
    with lifecycle.exclusive(home):
        start(home)
    with lifecycle.exclusive(home):
        assert lifecycle.stop(home) is True


def test_an_api_that_answers_something_else_is_not_ready(home: Home, port: int) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", port), Other) as server, contextlib.ExitStack() as stack:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        with pytest.raises(Conflict, match="taken by another program"):
            start(home)
