"""Load balancers with a real HAProxy and real targets."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.client
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import pytest

from miyabi.environment.home import Home
from miyabi.localcloud.data.haproxy import HaproxyDriver, Observed
from tests.integration.balanced import BALANCER_PORT, BLOCK, Balanced, Balancer, balanced
from tests.integration.supervised import wait_for


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balanced]:
    # Deeper than a Unix socket's path may be.
    home = Home(tmp_path_factory.mktemp("deep") / ("d" * 100) / "home")
    home.create()
    with balanced(home) as made:
        yield made


def dead(pid: int) -> bool:
    """Say whether a process is gone or a corpse."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def has_health(balancer: Balancer, address: str, state: str | None) -> bool:
    return balancer.health().get(address) == state


def wait_reloaded(cloud: Balanced) -> None:
    """Wait until the worker before is gone: while a reload goes on both take connections."""
    wait_for(lambda: not cloud.run(observe(cloud)).former)


class Load:
    """Constant requests, half of them on kept connections; counts what did not answer 200."""

    def __init__(self, balancer: Balancer, clients: int = 6) -> None:
        self._balancer = balancer
        self._over = threading.Event()
        self.failures: list[str] = []
        self.answered = 0
        self._threads = [threading.Thread(target=self._ask, args=(n % 2 == 0,)) for n in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        wait_for(lambda: self.answered > 20)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(20)

    def _ask(self, kept: bool) -> None:
        connection = None
        while not self._over.wait(0.002):
            connection = connection or http.client.HTTPConnection(self._balancer.address, BALANCER_PORT, timeout=10)
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection = None
                continue
            self.answered += 1
            if answer.status != 200:
                self.failures.append(str(answer.status))
            if not kept or answer.getheader("Connection") == "close":
                connection.close()
                connection = None
        if connection is not None:
            connection.close()


def test_a_load_balancer_without_a_listener_becomes_active(cloud: Balanced) -> None:
    balancer = cloud.balancer("bare")
    cloud.call("delete_listener", ListenerArn=balancer.listener)
    assert balancer.state() == {"Code": "active"}


def test_without_a_target_it_answers_503_as_aws_does(cloud: Balanced) -> None:
    answer = cloud.balancer("none").get()
    assert (answer.status, answer.reason) == (503, "Service Temporarily Unavailable")
    assert answer.headers["server"] == "awselb/2.0"
    assert answer.headers["content-type"] == "text/html"
    assert "<h1>503 Service Temporarily Unavailable</h1>" in answer.body
    assert "date" in answer.headers


def test_two_targets_answer_in_turn_and_a_third_takes_its_share(cloud: Balanced) -> None:
    balancer = cloud.balancer("turns")
    first, second, third = (cloud.target(host)[0] for host in (11, 12, 13))
    balancer.register(first, second)
    balancer.wait_healthy(first, second)
    bodies = [balancer.get().body for _ in range(10)]
    assert set(bodies) == {first, second}
    assert bodies[::2] == bodies[:1] * 5
    assert bodies[1::2] == bodies[1:2] * 5
    balancer.register(third)
    balancer.wait_healthy(first, second, third)


def test_a_target_that_never_listens_is_initial_then_unhealthy_and_gets_no_request_before(cloud: Balanced) -> None:
    balancer = cloud.balancer("mute")
    address = f"127.{BLOCK}.200.20"
    balancer.register(address)
    assert balancer.health() == {address: "initial"}
    assert balancer.get().status == 503
    balancer.wait_states({address: "unhealthy"})
    # Fail open: all targets are unhealthy, so it is asked, and refuses.
    wait_for(lambda: balancer.get().status == 502)
    found = cloud.call("describe_target_health", TargetGroupArn=balancer.group)["TargetHealthDescriptions"][0]
    assert found["TargetHealth"]["Reason"] == "Target.FailedHealthChecks"


def test_a_drained_target_gets_no_request_and_finishes_what_is_open(cloud: Balanced) -> None:
    balancer = cloud.balancer("drain")
    first, second = (cloud.target(host)[0] for host in (31, 32))
    balancer.register(first, second)
    balancer.wait_healthy(first, second)
    with ThreadPoolExecutor(2) as pool:
        slow = [pool.submit(balancer.get, "/slow/1.5") for _ in range(2)]
        wait_for(lambda: open_requests(cloud) >= 2)
        balancer.deregister(second)
        assert balancer.health()[second] == "draining"
        wait_for(lambda: {balancer.get().body for _ in range(2)} == {first})
        assert {balancer.get().body for _ in range(20)} == {first}
        assert balancer.health()[second] == "draining"
        assert sorted(one.result().body for one in slow) == [first, second]
    balancer.wait_states({first: "healthy"})


def open_requests(cloud: Balanced) -> int:
    """Return how many requests are open on targets, over all load balancers."""
    return sum(sum(worker.sessions.values()) for worker in cloud.run(observe(cloud)).workers)


async def observe(cloud: Balanced) -> Observed:
    """Return what runs, as soon as the master answers: a reload takes its socket away for a moment."""
    driver = HaproxyDriver(cloud.cloud.home, cloud.cloud.client)
    async with asyncio.timeout(5):
        while (seen := await driver.observe()) is None:  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.01)
    return seen


