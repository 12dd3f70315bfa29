"""miyabi-web-api as a process: real sockets, real signals."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import miyabi
from miyabi.environment.home import Home
from miyabi.localcloud.data.images import Blobs, unpack
from miyabi.operations.images import build_image

ARN = "arn:aws:ecs:us-west-2:112530848482:task/miyabi-cluster-dev/0123456789abcdef0123456789abcdef"

WITH_MORE_ROUTES = """
import asyncio, dataclasses, os, sys
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from miyabi.model.errors import Conflict
from miyabi.webapi.application import create_application
from miyabi.webapi.logs import log_as_json
from miyabi.webapi.server import serve
from miyabi.webapi.settings import read_settings

async def slow(request):
    print("slow begins", flush=True)
    await asyncio.sleep(float(request.query_params["seconds"]))
    return PlainTextResponse("done")

async def broken(request):
    raise ZeroDivisionError("the handler's own words")

async def taken(request):
    raise Conflict("a deployment is running", hint="wait")

async def echo(request):
    return PlainTextResponse(str(len(await request.body())))

log_as_json(sys.stdout)
settings = dataclasses.replace(read_settings(os.environ), stop_timeout_seconds=int(os.environ["STOP"]),
                               body_timeout_seconds=0.5)
routes = [Route("/slow", slow), Route("/broken", broken), Route("/taken", taken),
          Route("/echo", echo, methods=["POST"])]
