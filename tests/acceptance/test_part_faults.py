"""Each part of the environment dies while it is used: what clients notice, how AWS's API shows it, how soon it is back.

Bounds on wall time are held by the best of up to three tries: other work on the machine only adds time.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from miyabi.environment.home import Home
from miyabi.localcloud.supervisor.identity import descendants
from miyabi.localcloud.supervisor_client import BlockingSupervisorClient
from tests.acceptance.cloud import Rehearsal, until
from tests.acceptance.faults import kill, processes, serves
from tests.acceptance.load import SteadyLoad
from tests.acceptance.test_first_answer import address_of, process_of, tasks_of, url_of
from tests.acceptance.test_inventory_changes import database_url, events

log = logging.getLogger(__name__)

CLUSTER = "miyabi-cluster-dev"


@pytest.fixture(scope="module")
def dev(configured: Rehearsal) -> Rehearsal:
    steady(configured)
    return configured


def steady(cloud: Rehearsal) -> None:
    serves(cloud, url_of(cloud) + "/health", seconds=60)


def child(cloud: Rehearsal, prefix: str) -> int:
    """Return the pid of the supervisor's child: servers that write their own title lose the marks of `processes`."""
    (found,) = (one for one in supervisor(cloud).list() if one.name.startswith(prefix))
    return found.pid


def supervisor(cloud: Rehearsal) -> BlockingSupervisorClient:
    return BlockingSupervisorClient(Home(cloud.home).run)


def best_of_three(measure: Callable[[], float], bound: float) -> None:
    """Hold the bound by the best of three tries."""
    took = [measure()]
    while took[-1] > bound and len(took) < 3:
        took.append(measure())
    log.info("%s: %s s", measure.__qualname__, [round(seconds, 3) for seconds in took])
    assert min(took) <= bound, took


def seconds_until(check: Callable[[], bool], began: float, what: str) -> float:
    def checked() -> bool:
        try:
            return check()
        except OSError:
            return False

    until(checked, seconds=60, what=what)
    return time.monotonic() - began


def test_a_killed_balancer_is_back_within_a_second(dev: Rehearsal) -> None:
    url = url_of(dev) + "/health"

    def measure() -> float:
        began = time.monotonic()
        kill(dev, "haproxy")
        return seconds_until(lambda: dev.get(url)[0] == 200, began, "an answer")

    best_of_three(measure, 1)


def test_a_killed_control_plane_costs_no_request_and_its_api_is_back_within_five_seconds(dev: Rehearsal) -> None:
    endpoint = f"http://127.0.0.1:{dev.instance()['api_port']}/_miyabi/ready"

    def measure() -> float:
        with SteadyLoad(url_of(dev) + "/health", rate=200) as load:
            until(lambda: len(load.sent) > 100, seconds=30, what="a steady load")
            began = time.monotonic()
            (pid,) = processes(dev, "control")
            os.kill(pid, signal.SIGKILL)
            until(lambda: processes(dev, "control") not in ([], [pid]), seconds=30, what="another control plane")
            took = seconds_until(lambda: bool(json.load(urllib.request.urlopen(endpoint))["ready"]), began, "the API")
        assert load.lost == [], load.summary()
        return took

    best_of_three(measure, 5)
    steady(dev)


def test_a_killed_task_costs_only_what_was_open_on_it_and_a_tenth_of_a_second(dev: Rehearsal) -> None:
    def measure() -> float:
        """Return how long after the kill the last request was due that failed."""
        victim = process_of(dev, address_of(tasks_of(dev)[0]))
        with SteadyLoad(url_of(dev) + "/health", rate=200) as load:
            until(lambda: len(load.sent) > 100, seconds=30, what="a steady load")
            killed = time.monotonic()
            os.kill(victim, signal.SIGKILL)
            until(lambda: any(one.due > killed + 2 for one in load.sent), seconds=30, what="two more seconds")
        log.info("%s", load.summary())
        late = [one.due - killed for one in load.lost]
        steady(dev)
        return max(late, default=0.0)

    best_of_three(measure, 0.1)


def test_a_killed_database_costs_503s_and_no_acknowledged_event(dev: Rehearsal) -> None:
    keys = json.loads(dev.aws("secretsmanager get-secret-value --secret-id miyabi/dev/api-keys")["SecretString"])
    head = {"Authorization": f"Bearer {keys['admin']}", "Content-Type": "application/json"}
    run = uuid.uuid4().hex

    def request(number: int) -> tuple[str, str, dict[str, str], bytes]:
        return "POST", "/v1/events", head, json.dumps({"type": "fault", "message": f"{run}-{number}"}).encode()

    acknowledged: set[str] = set()

    def measure() -> float:
        with SteadyLoad(url_of(dev), rate=40, request=request, expected=frozenset({201, 503})) as load:
            until(lambda: any(one.status == 201 for one in load.sent), seconds=30, what="a first event")
            killed = time.monotonic()
            os.kill(child(dev, "postgresql/"), signal.SIGKILL)
            served = until(lambda: served_again(load, killed), seconds=60, what="events again")
        assert load.lost == [], load.summary()
        refused = [one for one in load.sent if one.status == 503]
        assert all(int(one.headers["retry-after"]) >= 1 for one in refused)
        acknowledged.update(f"{run}-{one.number}" for one in load.sent if one.status == 201)
        return served - killed

    best_of_three(measure, 5)
    assert acknowledged - stored(database_url(dev), run) == set()
    seen = dev.client("rds").describe_events(SourceType="db-instance", Duration=60)["Events"]
    assert any("DB instance is starting: the server " in event["Message"] for event in seen)
    until(lambda: database_status(dev) == "available", seconds=30, what="an available DB instance")


