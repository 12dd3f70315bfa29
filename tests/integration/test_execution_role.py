"""Tasks whose execution role lacks something: stopped with ECS's own reasons, and running once it is there again."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from miyabi.aws.clients import Cloud
from miyabi.environment.home import Home, Instance
from miyabi.localcloud import lifecycle
from miyabi.operations.images import build_image, push_image

ACCOUNT, REGION = "112530848482", "us-west-2"
HERE = f"{REGION}:{ACCOUNT}"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/app:v1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/execution"
REPOSITORY = f"arn:aws:ecr:{HERE}:repository/app"
PULL = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
ONCE = r"service call has been retried 1 time\(s\): "
ASKED = r" status code: 400, request id: [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
MANIFEST = """
base = "python:3.11-slim"
command = ["python3", "app.py"]
listen_address_variable = "HOST"
[files]
"app.py" = "app.py"
"""
TOKEN = {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}
READ = {"Effect": "Allow", "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], "Resource": REPOSITORY}
STREAM = {"Effect": "Allow", "Action": "logs:CreateLogStream", "Resource": f"arn:aws:logs:{HERE}:log-group:/app:*"}
EVENTS = STREAM | {"Action": "logs:PutLogEvents"}
SECRETS = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
PARAMETERS = {"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": f"arn:aws:ssm:{HERE}:parameter/app/*"}
ALL = (TOKEN, READ, STREAM, EVENTS, SECRETS, PARAMETERS)

Client = Callable[[str], Any]


def eventually(condition: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    home = Home(tmp_path_factory.mktemp("cloud") / "home")
    home.create()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    instance = Instance(1, "0badcafe", 94, port, ACCOUNT, REGION, "AKIATESTTESTTESTTEST", "secret")
    home.write_instance(instance)
    lifecycle.start(home)
    yield lambda service: boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=instance.endpoint,
        region_name=REGION,
        aws_access_key_id=instance.access_key,
        aws_secret_access_key=instance.secret_key,
        config=Config(proxies={}),
    )
    lifecycle.stop(home, deadline_seconds=10)


@pytest.fixture(scope="module")
def definition(client: Client, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what a task of this cloud needs: definition, network, and the secret's ARN."""
    directory = tmp_path_factory.mktemp("image")
    (directory / "app.py").write_text("import time\nprint('hello', flush=True)\ntime.sleep(600)\n")
    (directory / "image.toml").write_text(MANIFEST)
    client("ecr").create_repository(repositoryName="app")
    meta = client("ecr").meta
    cloud = Cloud(
        region=REGION,
        account=ACCOUNT,
        endpoint=meta.endpoint_url,
        access_key="AKIATESTTESTTESTTEST",
        secret_key="secret",
    )
    push_image(cloud, build_image(directory / "image.toml"), "app", "v1")
    vpc = client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = client("ec2").create_subnet(VpcId=vpc, CidrBlock="10.0.11.0/24")["Subnet"]["SubnetId"]
    client("ecs").create_cluster(clusterName="c")
    client("logs").create_log_group(logGroupName="/app")
    secret = client("secretsmanager").create_secret(Name="key", SecretString="planted")["ARN"]
    client("ssm").put_parameter(Name="/app/one", Value="planted", Type="String")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}
    client("iam").create_role(RoleName="execution", AssumeRolePolicyDocument=document(trust))
    log = {"awslogs-group": "/app", "awslogs-region": REGION, "awslogs-stream-prefix": "ecs"}
    container = {
        "name": "app",
        "image": IMAGE,
        "secrets": [{"name": "KEY", "valueFrom": secret}, {"name": "ONE", "valueFrom": "/app/one"}],
        "logConfiguration": {"logDriver": "awslogs", "options": log},
    }
    made = client("ecs").register_task_definition(
        family="app", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        containerDefinitions=[container], executionRoleArn=ROLE,
    )["taskDefinition"]["taskDefinitionArn"]  # fmt: skip
    return {"definition": made, "network": {"awsvpcConfiguration": {"subnets": [subnet]}}, "secret": secret}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def run(client: Client, definition: dict[str, Any], *statements: dict[str, Any]) -> str:
    """Run a task whose execution role has these statements; return its ARN."""
    client("iam").put_role_policy(RoleName="execution", PolicyName="p", PolicyDocument=document(*statements))
    return start(client, definition)


def start(client: Client, definition: dict[str, Any]) -> str:
    made = client("ecs").run_task(
        cluster="c",
        taskDefinition=definition["definition"],
        launchType="FARGATE",
        networkConfiguration=definition["network"],
    )
    return str(made["tasks"][0]["taskArn"])


def task_in(client: Client, arn: str, status: str) -> dict[str, Any]:
    def look() -> Any:
        found = client("ecs").describe_tasks(cluster="c", tasks=[arn])["tasks"][0]
        assert status == "STOPPED" or found["lastStatus"] != "STOPPED", found.get("stoppedReason")
        return found if found["lastStatus"] == status else None

    found: dict[str, Any] = eventually(look)
    return found


def without(*missing: dict[str, Any]) -> list[dict[str, Any]]:
    return [statement for statement in ALL if statement not in missing]


