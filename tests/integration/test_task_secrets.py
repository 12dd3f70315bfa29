"""Secrets on their way into a real task, and nowhere else."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from miyabi.aws.clients import Cloud
from miyabi.environment.home import Home, Instance
from miyabi.localcloud import lifecycle
from miyabi.operations.images import build_image, push_image

ACCOUNT, REGION = "112530848482", "us-west-2"
PLANTED = "planted-7f3a9"
PROGRAM = """
import hashlib, os, time
for name in ("PASSWORD", "KEY", "PARAMETER"):
    print(name, hashlib.sha256(os.environ[name].encode()).hexdigest(), flush=True)
time.sleep(600)
"""
MANIFEST = """
base = "python:3.11-slim"
command = ["python3", "app.py"]
listen_address_variable = "HOST"
[files]
"app.py" = "app.py"
"""


def eventually(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home(tmp_path_factory.mktemp("cloud") / "home")
    home.create()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    home.write_instance(Instance(1, "0badcafe", 93, port, ACCOUNT, REGION, "AKIATESTTESTTESTTEST", "secret"))
    lifecycle.start(home)
    yield home
    lifecycle.stop(home, deadline_seconds=10)


@pytest.fixture(scope="module")
def client(home: Home) -> Callable[[str], Any]:
    instance = home.read_instance()
    assert instance is not None
    return lambda service: boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=instance.endpoint,
        region_name=REGION,
        aws_access_key_id=instance.access_key,
        aws_secret_access_key=instance.secret_key,
        config=Config(proxies={}),
    )


@pytest.fixture(scope="module")
def run_task(home: Home, client: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Return what runs a task whose container has these secrets, and gives its ARN."""
    directory = tmp_path_factory.mktemp("image")
    (directory / "app.py").write_text(PROGRAM)
    (directory / "image.toml").write_text(MANIFEST)
    instance = home.read_instance()
    assert instance is not None
    keys = {"access_key": instance.access_key, "secret_key": instance.secret_key}
    client("ecr").create_repository(repositoryName="app")
    cloud = Cloud(region=REGION, account=ACCOUNT, endpoint=instance.endpoint, **keys)
    pushed = push_image(cloud, build_image(directory / "image.toml"), "app", "v1")
    vpc = client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = client("ec2").create_subnet(VpcId=vpc, CidrBlock="10.0.11.0/24")["Subnet"]["SubnetId"]
    client("ecs").create_cluster(clusterName="c")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}
    every = {"Effect": "Allow", "Action": ["ecr:*", "secretsmanager:*", "ssm:*"], "Resource": "*"}
    iam = client("iam")
    iam.create_role(RoleName="execution", AssumeRolePolicyDocument=document(trust))
    iam.put_role_policy(RoleName="execution", PolicyName="p", PolicyDocument=document(every))
    assert pushed is not None

    def run(*secrets: tuple[str, str]) -> str:
        container = {
            "name": "app",
            "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/app:v1",
            "secrets": [{"name": name, "valueFrom": value} for name, value in secrets],
        }
        definition = client("ecs").register_task_definition(
            family="app", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
            containerDefinitions=[container], executionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/execution",
        )["taskDefinition"]["taskDefinitionArn"]  # fmt: skip
        network = {"awsvpcConfiguration": {"subnets": [subnet]}}
        made = client("ecs").run_task(
            cluster="c", taskDefinition=definition, launchType="FARGATE", networkConfiguration=network
        )
        return str(made["tasks"][0]["taskArn"])

    return run


def document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def task_in(client: Callable[[str], Any], arn: str, status: str) -> Any:
    def look() -> Any:
        found = client("ecs").describe_tasks(cluster="c", tasks=[arn])["tasks"][0]
        return found if found["lastStatus"] == status else None

    return eventually(look)


def files_with(root: Path, text: str) -> set[str]:
    found = set()
    for path in root.rglob("*"):
        if path.is_file() and text.encode() in path.read_bytes():
            found.add(str(path.relative_to(root)))
    return found


def test_the_values_reach_the_process_and_neither_rows_nor_logs_nor_the_list_of_processes(
    home: Home, client: Callable[[str], Any], run_task: Callable[..., Any]
) -> None:
    secrets = client("secretsmanager")
    password = secrets.create_secret(Name="password", SecretString=PLANTED)["ARN"]
    keys = secrets.create_secret(Name="keys", SecretString=json.dumps({"admin": f"{PLANTED}-key"}))["ARN"]
    client("ssm").put_parameter(Name="/a/b", Value=f"{PLANTED}-parameter", Type="SecureString")
    arn = run_task(("PASSWORD", password), ("KEY", f"{keys}:admin::"), ("PARAMETER", "/a/b"))
    task = task_in(client, arn, "RUNNING")
    output = home.tasks / arn.rpartition("/")[2] / "app.log"
    eventually(lambda: output.exists() and output.read_text().count("\n") == 3)
    values = (PLANTED, f"{PLANTED}-key", f"{PLANTED}-parameter")
    expected = [hashlib.sha256(value.encode()).hexdigest() for value in values]
    assert [line.split()[1] for line in output.read_text().splitlines()] == expected
    assert PLANTED not in str(task)
    running = lifecycle.inspect(home)
    assert PLANTED not in repr(running)
    # What was asked of Secrets Manager is in the journal: it is how the secret itself is kept.
    assert all(name.startswith("state/journal") for name in files_with(home.root, PLANTED))


def test_a_task_whose_secret_is_missing_stops_in_the_words_of_ecs(
    client: Callable[[str], Any], run_task: Callable[..., Any]
) -> None:
    none = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:none-abcdef"
    task = task_in(client, run_task(("PASSWORD", none)), "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"] == (
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        "unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret "
        f"{none} from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret."
    )
