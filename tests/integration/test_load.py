"""`miyabi load run` against a real server: it keeps its rate, and tells what a stall was like for those who waited."""

from __future__ import annotations

import http.server
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

TOML = """\
project = "miyabi"
[environments.dev]
account = "112530848482"
region = "us-west-2"
terraform = "."
"""


@contextmanager
def server(before: Callable[[str], None] = lambda _: None) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            before(self.path)
            self.send_response({"/missing": 404, "/broken": 500, "/moved": 302}.get(self.path, 200))
            self.send_header("Content-Length", "100" if self.path == "/cut" else "2")
            self.send_header("Location", "/")
            self.send_header("Set-Cookie", "seen=1")
            self.end_headers()
            self.wfile.write(b"\xe9\xe0" if self.path == "/broken" else b"ok")
            self.close_connection = self.path == "/cut"

        def log_message(self, *_: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 500

    with Server(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{made.server_port}"
        finally:
            made.shutdown()
            thread.join()


def command(tmp_path: Path, *words: str) -> list[str]:
    (tmp_path / "miyabi.toml").write_text(TOML)
    return [sys.executable, "-m", "miyabi.cli", "-f", str(tmp_path / "miyabi.toml"), "load", "run", *words]


def run(tmp_path: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(command(tmp_path, "--json", *words), capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def test_it_keeps_its_rate_and_counts_every_answer(tmp_path: Path) -> None:
    seen: list[str] = []
    mix = tmp_path / "mix.toml"
    mix.write_text('[[request]]\npath = "/"\nweight = 9\n[[request]]\npath = "/missing"\nstatuses = [404]\n')
    with server(seen.append) as url:
        code, found, said = run(tmp_path, url, "--rate", "200", "--duration", "3s", "--even", "--mix", str(mix))
    assert found["requests"] == len(seen) == 600, said
    assert found["wrong"] == 0
    assert found["statuses"] == {"200": 600 - seen.count("/missing"), "404": seen.count("/missing")}
    assert 30 < seen.count("/missing") < 90
    assert found["rate"] == pytest.approx(200, rel=0.02)
    assert (code == 0) == (found["kept_up"] and not found["verdicts"]), said


def test_a_stall_is_seen_by_those_who_were_due_meanwhile(tmp_path: Path) -> None:
    """One second in which the server takes nothing: at 100 a second a third of a three-second load waits."""
    gate = threading.Event()
    gate.set()
    begun: list[float] = []

    def stall(_: str) -> None:
        if not begun:
            begun.append(time.monotonic())
            threading.Timer(1.0, gate.clear).start()
            threading.Timer(2.0, gate.set).start()
        gate.wait(10)

    with server(stall) as url:
        code, found, said = run(tmp_path, url, "--rate", "100", "--duration", "3s", "--even")
    assert code == 1, said
    assert found["requests"] == 300
    assert 0.5 < found["latency"]["90.0"] < 1.1
    assert found["latency"]["50.0"] < 0.2
    assert "P95" in said


def test_every_answer_is_counted_as_it_came_and_a_broken_one_as_none(tmp_path: Path) -> None:
    mix = tmp_path / "mix.toml"
    mix.write_text("".join(f'[[request]]\npath = "/{path}"\n' for path in ("broken", "cut", "moved", "")))
    asked: list[str] = []
    with server(asked.append) as url:
        code, found, said = run(tmp_path, url, "--rate", "40", "--duration", "2s", "--even", "--mix", str(mix))
    assert len(asked) == found["requests"] == 80, "a redirect is an answer"
    count = asked.count
    assert found["statuses"] == {"200": count("/"), "302": count("/moved"), "500": count("/broken")}
    assert found["wrong"] == count("/broken") + count("/cut")
    assert sum(found["errors"].values()) == count("/cut")
    assert (found["unfinished"], found["latency"]["100.0"]) == (0, None)
    assert (code, found["error"]["type"]) == (1, "Failed"), said


@contextmanager
def running(tmp_path: Path, url: str) -> Iterator[subprocess.Popen[str]]:
    """A long load that has got its first answers; whatever a test leaves of it is killed."""
    words = command(tmp_path, url, "--json", "--rate", "50", "--duration", "60s")
    # As from a terminal, also where the tests run under nohup.
    hearing = "import os, sys\nfrom signal import *\nsignal(SIGHUP, SIG_DFL)\nos.execv(sys.argv[1], sys.argv[1:])"
    with subprocess.Popen(
        [sys.executable, "-c", hearing, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if "ended" in line:
                    break
            yield process
        finally:
            process.kill()


def test_ctrl_c_ends_it_with_what_there_is(tmp_path: Path) -> None:
    with server() as url, running(tmp_path, url) as process:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    found = json.loads(out)
    assert (process.returncode, found["interrupted"], found["error"]["type"]) == (130, True, "Interrupted")
    assert 0 < found["requests"] < 3000
    assert found["latency"]["50.0"] is not None
    assert found["unfinished"] >= 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_a_load_ends_with_the_command(tmp_path: Path, number: signal.Signals) -> None:
    asked: list[float] = []
    with server(lambda _: asked.append(time.monotonic())) as url, running(tmp_path, url) as process:
        process.send_signal(number)
        process.communicate(timeout=30)
        deadline = time.monotonic() + 20
        while asked[-1] > time.monotonic() - 1:  # at 50 a second nothing for a second
            assert time.monotonic() < deadline, "requests go on"
            time.sleep(0.05)
    assert process.returncode == (130 if number == signal.SIGHUP else -signal.SIGKILL)


def test_nobody_there_is_a_bad_verdict(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        code, found, said = run(tmp_path, f"http://127.0.0.1:{closed.getsockname()[1]}", "--duration", "1s")
    assert code == 1
    assert found["wrong"] == found["requests"] > 0
    assert found["errors"]
    assert "no request was answered" in said or "did not get the answer" in said


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("ftp://127.0.0.1",), "is no address"),
        (("http://127.0.0.1/path",), "is no address"),
        (("http://127.0.0.1", "--duration", "soon"), "not a duration"),
        (("http://127.0.0.1", "--rate", "0"), "rate"),
        (("http://127.0.0.1", "--rate", "nan"), "rate"),
        (("http://127.0.0.1", "--rate", "0.001", "--duration", "1s", "--seed", "1"), "no request would be due"),
        (("http://127.0.0.1", "--rate", "20000", "--duration", "1h"), "more than 2,000,000"),
        (("http://service.example",), "nobody is there to confirm it"),
        (("http://service.example", "--yes", "other.example"), "service.example"),
        (("http://127.0.0.1", "--mix", "{folder}/bad.toml"), "weight must be"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_sent(tmp_path: Path, words: tuple[str, ...], hint: str) -> None:
    (tmp_path / "bad.toml").write_text('[[request]]\npath = "/"\nweight = -1\n')
    code, _, said = run(tmp_path, *(word.format(folder=tmp_path) for word in words))
    assert (code, hint in said) == (2, True), said
