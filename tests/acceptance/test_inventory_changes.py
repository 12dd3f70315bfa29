"""The inventory in use: data that stays, changes in place, revisions from outside. After the tests of the inventory."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from typing import Any

import asyncpg
import pytest
import redis

from tests.acceptance.cloud import Rehearsal, until
from tests.acceptance.test_first_answer import assert_plan_is_empty, service_of, tasks_of, url_of

CHANGES = {
    "task_memory": "2048",
    "log_retention_days": "30",
    "min_tasks": "1",
    "max_tasks": "6",
    "alarm_cpu_threshold_percent": "75",
    "scaling_cpu_target_percent": "65",
    "database_parameters": '{ log_min_duration_statement = { value = "500" } }',
    "cache_parameters": '{ "maxmemory-policy" = "volatile-lru" }',
}


@pytest.fixture(scope="module")
def dev(configured: Rehearsal) -> Rehearsal:
    return configured


def database_url(cloud: Rehearsal) -> str:
    printed = cloud.miyabi("env", "--secrets", "--json")
    assert printed.code == 0, printed.err
    return str(printed.json()["set"]["DATABASE_URL"])


def query(url: str, statement: str) -> Any:
    async def ask() -> Any:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(ask())


def cache_of(cloud: Rehearsal) -> redis.Redis:
    return redis.Redis(host=cloud.terraform("output", "-raw", "redis_endpoint").out, socket_timeout=5)


def events(cloud: Rehearsal, path: str = "/v1/events", body: object = None) -> tuple[int, dict[str, str], Any]:
    keys = json.loads(cloud.aws("secretsmanager get-secret-value --secret-id miyabi/dev/api-keys")["SecretString"])
    request = urllib.request.Request(
        url_of(cloud) + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {keys['admin']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, dict(answer.headers), json.load(answer)


def test_the_database_takes_the_secrets_password_and_no_other(dev: Rehearsal) -> None:
    url = database_url(dev)
    assert query(url, "SELECT current_user || '@' || current_database()") == "miyabi_user@miyabi_dev"
    assert query(url, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is True
    with pytest.raises(asyncpg.InvalidPasswordError):
        query(re.sub(r":[^:@/]+@", ":wrong@", url), "SELECT 1")


def test_an_event_posted_through_the_balancer_is_read_back_by_every_task(dev: Rehearsal) -> None:
    status, headers, _ = events(dev, body={"type": "rehearsal", "message": "posted once"})
    assert status == 201
    location = {name.lower(): value for name, value in headers.items()}["location"]
    for _ in range(4):  # the balancer alternates between the two tasks
        assert events(dev, location)[2]["message"] == "posted once"
    assert "posted once" in [event["message"] for event in events(dev)[2]["events"]]


def test_data_survives_a_reboot_and_a_stop_of_everything_within_eight_seconds(dev: Rehearsal) -> None:
    url = database_url(dev)
    before = query(url, "SELECT count(*) FROM events")
    cache_of(dev).set("kept", "yes")
    dev.aws("rds reboot-db-instance --db-instance-identifier miyabi-db-dev")
    until(lambda: database_status(dev) == "available", seconds=60, what="the rebooted database")
    assert query(url, "SELECT count(*) FROM events") == before
    took = [resumed_with_data(dev, before)]
    while took[-1] > 8 and len(took) < 3:  # other work on the machine only adds time: the best of three is ours
        took.append(resumed_with_data(dev, before))
    assert min(took) <= 8, took


def resumed_with_data(dev: Rehearsal, events_before: Any) -> float:
    """Stop everything, bring it up with its data, and return the seconds that `miyabi up` took."""
    assert dev.miyabi("down").code == 0
    assert dev.processes() == []
    again = dev.miyabi("up")
    assert again.code == 0, again.out + again.err
    until(lambda: database_status(dev) == "available", seconds=60, what="the database after up")
    assert query(database_url(dev), "SELECT count(*) FROM events") == events_before
    assert cache_of(dev).get("kept") == b"yes"
    return again.seconds


def database_status(cloud: Rehearsal) -> str:
    found = cloud.aws("rds describe-db-instances --db-instance-identifier miyabi-db-dev")["DBInstances"]
    return str(found[0]["DBInstanceStatus"])


def test_changes_are_applied_in_place_act_and_leave_an_empty_plan(dev: Rehearsal) -> None:
    variables = [f"-var={name}={value}" for name, value in CHANGES.items()]
    events_before = query(database_url(dev), "SELECT count(*) FROM events")
    applied = dev.terraform("apply", "-auto-approve", "-no-color", "-input=false", *variables)
    assert applied.code == 0, applied.out + applied.err
    assert_plan_is_empty(dev, *variables)
    assert query(database_url(dev), "SHOW log_min_duration_statement") == "500ms"
    assert query(database_url(dev), "SELECT count(*) FROM events") == events_before > 0
    assert cache_of(dev).config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-lru"}
    target = dev.aws("application-autoscaling describe-scalable-targets --service-namespace ecs")["ScalableTargets"][0]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 6)
    alarm = dev.aws("cloudwatch describe-alarms --alarm-names miyabi-service-cpu-high-dev")["MetricAlarms"][0]
    assert alarm["Threshold"] == 75.0
    assert alarm["StateValue"] in {"OK", "INSUFFICIENT_DATA"}, "the tasks are not busy"


def test_a_revision_from_outside_with_its_parameter_leaves_an_empty_plan_and_keeps_its_image(dev: Rehearsal) -> None:
    variables = [f"-var={name}={value}" for name, value in CHANGES.items()]
    definition = dev.aws(f"ecs describe-task-definition --task-definition {service_of(dev)['taskDefinition']}")
    given = definition["taskDefinition"]
    built = dev.miyabi("image", "build", "--tag", "v1.2.0", "--json")
    assert built.code == 0, built.err
    image = given["containerDefinitions"][0]["image"].rpartition(":")[0] + ":v1.2.0"
    given["containerDefinitions"][0]["image"] = image
    kept = (
        "family",
        "containerDefinitions",
        "cpu",
        "memory",
        "networkMode",
        "requiresCompatibilities",
        "executionRoleArn",
        "taskRoleArn",
        "runtimePlatform",
    )
    path = dev.directory / "outside.json"
    path.write_text(json.dumps({name: given[name] for name in kept if name in given}))
    revision = dev.aws(f"ecs register-task-definition --cli-input-json file://{path}")["taskDefinition"]
    dev.aws(
        "ecs update-service --cluster miyabi-cluster-dev --service miyabi-service-dev "
        f"--task-definition {revision['taskDefinitionArn']}"
    )
    dev.aws(f"ssm put-parameter --name /miyabi/dev/image --value {image} --overwrite")
    assert_plan_is_empty(dev, *variables)
    more = [*variables, "-var=task_memory=3072"]
    applied = dev.terraform("apply", "-auto-approve", "-no-color", "-input=false", *more)
    assert applied.code == 0, applied.out + applied.err

    def rolled_out() -> bool:
        return len(service_of(dev)["deployments"]) == 1 and len(tasks_of(dev)) == 2

    until(rolled_out, seconds=90, what="the new memory")
    tasks = tasks_of(dev)
    assert {task["memory"] for task in tasks} == {"3072"}
    assert {container["image"] for task in tasks for container in task["containers"]} == {image}
    assert_plan_is_empty(dev, *more)


def test_no_file_of_the_home_is_anyone_elses(dev: Rehearsal) -> None:
    assert dev.miyabi("status").code == 0  # closes what a plain terraform wrote with the shell's umask
    open_to_others = [
        str(path.relative_to(dev.home))
        for path in [dev.home, *dev.home.rglob("*")]
        if not path.is_symlink()
        and not path.is_socket()
        and path.stat().st_mode & 0o077
        and "images" not in path.relative_to(dev.home).parts[:1]
    ]
    assert open_to_others == []
