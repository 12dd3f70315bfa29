"""Samplers beside real processes: what they say is what others count."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from miyabi.environment.home import Home
from miyabi.localcloud.control.samplers.processes import ProcessUsage
from miyabi.localcloud.control.samplers.usage import Span
from miyabi.localcloud.processes import ProcessSpec
from tests.integration.balanced import BLOCK, Balanced, balanced
from tests.integration.supervised import Cloud, wait_for

BOTH = ("LoadBalancer", "TargetGroup")
BUSY = """
import os, sys, time
held = bytearray(80 * 1024 * 1024)
for at in range(0, len(held), 4096): held[at] = 1
if os.fork() == 0:
    while True:
        begun = time.process_time()
        while time.process_time() - begun < 0.02: pass
        time.sleep(0.06)
open(sys.argv[1], "w").close()
os.wait()
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balanced]:
    home = Home(tmp_path_factory.mktemp("samplers") / "home")
    home.create()
    with balanced(home) as made:
        yield made


def test_requests_answers_and_times_are_those_that_the_client_saw(cloud: Balanced) -> None:
    balancer = cloud.balancer("counted")
    one, _ = cloud.target(60)
    other, _ = cloud.target(61)
    balancer.register(one, other)
    balancer.wait_healthy(one, other)
    cloud.measured()  # begins to count
    with socket.create_connection((f"127.{BLOCK}.0.2", 5140)) as stranger:
        stranger.sendall(f"guess {balancer.address}:8000 counted.x {one}:8080 200 1 2\n".encode())

    answers = [balancer.get() for _ in range(40)]
    slow = [balancer.get("/slow/0.3") for _ in range(4)]
    refused = [balancer.get("/close") for _ in range(3)]
    statuses = Counter(answer.status for answer in (*answers, *slow, *refused))
    assert statuses == {200: 44, 502: 3}
    found = cloud.measured()

    assert found["RequestCount", ("LoadBalancer",)].sample.total == 47
    assert found["RequestCount", BOTH].sample.total == 47
    assert found["RequestCountPerTarget", ("TargetGroup",)].sample.total == 47 / 2
    assert found["HTTPCode_Target_2XX_Count", ("LoadBalancer",)].sample.total == 44
    assert found["HTTPCode_ELB_5XX_Count", ("LoadBalancer",)].sample.total == 3
    assert found["HTTPCode_ELB_502_Count", ("LoadBalancer",)].sample.total == 3
    assert ("HTTPCode_Target_5XX_Count", ("LoadBalancer",)) not in found
    times = found["TargetResponseTime", BOTH].sample
    assert times.count == 44
    assert 0.3 <= times.maximum < 0.5
    assert sum(count for value, count in times.values if value >= 0.3) == 4
    assert 0 < times.minimum < 0.1
    assert found["HealthyHostCount", BOTH].sample.total == 2
    assert found["NewConnectionCount", ("LoadBalancer",)].sample.total >= 47
    assert found["RequestCount", BOTH].dimensions == {
        "LoadBalancer": balancer.arn.partition("loadbalancer/")[2],
        "TargetGroup": balancer.group.rpartition(":")[2],
    }


def test_what_a_worker_answers_after_its_reload_is_counted(cloud: Balanced) -> None:
    balancer = cloud.balancer("reloaded")
    address, _ = cloud.target(62)
    balancer.register(address)
    balancer.wait_healthy(address)
    cloud.measured()
    with ThreadPoolExecutor(8) as pool:  # the kernel keeps ten datagrams until they are read
        asked = [pool.submit(balancer.get, "/slow/5") for _ in range(8)]
        wait_for(lambda: cloud.open_requests(balancer) == 8)
        cloud.balancer("reloading")  # a new listener: a reload
        assert not any(one.done() for one in asked)
        assert [one.result().status for one in asked] == [200] * 8
    found = cloud.measured()
    assert found["HTTPCode_Target_2XX_Count", BOTH].sample.total == 8
    assert found["TargetResponseTime", BOTH].sample.minimum >= 5


def test_without_requests_there_is_no_datapoint_but_for_the_hosts(cloud: Balanced) -> None:
    balancer = cloud.balancer("idle")
    cloud.measured()
    name = balancer.arn.partition("loadbalancer/")[2]
    mine = {key[0] for key, one in cloud.measured().items() if one.dimensions.get("LoadBalancer") == name}
    assert mine <= {"HealthyHostCount", "UnHealthyHostCount", "NewConnectionCount", "ActiveConnectionCount"}


def test_a_balancer_without_targets_answers_by_itself(cloud: Balanced) -> None:
    balancer = cloud.balancer("empty")
    cloud.measured()
    assert balancer.get().status == 503
    wait_for(lambda: cloud.requests.received == cloud.asked)
    found = [
        one
        for one in cloud.run(cloud.sampler.measure(cloud.engine.clock()))
        if one.dimensions.get("LoadBalancer") == balancer.arn.partition("loadbalancer/")[2]
    ]
    names = {one.name: one.sample.total for one in found}
    assert names["HTTPCode_ELB_503_Count"] == 1
    assert "RequestCount" not in names, "no target was chosen"


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Cloud]:
    home = Home(tmp_path / "home")
    home.create()
    made = Cloud(home)
    made.up()
    yield made
    made.down()


def test_a_family_s_cpu_and_memory_are_those_of_all_its_processes(supervised: Cloud, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    argv = (sys.executable, "-S", "-E", "-c", BUSY, str(ready))
    spec = ProcessSpec("busy", argv, {"PATH": os.defpath}, str(tmp_path), str(tmp_path / "busy.log"))
    leader = asyncio.run(supervised.client.start(spec)).pid
    wait_for(ready.exists)
    usage = ProcessUsage(supervised.client)

    def look() -> Span:
        return asyncio.run(usage.look({"busy"}, datetime.now(UTC)))["busy"]

    first = look()
    before, begun = _cpu(leader), time.monotonic()
    assert first.cpu is None, "nobody knows since when"
    wait_for(_after(begun + 2))
    second = look()
    outside = (_cpu(leader) - before) / (time.monotonic() - begun)
    assert second.cpu == pytest.approx(outside, rel=0.05, abs=0.02)
    assert 80 <= second.memory_bytes / 2**20 < 110, "pages that two processes share count once"
    asyncio.run(supervised.client.signal("busy", signal.SIGKILL))


def _after(instant: float) -> Callable[[], bool]:
    return lambda: time.monotonic() >= instant


def _cpu(leader: int) -> float:
    """Return the CPU seconds of a process and its child, as the scheduler counts them: in nanoseconds."""
    children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
    times = [Path(f"/proc/{pid}/schedstat").read_text().split()[0] for pid in (str(leader), *children)]
    return sum(map(int, times)) / 1e9
