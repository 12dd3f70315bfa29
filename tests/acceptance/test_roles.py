"""The roles that Terraform makes: enough for what they are for, and nothing beyond. The plan is empty at the end."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.acceptance.cloud import Ran, Rehearsal, until
from tests.acceptance.test_first_answer import (
    address_of,
    assert_plan_is_empty,
    environment_of,
    process_of,
    service_of,
    tasks_of,
)

First = tuple[Rehearsal, Ran]
EXECUTION = "miyabi-ecs-execution-role-dev"
CLUSTER = "miyabi-cluster-dev"
ACCOUNT, REGION = "112530848482", "us-west-2"


@pytest.fixture(scope="module")
def dev(configured: Rehearsal) -> Rehearsal:
    return configured


def run_task(cloud: Rehearsal) -> str:
    """Run one more task of the service's revision; return its ARN."""
    service = service_of(cloud)
    network = shlex.quote(json.dumps(service["networkConfiguration"]))
    made = cloud.aws(
        f"ecs run-task --cluster {CLUSTER} --launch-type FARGATE --task-definition {service['taskDefinition']} "
        f"--network-configuration {network}"
    )
    return str(made["tasks"][0]["taskArn"])


def task_in(cloud: Rehearsal, arn: str, status: str) -> dict[str, Any]:
    def look() -> Any:
        found = cloud.client("ecs").describe_tasks(cluster=CLUSTER, tasks=[arn])["tasks"][0]
        return found if found["lastStatus"] in {status, "STOPPED"} else None

    found: dict[str, Any] = until(look, seconds=60, what=f"the task {status}")
    assert found["lastStatus"] == status, found.get("stoppedReason")
    return found


def test_without_its_secrets_statement_the_execution_role_starts_no_task_and_with_it_again_it_does(
    dev: Rehearsal,
) -> None:
    held = dev.aws(f"iam get-role-policy --role-name {EXECUTION} --policy-name secrets")["PolicyDocument"]
    statement = held["Statement"][0] if isinstance(held["Statement"], list) else held["Statement"]
    readable = statement["Resource"]
    dev.aws(f"iam delete-role-policy --role-name {EXECUTION} --policy-name secrets")
    try:
        arn = run_task(dev)
        stopped = task_in(dev, arn, "STOPPED")
        assert (stopped["stopCode"], "startedAt" in stopped) == ("TaskFailedToStart", False)
        reason = stopped["stoppedReason"]
        assert reason.startswith(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
            "failed: unable to retrieve secret from asm: service call has been retried 1 time(s): "
            "failed to fetch secret arn:"
        )
        session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{EXECUTION}/{arn.rpartition('/')[2]}"
        assert f"User: {session} is not authorized to perform: secretsmanager:GetSecretValue on resource: " in reason
        assert reason.split("fetch secret ")[1].split(" ")[0] in readable
        assert service_of(dev)["runningCount"] >= 1  # what runs goes on
    finally:
        document = shlex.quote(json.dumps(held))
        put = f"aws iam put-role-policy --role-name {EXECUTION} --policy-name secrets --policy-document {document}"
        assert dev.shell(put).code == 0
    again = run_task(dev)
    task_in(dev, again, "RUNNING")
    dev.aws(f"ecs stop-task --cluster {CLUSTER} --task {again}")
    task_in(dev, again, "STOPPED")