def served_again(load: SteadyLoad, killed: float) -> float | None:
    """Return when ten events in a row were taken that were due after the first refusal; none refused: at the kill."""
    after = sorted((one for one in load.sent if one.due > killed), key=lambda one: one.due)
    refused = [number for number, one in enumerate(after) if one.status != 201]
    good = after[refused[-1] + 1 :] if refused else after
    return good[0].ended if len(good) >= 40 else None


def stored(url: str, run: str) -> set[str]:
    async def ask() -> set[str]:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            rows = await connection.fetch("SELECT message FROM events WHERE message LIKE $1", f"{run}-%")
        finally:
            await connection.close()
        return {row["message"] for row in rows}

    return asyncio.run(ask())


def database_status(cloud: Rehearsal) -> str:
    return str(cloud.client("rds").describe_db_instances()["DBInstances"][0]["DBInstanceStatus"])


def test_a_killed_cache_interrupts_no_read(dev: Rehearsal) -> None:
    _, _, made = events(dev, body={"type": "fault", "message": "read while the cache is away"})
    keys = json.loads(dev.aws("secretsmanager get-secret-value --secret-id miyabi/dev/api-keys")["SecretString"])
    head = {"Authorization": f"Bearer {keys['admin']}"}
    path = f"/v1/events/{made['id']}"
    with SteadyLoad(url_of(dev), rate=50, request=lambda _: ("GET", path, head, b"")) as load:
        until(lambda: len(load.sent) > 25, seconds=30, what="a steady load")
        pid = child(dev, "cache/")
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        until(lambda: child(dev, "cache/") != pid, seconds=30, what="another cache process")
        until(lambda: any(one.due > killed + 2 for one in load.sent), seconds=30, what="two more seconds")
    assert load.lost == [], load.summary()
    until(lambda: cache_status(dev) == "available", seconds=30, what="an available cache cluster")


def cache_status(cloud: Rehearsal) -> str:
    return str(cloud.client("elasticache").describe_cache_clusters()["CacheClusters"][0]["CacheClusterStatus"])


GREEDY = "held = []\nwhile True: held.append(bytearray(b'x' * (16 << 20)))"


def test_a_task_that_takes_too_much_memory_stops_with_137_and_ecss_words(dev: Rehearsal) -> None:
    ecs = dev.client("ecs")
    service = ecs.describe_services(cluster=CLUSTER, services=["miyabi-service-dev"])["services"][0]
    (task,) = ecs.run_task(
        cluster=CLUSTER,
        taskDefinition=service["taskDefinition"],
        launchType="FARGATE",
        networkConfiguration=service["networkConfiguration"],
        overrides={
            "memory": "1024",
            "containerOverrides": [{"name": "miyabi-app", "command": ["python3", "-c", GREEDY]}],
        },
    )["tasks"]

    def stopped() -> Any:
        found = ecs.describe_tasks(cluster=CLUSTER, tasks=[task["taskArn"]])["tasks"][0]
        return found if found["lastStatus"] == "STOPPED" else None

    found = until(stopped, seconds=60, what="a stopped task")
    (container,) = found["containers"]
    assert container["exitCode"] == 137
    assert container["reason"] == "OutOfMemoryError: Container killed due to memory usage"
    assert found["stopCode"] == "EssentialContainerExited"


def test_a_task_that_hangs_becomes_unhealthy_and_is_replaced(dev: Rehearsal) -> None:
    before = {task["taskArn"] for task in tasks_of(dev)}
    victim = address_of(tasks_of(dev)[0])
    os.kill(process_of(dev, victim), signal.SIGSTOP)
    group = dev.terraform("output", "-raw", "target_group_arn").out
    elbv2 = dev.client("elbv2")

    def gone() -> bool:
        targets = elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return all(one["TargetHealth"]["State"] != "healthy" for one in targets if one["Target"]["Id"] == victim)

    until(gone, seconds=60, what="an unhealthy target")
    until(lambda: {task["taskArn"] for task in tasks_of(dev)} - before, seconds=60, what="a new task")


def test_nothing_of_two_instances_listens_outside_the_loopback_network(
    dev: Rehearsal, foreign: tuple[Rehearsal, Any]
) -> None:
    shop, started = foreign
    assert started.result().code == 0
    for cloud in (dev, shop):
        found = listening({one.pid for one in descendants(supervisor(cloud).pid())})
        assert len(found) >= 3, found  # the API, the load balancer, a task
        assert {address for address in found if not address.startswith("127.")} == set()
    assert dev.instance()["block"] != shop.instance()["block"]


def listening(pids: set[int]) -> set[str]:
    """Return the local addresses of sockets that these processes listen on or receive datagrams on."""
    held = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                held.add(str(descriptor.readlink()))
            except OSError:
                continue
    found = set()
    for table, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        path = Path(f"/proc/net/{table}")
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            if fields[3] == state and f"socket:[{fields[9]}]" in held:
                address = bytes.fromhex(fields[1].partition(":")[0])
                found.add(".".join(str(byte) for byte in address[::-1]) if len(address) == 4 else address.hex())
    return found