def test_after_the_deregistration_delay_an_open_request_is_cut(cloud: Balanced) -> None:
    balancer = cloud.balancer("delay", deregistration_delay__timeout_seconds="1")
    address, _ = cloud.target(41)
    balancer.register(address)
    balancer.wait_healthy(address)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(balancer.get, "/slow/8")
        wait_for(lambda: open_requests(cloud) >= 1)
        began = time.monotonic()
        balancer.deregister(address)
        assert slow.result().status == 502
        assert 0.9 < time.monotonic() - began < 4
    balancer.wait_states({})


def test_a_killed_target_costs_502_and_leaves_the_rotation(cloud: Balanced) -> None:
    balancer = cloud.balancer("killed")
    (first, _), (second, process) = (cloud.target(host) for host in (51, 52))
    balancer.register(first, second)
    balancer.wait_healthy(first, second)
    with ThreadPoolExecutor(2) as pool:
        slow = [pool.submit(balancer.get, "/slow/2") for _ in range(2)]
        wait_for(lambda: open_requests(cloud) >= 2)
        process.kill()
        assert sorted(one.result().status for one in slow) == [200, 502]
    refused = [answer for answer in (balancer.get() for _ in range(4)) if answer.status != 200]
    assert all(answer.status == 502 and "<h1>502 Bad Gateway</h1>" in answer.body for answer in refused)
    assert all(answer.headers["server"] == "awselb/2.0" for answer in refused)
    assert refused
    wait_for(lambda: balancer.health()[second] == "unhealthy", 20)
    wait_for(lambda: {balancer.get().body for _ in range(4)} == {first})


def test_a_target_that_closes_costs_502_and_a_slow_one_504(cloud: Balanced) -> None:
    balancer = cloud.balancer("errors", idle_timeout__timeout_seconds="1")
    address, _ = cloud.target(61)
    balancer.register(address)
    balancer.wait_healthy(address)
    assert balancer.get("/close").status == 502
    slow = balancer.get("/slow/3")
    assert slow.status == 504
    assert "<h1>504 Gateway Time-out</h1>" in slow.body
    assert slow.headers["server"] == "awselb/2.0"


def test_targets_see_the_headers_that_a_load_balancer_adds(cloud: Balanced) -> None:
    balancer = cloud.balancer("headers")
    address, _ = cloud.target(71)
    balancer.register(address)
    balancer.wait_healthy(address)
    plain = balancer.get("/headers").body
    assert re.search(r"(?im)^x-forwarded-for: 127\.0\.0\.1$", plain)
    assert re.search(r"(?im)^x-forwarded-proto: http$", plain)
    assert re.search(rf"(?im)^x-forwarded-port: {BALANCER_PORT}$", plain)
    trace = r"1-[0-9a-f]{8}-[0-9a-f]{24}"
    found = re.search(rf"(?im)^x-amzn-trace-id: Root=({trace})$", plain)
    assert found is not None
    assert abs(int(found[1].split("-")[1], 16) - time.time()) < 60
    given = {"X-Forwarded-For": "203.0.113.9", "X-Amzn-Trace-Id": f"Self=1-a-b;Root={found[1]};Field=x"}
    passed = balancer.get("/headers", given).body
    assert re.search(r"(?im)^x-forwarded-for: 203\.0\.113\.9, 127\.0\.0\.1$", passed)
    assert re.search(rf"(?im)^x-amzn-trace-id: Self={trace};Root={found[1]};Field=x$", passed)
    rootless = balancer.get("/headers", {"X-Amzn-Trace-Id": "Field=x"}).body
    assert re.search(rf"(?im)^x-amzn-trace-id: Root={trace};Field=x$", rootless)