def test_a_task_may_do_no_more_than_its_role(dev: Rehearsal) -> None:
    environment = environment_of(process_of(dev, address_of(tasks_of(dev)[0])))
    held = json.loads(dev.get(environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"])[2])
    act = acting(dev, held["AccessKeyId"], held["SecretAccessKey"], held["Token"])
    who = act("sts").get_caller_identity()["Arn"]
    assert ":assumed-role/miyabi-ecs-task-role-dev/" in who
    for refused in (
        lambda: act("ecs").update_service(cluster=CLUSTER, service="miyabi-service-dev", desiredCount=0),
        lambda: act("secretsmanager").get_secret_value(SecretId="miyabi/dev/api-keys"),
        lambda: act("iam").attach_role_policy(
            RoleName="miyabi-ecs-task-role-dev", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
        ),
        lambda: act("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{EXECUTION}", RoleSessionName="mine"),
    ):
        assert f"User: {who} is not authorized to perform: " in refusal(refused)
    assert service_of(dev)["desiredCount"] >= 1


def test_the_deploy_policy_is_enough_to_look_and_register_and_passes_no_other_role(dev: Rehearsal) -> None:
    act = role_with(dev, "rehearsal-deployer", "miyabi-deploy-policy-dev")
    try:
        ecs = act("ecs")
        found = ecs.describe_services(cluster=CLUSTER, services=["miyabi-service-dev"])["services"][0]
        ecs.list_tasks(cluster=CLUSTER)
        held = ecs.describe_task_definition(taskDefinition=found["taskDefinition"])["taskDefinition"]
        act("ssm").get_parameter(Name="/miyabi/dev/image")
        act("ecr").get_authorization_token()
        act("ecr").describe_images(repositoryName="miyabi-web-api")
        given = {"family": "rehearsal-roles", "containerDefinitions": [{"name": "c", "image": "i"}]}
        made = ecs.register_task_definition(**given, taskRoleArn=held["taskRoleArn"])["taskDefinition"]
        ecs.deregister_task_definition(taskDefinition=made["taskDefinitionArn"])
        other = f"arn:aws:iam::{ACCOUNT}:role/rehearsal-deployer"
        message = refusal(lambda: ecs.register_task_definition(**given, taskRoleArn=other))
        assert f"iam:PassRole on resource: {other} because no identity-based policy allows" in message
        refusal(lambda: act("rds").delete_db_instance(DBInstanceIdentifier="miyabi-db-dev", SkipFinalSnapshot=True))
        refusal(lambda: act("secretsmanager").get_secret_value(SecretId="miyabi/dev/api-keys"))
    finally:
        remove_role(dev, "rehearsal-deployer", "miyabi-deploy-policy-dev")


def test_the_operator_policy_is_enough_to_look_scale_and_read(dev: Rehearsal) -> None:
    act = role_with(dev, "rehearsal-operator", "miyabi-operator-policy-dev")
    try:
        ecs, scaling = act("ecs"), act("application-autoscaling")
        desired = service_of(dev)["desiredCount"]
        ecs.update_service(cluster=CLUSTER, service="miyabi-service-dev", desiredCount=desired)
        target = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"][0]
        same = {name: target[name] for name in ("ResourceId", "ScalableDimension", "MinCapacity", "MaxCapacity")}
        scaling.register_scalable_target(ServiceNamespace="ecs", **same)
        ecs.describe_tasks(cluster=CLUSTER, tasks=ecs.list_tasks(cluster=CLUSTER)["taskArns"])
        act("elbv2").describe_target_groups(Names=["miyabi-tg-dev"])
        cloudwatch = act("cloudwatch")
        alarm = cloudwatch.describe_alarms()["MetricAlarms"][0]["AlarmName"]
        schedule = {"Expression": "cron(0 2 1 1 *)", "Duration": "PT1M"}
        mine = "miyabi-silence-rehearsal"
        cloudwatch.put_alarm_mute_rule(Name=mine, Rule={"Schedule": schedule}, MuteTargets={"AlarmNames": [alarm]})
        cloudwatch.get_alarm_mute_rule(AlarmMuteRuleName=mine)
        cloudwatch.delete_alarm_mute_rule(AlarmMuteRuleName=mine)
        act("logs").filter_log_events(logGroupName="/ecs/miyabi-dev", limit=1)
        act("secretsmanager").get_secret_value(SecretId="miyabi/dev/api-keys")
        refusal(lambda: ecs.delete_service(cluster=CLUSTER, service="miyabi-service-dev", force=True))
        refusal(lambda: act("logs").delete_log_group(logGroupName="/miyabi/dev/audit"))
        refusal(lambda: act("dynamodb").delete_table(TableName="miyabi-lock-dev"))
    finally:
        remove_role(dev, "rehearsal-operator", "miyabi-operator-policy-dev")


def test_afterwards_the_plan_is_empty(dev: Rehearsal) -> None:
    until(lambda: service_of(dev)["runningCount"] == service_of(dev)["desiredCount"], seconds=60, what="all tasks")
    assert_plan_is_empty(dev)


def acting(cloud: Rehearsal, access_key: str, secret_key: str, token: str) -> Callable[[str], Any]:
    """Return what makes clients with these keys, which try once."""
    return lambda service: boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=f"http://127.0.0.1:{cloud.instance()['api_port']}",
        region_name=REGION,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


def role_with(cloud: Rehearsal, name: str, policy: str) -> Callable[[str], Any]:
    """Make a role with one of the environment's policies and take it."""
    principal = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam = cloud.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
    iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/{policy}")
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    held = cloud.client("sts").assume_role(RoleArn=arn, RoleSessionName="rehearsal")["Credentials"]
    return acting(cloud, held["AccessKeyId"], held["SecretAccessKey"], held["SessionToken"])


def remove_role(cloud: Rehearsal, name: str, policy: str) -> None:
    iam = cloud.client("iam")
    iam.detach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/{policy}")
    iam.delete_role(RoleName=name)


def refusal(call: Callable[[], Any]) -> str:
    """Return the message of a refused call."""
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}
    return str(caught.value.response["Error"]["Message"])
