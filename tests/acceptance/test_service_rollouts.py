"""Versions come and go under load: none of the requests is lost, and each verdict is what was observed."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest

from tests.acceptance.cloud import Ran, Rehearsal, until
from tests.acceptance.load import SteadyLoad
from tests.acceptance.test_first_answer import assert_plan_is_empty, service_of, tasks_of, url_of

CLUSTER, SERVICE = "miyabi-cluster-dev", "miyabi-service-dev"
RATE = 200

CRASHES = """\
import sys

print("cannot start: no route to the configuration", flush=True)
sys.exit(3)
"""
SICK = """\
import http.server
import os


class Sick(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()


print("listening, but not well", flush=True)
http.server.ThreadingHTTPServer((os.environ["HOST"], 8080), Sick).serve_forever()
"""


@pytest.fixture(scope="module")
def dev(configured: Rehearsal) -> Iterator[Rehearsal]:
    """The environment as it is configured, with images of four versions; put back at the end."""
    cloud = configured
    package = cloud.directory / "src" / "miyabi"
    for tag, path, text in (
        ("v2.0.0", "__init__.py", '__version__ = "2.0.0"\n'),
        ("v3.0.0", "webapi/__main__.py", CRASHES),
        ("v4.0.0", "webapi/__main__.py", SICK),
    ):
        before = (package / path).read_text()
        (package / path).write_text(text)
        built = cloud.miyabi("image", "build", "--tag", tag)
        (package / path).write_text(before)
        assert built.code == 0, built.err
    yield cloud
    cloud.miyabi("deploy", "v1.0.0")
    up = cloud.miyabi("up", "--apply")
    assert up.code == 0, up.out + up.err


def steady(cloud: Rehearsal, count: int) -> None:
    """Wait until the service has so many tasks, one deployment, and nothing that still ends."""
    ecs = cloud.client("ecs")

    def seen() -> bool:
        service = ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
        deployments = service["deployments"]
        counts = {service["desiredCount"], service["runningCount"], len(ecs.list_tasks(cluster=CLUSTER)["taskArns"])}
        return len(deployments) == 1 and deployments[0]["rolloutState"] == "COMPLETED" and counts == {count}

    until(seen, seconds=90, what=f"{count} steady tasks")


def version(cloud: Rehearsal) -> str:
    found: str = json.loads(cloud.get(url_of(cloud) + "/health")[2])["version"]
    return found


def image(cloud: Rehearsal) -> str:
    definition = cloud.aws(f"ecs describe-task-definition --task-definition {service_of(cloud)['taskDefinition']}")
    found: str = definition["taskDefinition"]["containerDefinitions"][0]["image"]
    return found.rpartition(":")[2]


def parameter(cloud: Rehearsal) -> str:
    found: str = cloud.aws("ssm get-parameter --name /miyabi/dev/image")["Parameter"]["Value"]
    return found.rpartition(":")[2]


def under_load(cloud: Rehearsal, action: Callable[[], None]) -> SteadyLoad:
    """Do something between two stretches of steady load, and return what was sent."""
    with SteadyLoad(f"{url_of(cloud)}/health", rate=RATE) as load:
        until(lambda: len(load.sent) > RATE, seconds=20, what="the load before")
        action()
        after = len(load.sent) + RATE
        until(lambda: len(load.sent) > after, seconds=20, what="the load after")
    return load


def test_deploy_names_what_differs_and_replaces_every_task_without_losing_a_request(dev: Rehearsal) -> None:
    diff = dev.miyabi("deploy", "v2.0.0", "--diff", "--json")
    assert diff.code == 0, diff.err
    changed = {one["setting"]: (one["before"], one["after"]) for one in diff.json()["differences"]}
    assert changed.keys() == {"miyabi-app.image", "digest"}
    assert changed["miyabi-app.image"][1].endswith(":v2.0.0")
    rehearsed = dev.miyabi("deploy", "v2.0.0", "--dry-run", "--json")
    assert [one["operation"] for one in rehearsed.json()["calls"]][-3:] == [
        "RegisterTaskDefinition",
        "PutParameter",
        "UpdateService",
    ]
    assert version(dev) != "2.0.0"
    said: list[Ran] = []
    load = under_load(dev, lambda: said.append(dev.miyabi("deploy", "v2.0.0", "--json")))
    assert load.lost == [], load.summary()
    deployed = said[0]
    assert deployed.code == 0, deployed.err
    assert (deployed.json()["steady"], deployed.json()["desired_count"]) == (True, 2)
    assert deployed.json()["slowest_stage"] in {"starting tasks", "health checks", "draining the old tasks"}
    assert (version(dev), image(dev), parameter(dev)) == ("2.0.0", "v2.0.0", "v2.0.0")
    assert_plan_is_empty(dev)


def test_a_change_of_memory_keeps_the_deployed_image_and_a_rollback_keeps_the_memory(dev: Rehearsal) -> None:
    more = "-var=task_memory=2048"
    applied = dev.terraform("apply", "-auto-approve", "-no-color", "-input=false", more)
    assert applied.code == 0, applied.out + applied.err
    steady(dev, 2)
    assert {task["memory"] for task in tasks_of(dev)} == {"2048"}
    assert version(dev) == "2.0.0"
    back: list[Ran] = []
    load = under_load(dev, lambda: back.append(dev.miyabi("rollback", "--json")))
    assert load.lost == [], load.summary()
    assert back[0].code == 0, back[0].err
    assert (image(dev), parameter(dev)) == ("v1.0.0", "v1.0.0")
    assert {task["memory"] for task in tasks_of(dev)} == {"2048"}
    assert_plan_is_empty(dev, more)
    applied = dev.terraform("apply", "-auto-approve", "-no-color", "-input=false")
    assert applied.code == 0, applied.out + applied.err
    steady(dev, 2)


def test_restart_scale_and_the_stop_of_a_task_lose_no_request(dev: Rehearsal) -> None:
    before = {task["taskArn"] for task in tasks_of(dev)}

    def change() -> None:
        for command in (("restart",), ("scale", "4"), ("scale", "2")):
            ran = dev.miyabi("service", *command)
            assert ran.code == 0, ran.out + ran.err
        steady(dev, 2)
        victim = tasks_of(dev)[0]["taskArn"]
        dev.client("ecs").stop_task(cluster=CLUSTER, task=victim)
        until(lambda: victim not in {task["taskArn"] for task in tasks_of(dev)}, seconds=60, what="the stopped task")
        steady(dev, 2)

    load = under_load(dev, change)
    assert load.lost == [], load.summary()
    assert not before & {task["taskArn"] for task in tasks_of(dev)}


class Floor:
    """Counts the healthy targets while something happens; the least count is the observed floor."""

    def __init__(self, cloud: Rehearsal) -> None:
        self._elbv2 = cloud.client("elbv2")
        self._group = cloud.terraform("output", "-raw", "target_group_arn").out
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.counts: list[int] = []

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            targets = self._elbv2.describe_target_health(TargetGroupArn=self._group)["TargetHealthDescriptions"]
            self.counts.append(sum(one["TargetHealth"]["State"] == "healthy" for one in targets))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(30)


def assert_rolled_back(dev: Rehearsal, command: tuple[str, ...], *, cause: str) -> Ran:
    """Run what fails: it must be rolled back, say so with the cause and exit 1, never below the floor."""
    before = service_of(dev)["taskDefinition"].rpartition("/")[2]
    ran: list[tuple[Ran, float]] = []
    with Floor(dev) as floor:
        load = under_load(dev, lambda: ran.append((dev.miyabi(*command), time.time())))
    result, said_at = ran[0]
    assert result.code == 1, result.out + result.err
    assert f"was rolled back to {before}" in result.err
    assert cause in result.err
    assert len(floor.counts) > 10
    assert min(floor.counts) >= 2
    assert load.lost == [], load.summary()
    service = dev.client("ecs").describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
    assert service["taskDefinition"].rpartition("/")[2] == before
    events = {event["message"].partition(") ")[2]: event["createdAt"].timestamp() for event in service["events"][::-1]}
    failed = next(text for text in events if "deployment failed: tasks failed" in text)
    assert failed.startswith("(deployment ecs-svc/")
    ended = max(at for text, at in events.items() if text.endswith("deployment completed."))
    assert said_at - ended <= 10, "the verdict comes within ten seconds of the rollback's end"
    return result


def test_a_version_that_crashes_is_rolled_back_and_named(dev: Rehearsal) -> None:
    result = assert_rolled_back(dev, ("deploy", "v3.0.0"), cause="exit code 3")
    assert "cannot start: no route to the configuration" in result.err
    assert (image(dev), parameter(dev)) == ("v1.0.0", "v1.0.0")
    assert_plan_is_empty(dev)


def test_a_version_that_never_gets_healthy_is_rolled_back_and_named(dev: Rehearsal) -> None:
    service = "--cluster miyabi-cluster-dev --service miyabi-service-dev"
    grace = f"ecs update-service {service} --health-check-grace-period-seconds"
    dev.aws(f"{grace} 1")
    try:
        result = assert_rolled_back(dev, ("deploy", "v4.0.0"), cause="Task failed ELB health checks in")
    finally:
        dev.aws(f"{grace} 30")
    assert "listening, but not well" in result.err
    assert_plan_is_empty(dev)


def test_a_version_whose_image_is_gone_is_rolled_back_and_named(dev: Rehearsal) -> None:
    refused = dev.miyabi("deploy", "v9.9.9")
    assert refused.code == 4
    assert "image 'v9.9.9' not found" in refused.err
    assert "v2.0.0" in refused.err
    # A revision from outside may name what is not there: only its tasks find that out.
    path = dev.directory / "gone.json"
    definition: Any = dev.aws(f"ecs describe-task-definition --task-definition {service_of(dev)['taskDefinition']}")
    given = definition["taskDefinition"]
    given["containerDefinitions"][0]["image"] = re.sub(":v.*", ":gone", given["containerDefinitions"][0]["image"])
    kept = ("family", "containerDefinitions", "cpu", "memory", "networkMode", "requiresCompatibilities")
    roles = ("executionRoleArn", "taskRoleArn")
    path.write_text(json.dumps({name: given[name] for name in (*kept, *roles)}))
    revision = dev.aws(f"ecs register-task-definition --cli-input-json file://{path}")["taskDefinition"]
    assert_rolled_back(dev, ("rollback", str(revision["revision"])), cause="CannotPullContainerError")
    dev.aws(f"ecs deregister-task-definition --task-definition {revision['taskDefinitionArn']}")
    assert parameter(dev) == "v1.0.0"
    assert_plan_is_empty(dev)


def test_another_programs_environment_is_deployed_and_rolled_back_too(
    dev: Rehearsal, foreign: tuple[Rehearsal, Any]
) -> None:
    assert dev
    shop, started = foreign
    up = started.result()
    found = re.search(r"http://127\.[\d.]+(:\d+)?/ping", up.out)
    assert found is not None, up.out + up.err
    url = found.group()
    server = shop.directory / "server.mjs"
    before = server.read_text()
    server.write_text(before.replace('"pong"', '"pong 2"'))
    built = shop.miyabi("image", "build", "--tag", "v2")
    server.write_text(before)
    assert built.code == 0, built.err
    deployed = shop.miyabi("deploy", "v2", "--json")
    assert deployed.code == 0, deployed.err
    assert shop.get(url)[2] == b"pong 2"
    back = shop.miyabi("rollback", "--json")
    assert back.code == 0, back.err
    assert shop.get(url)[2] == b"pong"
    assert "shop listens on" in shop.miyabi("logs", "tail", "--since", "10m").out