def who(arn: str, action: str, resource: str) -> str:
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/execution/{arn.rpartition('/')[2]}"
    return re.escape(
        f"AccessDeniedException: User: {session} is not authorized to perform: {action} on resource: {resource} "
        f"because no identity-based policy allows the {action} action"
    )


def reason(client: Client, arn: str) -> str:
    task = task_in(client, arn, "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    return str(task["stoppedReason"])


def test_without_the_token_no_task_starts(client: Client, definition: dict[str, Any]) -> None:
    arn = run(client, definition, *without(TOKEN))
    denied = who(arn, "ecr:GetAuthorizationToken", "*")
    expected = f"{re.escape(PULL)}unable to retrieve ecr registry auth: {ONCE}{denied}{ASKED}"
    assert re.fullmatch(expected, reason(client, arn))


def test_without_the_secret_no_task_starts(client: Client, definition: dict[str, Any]) -> None:
    arn = run(client, definition, *without(SECRETS))
    secret = definition["secret"]
    denied = who(arn, "secretsmanager:GetSecretValue", secret)
    fetching = re.escape(f"failed to fetch secret {secret} from secrets manager: ")
    expected = f"{re.escape(PULL)}unable to retrieve secret from asm: {ONCE}{fetching}{denied}{ASKED}"
    assert re.fullmatch(expected, reason(client, arn))


def test_without_the_parameter_no_task_starts(client: Client, definition: dict[str, Any]) -> None:
    arn = run(client, definition, *without(PARAMETERS))
    denied = who(arn, "ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/app/one")
    expected = f"{re.escape(PULL)}unable to retrieve secrets from ssm: {ONCE}{denied}{ASKED}"
    assert re.fullmatch(expected, reason(client, arn))


def test_without_the_image_no_task_starts(client: Client, definition: dict[str, Any]) -> None:
    arn = run(client, definition, *without(READ))
    assert reason(client, arn) == (
        f"CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {IMAGE}: "
        f"pulling from host {IMAGE.partition('/')[0]} failed with status code [manifests v1]: 403 Forbidden"
    )
    arn = run(client, definition, *without(READ), READ | {"Action": "ecr:BatchGetImage"})
    assert reason(client, arn).startswith("CannotPullContainerError: ref pull has been retried 1 time(s): ")


def test_without_the_log_stream_no_task_starts(client: Client, definition: dict[str, Any]) -> None:
    arn = run(client, definition, *without(STREAM))
    stream = f"arn:aws:logs:{HERE}:log-group:/app:log-stream:ecs/app/{arn.rpartition('/')[2]}"
    words = "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
    denied = who(arn, "logs:CreateLogStream", stream)
    expected = f"{re.escape(words)}failed to create Cloudwatch log stream: {denied}{ASKED}"
    assert re.fullmatch(expected, reason(client, arn))


def test_a_role_that_does_not_trust_ecs_cannot_be_used(client: Client, definition: dict[str, Any]) -> None:
    iam = client("iam")
    trust = json.loads(json.dumps(iam.get_role(RoleName="execution")["Role"]["AssumeRolePolicyDocument"]))
    other = document({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}})
    iam.update_assume_role_policy(RoleName="execution", PolicyDocument=other)
    try:
        assert reason(client, run(client, definition, *ALL)).startswith(
            f"ECS was unable to assume the role '{ROLE}' that was provided for this task."
        )
    finally:
        iam.update_assume_role_policy(RoleName="execution", PolicyDocument=json.dumps(trust))


def test_with_all_of_it_back_a_task_runs_and_its_lines_are_logged(client: Client, definition: dict[str, Any]) -> None:
    arn = run(client, definition, *ALL)
    task_in(client, arn, "RUNNING")
    stream = f"ecs/app/{arn.rpartition('/')[2]}"
    lines = eventually(lambda: client("logs").get_log_events(logGroupName="/app", logStreamName=stream)["events"])
    assert [line["message"] for line in lines] == ["hello"]
    client("ecs").stop_task(cluster="c", task=arn)


def test_without_put_log_events_a_task_runs_and_its_stream_stays_empty(
    client: Client, definition: dict[str, Any]
) -> None:
    silent = run(client, definition, *without(EVENTS))
    task_in(client, silent, "RUNNING")
    heard = run(client, definition, *ALL)
    task_in(client, heard, "RUNNING")

    def events(arn: str) -> Any:
        stream = f"ecs/app/{arn.rpartition('/')[2]}"
        return client("logs").get_log_events(logGroupName="/app", logStreamName=stream)["events"]

    eventually(lambda: events(heard))  # what the silent one wrote before would be there as well
    assert events(silent) == []
    for arn in (silent, heard):
        client("ecs").stop_task(cluster="c", task=arn)


def test_the_managed_policy_for_execution_roles_suffices(client: Client, definition: dict[str, Any]) -> None:
    managed = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    client("iam").attach_role_policy(RoleName="execution", PolicyArn=managed)
    arn = run(client, definition, SECRETS, PARAMETERS)
    task_in(client, arn, "RUNNING")
    client("ecs").stop_task(cluster="c", task=arn)
