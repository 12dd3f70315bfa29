"""A load balancer that really serves: supervisor, HAProxy, loops and small HTTP targets, for the tests."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

from moto.ec2.models import ec2_backends

from miyabi.environment.home import Home
from miyabi.localcloud.control.addresses import AddressBook
from miyabi.localcloud.control.elbv2 import CheckLoop, Elbv2, SyncLoop
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.samplers.load_balancers import LoadBalancerSampler
from miyabi.localcloud.control.samplers.requests import RequestLog
from miyabi.localcloud.control.service import Caller, Params, Result
from miyabi.localcloud.control.store import Store
from miyabi.localcloud.data.haproxy import HaproxyDriver, Observed
from miyabi.localcloud.data.haproxy_config import LogTo
from miyabi.localcloud.processes import ProcessState
from miyabi.model.metrics import Measurement
from tests.integration.supervised import Cloud, wait_for

ACCOUNT = "112530848482"
REGION = "us-west-2"
BLOCK = 100 + os.getpid() % 100
BALANCER_PORT = 8000

TARGET = """
import http.server, sys, time
address, port = sys.argv[1], int(sys.argv[2])
class Target(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path.startswith("/slow/"):
            time.sleep(float(self.path[6:]))
        if self.path.startswith("/close"):
            self.close_connection = True
            return
        body = (str(self.headers) if self.path.startswith("/headers") else address).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 100
Server((address, port), Target).serve_forever()
"""


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    headers: dict[str, str]
    reason: str = ""


@dataclass
class Balanced:
    """The service with its loops on a thread of its own."""

    cloud: Cloud
    engine: Engine
    service: Elbv2
    loop: asyncio.AbstractEventLoop
    checks: CheckLoop
    sampler: LoadBalancerSampler
    requests: RequestLog
    driver: HaproxyDriver
    asked: int = 0
    """Requests through balancers' `get`."""
    targets: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def on_worker(self, call: Callable[..., Any], *args: Any) -> Any:
        return self.run(self.engine.run(call, *args))

    def call(self, operation: str, **params: Any) -> Result:
        method: Callable[[Caller, Params], Result] = getattr(self.service, operation)
        result: Result = self.on_worker(method, Caller(ACCOUNT, REGION, "key", self.engine.clock()), params)
        return result

    def measured(self) -> dict[tuple[str, tuple[str, ...]], Measurement]:
        """Return what the sampler found since the last time, by metric and the names of its dimensions.

        Where nothing else asks but `get`, that is everything that was asked.
        """
        wait_for(lambda: self.requests.received == self.asked)
        found = self.run(self.sampler.measure(self.engine.clock()))
        return {(one.name, tuple(sorted(one.dimensions))): one for one in found}

    def open_requests(self, balancer: Balancer) -> int:
        """Return how many requests are with the targets of a balancer."""
        seen: Observed | None = self.run(self.driver.observe())
        backend = balancer.group.rpartition("/")[2]
        workers = seen.workers if seen is not None else ()
        return sum(
            count for worker in workers for (name, _), count in worker.sessions.items() if name.endswith(backend)
        )

    def balancer(self, name: str, **attributes: str) -> Balancer:
        """Create a load balancer with a target group and a listener, and wait until it serves."""
        subnets = list(ec2_backends[ACCOUNT][REGION].describe_subnets())
        made = self.call("create_load_balancer", Name=name, Subnets=[subnet.id for subnet in subnets[:2]])
        (row,) = made["LoadBalancers"]
        (group,) = self.call(
            "create_target_group",
            Name=name,
            Protocol="HTTP",
            Port=8080,
            VpcId=row["VpcId"],
            TargetType="ip",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
            HealthCheckPath="/health",
        )["TargetGroups"]
        settings = [{"Key": key.replace("__", "."), "Value": value} for key, value in attributes.items()]
        for operation, arn in (("load_balancer", row["LoadBalancerArn"]), ("target_group", group["TargetGroupArn"])):
            mine = [s for s in settings if s["Key"].startswith("idle") is (operation == "load_balancer")]
            noun = "LoadBalancerArn" if operation == "load_balancer" else "TargetGroupArn"
            if mine:
                self.call(f"modify_{operation}_attributes", **{noun: arn, "Attributes": mine})
        (listener,) = self.call(
            "create_listener",
            LoadBalancerArn=row["LoadBalancerArn"],
            Protocol="HTTP",
            Port=BALANCER_PORT,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
        )["Listeners"]
        arns = row["LoadBalancerArn"], group["TargetGroupArn"], listener["ListenerArn"]
        balancer = Balancer(self, row["DNSName"].partition(":")[0], *arns)  # a port, where 80 is refused
        wait_for(lambda: balancer.state()["Code"] == "active" and balancer.is_listening())
        return balancer

    def target(self, host: int, port: int = 8080) -> tuple[str, subprocess.Popen[bytes]]:
        """Start an HTTP program on an address of its own."""
        address = f"127.{BLOCK}.200.{host}"
        process = subprocess.Popen([sys.executable, "-c", TARGET, address, str(port)], stdin=subprocess.DEVNULL)
        self.targets.append(process)
        return address, process

    def haproxy_pid(self) -> int:
        states: tuple[ProcessState, ...] = self.run(self.cloud.client.list())
        return next(state.pid for state in states if state.name == "haproxy")


@dataclass(frozen=True)
class Balancer:
    """One load balancer with its target group."""

    balanced: Balanced
    address: str
    arn: str
    group: str
    listener: str

    def state(self) -> dict[str, str]:
        found = self.balanced.call("describe_load_balancers", LoadBalancerArns=[self.arn])
        state: dict[str, str] = found["LoadBalancers"][0]["State"]
        return state

    def is_listening(self, port: int = BALANCER_PORT) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self.address, port), 1):
            return True
        return False

    def register(self, *addresses: str, port: int = 8080) -> None:
        targets = [{"Id": address, "Port": port} for address in addresses]
        self.balanced.call("register_targets", TargetGroupArn=self.group, Targets=targets)

    def deregister(self, *addresses: str) -> None:
        targets = [{"Id": address} for address in addresses]
        self.balanced.call("deregister_targets", TargetGroupArn=self.group, Targets=targets)

    def health(self) -> dict[str, str]:
        found = self.balanced.call("describe_target_health", TargetGroupArn=self.group)
        described = found["TargetHealthDescriptions"]
        return {entry["Target"]["Id"]: entry["TargetHealth"]["State"] for entry in described}

    def wait_healthy(self, *addresses: str) -> None:
        """Wait until the targets take requests."""
        self.wait_states(dict.fromkeys(addresses, "healthy"))
        wait_for(lambda: {self.get().body for _ in range(2 * len(addresses))} >= set(addresses))

    def wait_states(self, states: dict[str, str]) -> None:
        wait_for(lambda: self.health() == states)

    def get(self, path: str = "/", headers: dict[str, str] | None = None, *, port: int = BALANCER_PORT) -> Answer:
        self.balanced.asked += 1
        connection = http.client.HTTPConnection(self.address, port, timeout=15)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            body = answer.read().decode()
            return Answer(answer.status, body, {k.lower(): v for k, v in answer.getheaders()}, answer.reason)
        finally:
            connection.close()