sys.exit(serve(lambda stopping: create_application(settings, stopping=stopping, routes=routes), settings))
"""


class Service:
    """The running process, its port and what it wrote."""

    def __init__(self, argv: list[str], environment: Mapping[str, str], output: Path) -> None:
        self.output = output
        self.began = time.monotonic()
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, *argv], env={"PORT": "0", **environment}, stdout=file, stderr=subprocess.STDOUT
            )

    def wait_until_listening(self) -> None:
        eventually(lambda: "listening on" in self.text() or self.process.poll() is not None)
        [line] = [line for line in self.lines() if line["message"].startswith("listening on")]
        self.port = int(line["message"].rpartition(":")[2])

    def text(self) -> str:
        return self.output.read_text("utf-8")

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]

    def requests(self) -> list[dict[str, Any]]:
        return [line for line in self.lines() if "request_id" in line]

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        answer, body = self.ask("GET", path, headers)
        return answer.status, json.loads(body)

    def accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=2).close()
        except OSError:
            return False
        return True

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


Start = Callable[..., Service]


def eventually(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Service] = []

    def start(*, program: str | None = None, **environment: str) -> Service:
        argv = ["-m", "miyabi.webapi"] if program is None else ["-c", program]
        started.append(Service(argv, environment, tmp_path / f"{len(started)}.log"))
        started[-1].wait_until_listening()
        return started[-1]

    yield start
    for service in started:
        service.end()


@pytest.fixture
def service(start: Start) -> Service:
    return start()


def test_health_is_200_with_the_version_and_starts_quickly(service: Service) -> None:
    assert time.monotonic() - service.began < 3  # 0.15 s on an idle machine
    assert service.get("/health") == (
        200,
        {
            "status": "ok",
            "version": miyabi.__version__,
            "task": None,
            "checks": {"database": {"status": "unconfigured"}, "cache": {"status": "unconfigured"}},
        },
    )


def test_the_root_says_what_it_is_and_where_to_go(service: Service) -> None:
    status, body = service.get("/")
    assert status == 200
    assert body == {"name": "miyabi-web-api", "version": miyabi.__version__, "links": {"health": "/health"}}


def test_errors_are_json(service: Service) -> None:
    assert service.get("/nope") == (404, {"error": {"type": "NotFound", "message": "no resource at /nope"}})
    answer, body = service.ask("POST", "/health")
    assert (answer.status, set(answer.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})
    assert json.loads(body)["error"]["type"] == "MethodNotAllowed"
    answer, body = service.ask("HEAD", "/health")
    assert (answer.status, body) == (200, b"")


def test_each_request_is_one_line_with_the_id_that_the_client_got(service: Service) -> None:
    answer, _ = service.ask("GET", "/?token=secret", {"X-Forwarded-For": "6.6.6.6, 203.0.113.7"})
    eventually(lambda: len(service.requests()) == 1)
    [line] = service.requests()
    assert line["request_id"] == answer.headers["x-request-id"]
    assert (line["method"], line["path"], line["status"], line["remote"]) == ("GET", "/", 200, "203.0.113.7")
    assert line["level"] == "INFO"
    assert line["duration_ms"] > 0
    assert "secret" not in service.text()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Root=1-67891233-abcdef012345678912345678", "1-67891233-abcdef012345678912345678"),
        ("Self=1-1-a;Root=1-2-b;CalledFrom=x", "1-2-b"),
    ],
)
def test_the_load_balancer_s_trace_id_is_the_request_id(service: Service, header: str, expected: str) -> None:
    answer, _ = service.ask("GET", "/", {"X-Amzn-Trace-Id": header})
    assert answer.headers["x-request-id"] == expected


def test_a_trace_id_that_is_none_is_not_repeated(service: Service) -> None:
    answer, _ = service.ask("GET", "/", {"X-Amzn-Trace-Id": "Root=<script>"})
    assert len(answer.headers["x-request-id"]) == 32


def test_health_checks_of_the_load_balancer_are_logged_only_when_they_fail(service: Service) -> None:
    checker = {"User-Agent": "ELB-HealthChecker/2.0"}
    service.ask("GET", "/health", checker)
    service.ask("GET", "/wrong-path", checker)
    eventually(lambda: bool(service.requests()))
    assert [line["path"] for line in service.requests()] == ["/wrong-path"]


def test_a_failing_handler_answers_500_and_logs_its_traceback_under_the_same_id(start: Start) -> None:
    service = start(program=WITH_MORE_ROUTES, STOP="5")
    status, body = service.get("/broken")
    assert (status, body["error"]["type"]) == (500, "Internal")
    assert "own words" not in body["error"]["message"]
    eventually(lambda: bool(service.requests()))
    [line] = service.requests()
    assert line["request_id"] == body["error"]["request_id"]
    assert (line["level"], line["status"]) == ("ERROR", 500)
    assert "ZeroDivisionError: the handler's own words" in line["traceback"]
    assert service.get("/taken") == (
        409,
        {"error": {"type": "Conflict", "message": "a deployment is running", "hint": "wait", "retry": False}},
    )


def test_bodies_have_a_limit_announced_or_not_and_must_arrive(start: Start) -> None:
    service = start(program=WITH_MORE_ROUTES, STOP="5")
    assert service.ask("POST", "/echo", body=b"x" * 1000)[1] == b"1000"
    answer, body = service.ask("POST", "/echo", {"Content-Length": str(1 << 21)})
    assert (answer.status, json.loads(body)["error"]["type"]) == (413, "ContentTooLarge")
    chunked = b"%x\r\n" % (1 << 21) + b"x" * (1 << 21) + b"\r\n0\r\n\r\n"
    assert raw(service, b"Transfer-Encoding: chunked", chunked).startswith(b"HTTP/1.1 413 ")
    assert raw(service, b"Content-Length: 10", b"abc").startswith(b"HTTP/1.1 408 ")


def raw(service: Service, header: bytes, body: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):  # the answer may come before the body is through
            client.sendall(body)
        return client.recv(4096)


def test_sigterm_finishes_the_open_request_refuses_new_ones_and_exits_with_0(start: Start) -> None:
    service = start(program=WITH_MORE_ROUTES, STOP="20")
    answers: list[bytes] = []
    client = threading.Thread(target=lambda: answers.append(service.ask("GET", "/slow?seconds=1")[1]))
    client.start()
    eventually(lambda: "slow begins" in service.text())
    began = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    eventually(lambda: not service.accepts())
    assert service.process.poll() is None
    client.join(20)
    assert answers == [b"done"]
    assert service.process.wait(20) == 0
    assert time.monotonic() - began < 10
    assert [line["message"] for line in service.lines() if line["message"].startswith("stop")] == [
        "stopping: 1 requests are open",
        "stopped",
    ]


def test_a_request_behind_the_open_one_learns_that_the_service_stops(start: Start) -> None:
    service = start(program=WITH_MORE_ROUTES, STOP="20")
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as client:
        client.sendall(b"GET /slow?seconds=1 HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: "slow begins" in service.text())
        service.process.send_signal(signal.SIGTERM)
        received = b""
        while chunk := client.recv(4096):
            received += chunk
    assert b"done" in received
    second = received.rpartition(b"HTTP/1.1")[2].lower()
    assert second.startswith(b" 503")
    assert b"connection: close" in second
    assert b'"status":"stopping"' in second
    assert service.process.wait(20) == 0


def test_a_request_that_outlasts_the_deadline_is_cut_and_the_service_still_exits(start: Start) -> None:
    service = start(program=WITH_MORE_ROUTES, STOP="1")
    client = socket.create_connection(("127.0.0.1", service.port), timeout=20)
    client.sendall(b"GET /slow?seconds=60 HTTP/1.1\r\nHost: x\r\n\r\n")
    eventually(lambda: "slow begins" in service.text())
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(20) == 0
    client.close()


def test_idle_connections_do_not_delay_the_end(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(4096)
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(20) == 0
        assert time.monotonic() - began < 3


def test_a_port_that_is_taken_is_one_line_and_exit_1(service: Service, tmp_path: Path) -> None:
    second = Service(["-m", "miyabi.webapi"], {"PORT": str(service.port)}, tmp_path / "second.log")
    assert second.process.wait(20) == 1
    assert "address already in use" in second.text()
    assert "Traceback" not in second.text()


def test_a_port_that_is_no_number_is_one_line_with_a_hint(tmp_path: Path) -> None:
    wrong = Service(["-m", "miyabi.webapi"], {"PORT": "http"}, tmp_path / "wrong.log")
    assert wrong.process.wait(20) == 2
    assert wrong.text() == "error: PORT is 'http'\nhint: give a number up to 65535\n"


class Metadata(BaseHTTPRequestHandler):
    """ECS's task metadata endpoint; its first answer is an error."""

    failures = 1

    def do_GET(self) -> None:
        status = 500 if type(self).failures else 200
        type(self).failures = 0
        body = json.dumps({"Cluster": "c", "TaskARN": ARN}).encode()
        self.send_response(status if self.path == "/v4/abc/task" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def test_health_names_the_task_once_ecs_has_said_which_it_is(start: Start) -> None:
    endpoint = HTTPServer(("127.0.0.1", 0), Metadata)
    thread = threading.Thread(target=endpoint.serve_forever)
    thread.start()
    try:
        service = start(ECS_CONTAINER_METADATA_URI_V4=f"http://127.0.0.1:{endpoint.server_port}/v4/abc")
        eventually(lambda: service.get("/health")[1]["task"] == ARN.rpartition("/")[2])
    finally:
        endpoint.shutdown()
        thread.join()
        endpoint.server_close()


def test_it_imports_neither_boto3_nor_the_local_cloud() -> None:
    code = "import sys, miyabi.webapi.__main__; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"boto3", "botocore", "moto", "miyabi.localcloud", "miyabi.aws", "miyabi.operations"}


def test_its_image_runs_as_a_task_of_the_local_cloud_does(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    bundle = build_image(Path(__file__).parents[2] / "image.toml")
    for blob in (bundle.config, bundle.layer):
        Blobs(home).begin("x")
        Blobs(home).append("x", blob.content)
        assert Blobs(home).upload_digest("x") == blob.digest == "sha256:" + hashlib.sha256(blob.content).hexdigest()
        Blobs(home).complete("x", blob.digest)
    image = unpack(home, bundle.manifest.content)
    python = Path(os.path.realpath(sys.executable)).parent
    environment = {"PATH": f"{python}:/usr/bin:/bin", **image.environment, str(image.listen_variable): "127.0.0.9"}
    with (tmp_path / "log").open("wb") as output:
        process = subprocess.Popen(
            image.command, cwd=image.workdir, env={**environment, "PORT": "0"}, stdout=output, stderr=output
        )
    try:
        eventually(lambda: b"listening on http://127.0.0.9:" in (tmp_path / "log").read_bytes())
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