def test_rules_choose_by_path_host_header_method_query_and_source(cloud: Balanced) -> None:
    balancer = cloud.balancer("rules")
    conditions = [
        {"Field": "path-pattern", "Values": ["/a'b/*.j?g", '/"quoted"$']},
        {"Field": "host-header", "Values": ["*.Example.com"]},
        {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Kind", "Values": ["*t; est"]}},
        {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["PURGE"]}},
        {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "1*"}, {"Value": "any"}]}},
        {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "!#$%&'*+.^_`|~-a'b#c", "Values": ["odd"]}},
    ]
    for priority, condition in enumerate(conditions, 1):
        body = f"rule {priority}: 100% \"safe\" 'text' $HOME \\ #\r\nend"
        action = {
            "Type": "fixed-response",
            "FixedResponseConfig": {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": body},
        }
        cloud.call(
            "create_rule", ListenerArn=balancer.listener, Priority=priority, Conditions=[condition], Actions=[action]
        )
    # The loop may take the rules up in several reloads: the last rule must have arrived.
    wait_for(lambda: balancer.get("/", {"!#$%&'*+.^_`|~-a'b#c": "odd"}).status == 200)
    wait_reloaded(cloud)
    body = balancer.get("/a'b/x.jpg").body
    assert body == "rule 1: 100% \"safe\" 'text' $HOME \\ #\r\nend"
    assert balancer.get('/"quoted"$').body.startswith("rule 1:")
    assert balancer.get("/", {"Host": "www.example.COM:8000"}).body.startswith("rule 2:")
    assert balancer.get("/", {"X-Kind": "A Test; EST"}).body.startswith("rule 3:")
    assert balancer.get("/?a=b&v=12").body.startswith("rule 5:")
    assert balancer.get("/?a=any").body.startswith("rule 5:")
    assert balancer.get("/", {"!#$%&'*+.^_`|~-a'b#c": "odd"}).body.startswith("rule 6:")
    assert balancer.get("/?a=anyway&w=1").status == 503
    assert balancer.get("/A'b/x.jpg").status == 503


def test_a_redirect_keeps_what_it_is_told_to_keep(cloud: Balanced) -> None:
    balancer = cloud.balancer("redirect")
    redirect = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301", "Path": "/50%/#{path}"}
    action = {"Type": "redirect", "RedirectConfig": redirect}
    cloud.call("modify_listener", ListenerArn=balancer.listener, DefaultActions=[action])
    wait_for(lambda: balancer.get().status == 301)
    wait_reloaded(cloud)
    with_query = balancer.get("/a/b?c=d", {"Host": "www.example.com:8000"})
    assert with_query.headers["location"] == "https://www.example.com:443/50%/a/b?c=d"
    assert with_query.headers["server"] == "awselb/2.0"
    assert balancer.get("/", {"Host": "www.example.com"}).headers["location"] == "https://www.example.com:443/50%/"


def test_weights_share_requests_between_target_groups(cloud: Balanced) -> None:
    balancer, other = cloud.balancer("blue"), cloud.balancer("green")
    blue, green = cloud.target(81)[0], cloud.target(82)[0]
    balancer.register(blue)
    cloud.call("delete_listener", ListenerArn=other.listener)
    other.register(green)
    groups = [{"TargetGroupArn": balancer.group, "Weight": 3}, {"TargetGroupArn": other.group, "Weight": 1}]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    cloud.call("modify_listener", ListenerArn=balancer.listener, DefaultActions=[action])
    balancer.wait_states({blue: "healthy"})
    other.wait_states({green: "healthy"})
    wait_for(lambda: {balancer.get().body for _ in range(20)} == {blue, green})
    wait_reloaded(cloud)
    bodies = [balancer.get().body for _ in range(400)]
    assert 220 < bodies.count(blue) < 360


def test_reloads_and_changing_targets_lose_no_request(cloud: Balanced) -> None:
    balancer = cloud.balancer("load")
    first, second, third = (cloud.target(host)[0] for host in (91, 92, 93))
    balancer.register(first, second)
    balancer.wait_healthy(first, second)
    with Load(balancer) as load:
        for turn in range(4):
            cloud.balancer(f"load-{turn}")  # a new listener: a reload
            (balancer.deregister if turn % 2 else balancer.register)(third)
            wait_for(functools.partial(has_health, balancer, third, None if turn % 2 else "healthy"))
    assert load.failures == []
    assert load.answered > 100


def test_a_kept_connection_outlives_a_reload_and_its_last_request_finds_its_target(cloud: Balanced) -> None:
    balancer = cloud.balancer("former")
    address = cloud.target(101)[0]
    balancer.register(address)
    balancer.wait_healthy(address)
    with contextlib.closing(http.client.HTTPConnection(balancer.address, BALANCER_PORT, timeout=10)) as connection:
        connection.request("GET", "/")
        connection.getresponse().read()
        cloud.balancer("former-reload")
        assert cloud.run(observe(cloud)).former
        balancer.deregister(address)
        wait_for(lambda: balancer.get().status == 503)
        connection.request("GET", "/")
        last = connection.getresponse()
        assert (last.read().decode(), last.getheader("Connection")) == (address, "close")
    balancer.wait_states({})


def test_kill_9_of_the_master_leaves_no_worker_and_it_serves_again_within_a_second(cloud: Balanced) -> None:
    balancer = cloud.balancer("master")
    address, _ = cloud.target(111)
    balancer.register(address)
    balancer.wait_healthy(address)
    workers = [worker.pid for worker in cloud.run(observe(cloud)).workers]
    began = time.monotonic()
    os.kill(cloud.haproxy_pid(), signal.SIGKILL)
    wait_for(lambda: all(dead(pid) for pid in workers), 2)

    def answers() -> bool:
        try:
            return balancer.get().body == address
        except (OSError, http.client.HTTPException):
            return False

    wait_for(answers)
    assert time.monotonic() - began < 1.0


def test_a_killed_worker_is_replaced(cloud: Balanced) -> None:
    balancer = cloud.balancer("worker")
    address, _ = cloud.target(121)
    balancer.register(address)
    balancer.wait_healthy(address)
    os.kill(cloud.run(observe(cloud)).current.pid, signal.SIGKILL)

    def answers() -> bool:
        try:
            return balancer.get().body == address
        except (OSError, http.client.HTTPException):
            return False

    wait_for(lambda: not answers(), 2)
    wait_for(answers)


@pytest.mark.parametrize("which", ["master", "worker"])
def test_a_haproxy_that_hangs_is_replaced(cloud: Balanced, which: str) -> None:
    balancer = cloud.balancer(f"hung-{which}")
    address, _ = cloud.target(122 if which == "master" else 123)
    balancer.register(address)
    balancer.wait_healthy(address)
    master = cloud.haproxy_pid()
    hung = master if which == "master" else cloud.run(observe(cloud)).current.pid
    os.kill(hung, signal.SIGSTOP)

    def replaced() -> bool:
        cloud.engine.wake()  # the look would come by itself, up to five seconds later
        states = [state for state in cloud.run(cloud.cloud.client.list()) if state.name == "haproxy"]
        return any(state.running and state.pid != master for state in states)

    wait_for(replaced, 60)
    assert dead(hung)
    wait_for(lambda: balancer.is_listening() and balancer.get().body == address, 20)


def test_a_taken_port_is_said_and_harms_no_other_listener(cloud: Balanced) -> None:
    balancer = cloud.balancer("taken")
    address, _ = cloud.target(131)
    balancer.register(address)
    balancer.wait_healthy(address)
    with socket.create_server((balancer.address, 8001), reuse_port=True):
        action = {"Type": "forward", "TargetGroupArn": balancer.group}
        cloud.call("create_listener", LoadBalancerArn=balancer.arn, Protocol="HTTP", Port=8001, DefaultActions=[action])
        wait_for(lambda: balancer.state()["Code"] == "active_impaired")
        assert "port 8001" in balancer.state()["Reason"]
        assert "taken by another process" in balancer.state()["Reason"]
        assert balancer.get().body == address
    wait_for(lambda: balancer.state() == {"Code": "active"})
    assert balancer.get(port=8001).body == address


def test_without_a_load_balancer_haproxy_does_not_run(cloud: Balanced) -> None:
    for row in cloud.call("describe_load_balancers")["LoadBalancers"]:
        cloud.call("delete_load_balancer", LoadBalancerArn=row["LoadBalancerArn"])
    wait_for(lambda: [state.name for state in cloud.run(cloud.cloud.client.list())] == ["control"])
    assert not (cloud.cloud.home.haproxy / "haproxy.cfg").exists()