@contextlib.contextmanager
def balanced(home: Home) -> Iterator[Balanced]:
    """Start everything; end everything."""
    cloud = Cloud(home)
    cloud.up()
    engine = Engine(Store(home.state / "control.sqlite"))
    service = Elbv2(engine.store, AddressBook(engine.store, BLOCK), engine.wake)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="loops")
    thread.start()
    checks = CheckLoop(engine, service)
    driver = HaproxyDriver(home, cloud.client)
    log_to = LogTo(f"127.{BLOCK}.0.2", 5140, "token")
    sync = SyncLoop(engine, service, driver, log=log_to)
    requests = RequestLog(log_to, home.run)
    asyncio.run_coroutine_threadsafe(requests.listen(), loop).result(10)
    running = [asyncio.run_coroutine_threadsafe(engine.supervise(each), loop) for each in (checks, sync)]
    made = Balanced(
        cloud,
        engine,
        service,
        loop,
        checks,
        LoadBalancerSampler(engine, service, driver, requests.take),
        requests,
        driver,
    )
    made.run(made.sampler.measure(engine.clock()))  # begins to count
    try:
        yield made
    finally:
        for future in running:
            future.cancel()
        made.run(checks.close())
        for process in made.targets:
            process.kill()
            process.wait()
        cloud.down()
        made.run(requests.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
        engine.close()
