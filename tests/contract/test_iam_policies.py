"""What roles and users may do is what their policies say, in the words of each service."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from miyabi.localcloud.control.authorization import ExecutionRole, Principals, Refused
from miyabi.localcloud.control.credentials import Keys
from tests.contract.control_api import ACCOUNT, REGION, Served, serve

TERRAFORM = Path(__file__).parents[2] / "infrastructure" / "terraform"
HERE = f"{REGION}:{ACCOUNT}"
TASK = f"arn:aws:ecs:{HERE}:task/c/0123456789abcdef"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("home")) as served:
        yield served


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return allow(action, resource, **more) | {"Effect": "Deny"}


def trust(principal: Any, **more: Any) -> str:
    return document({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, **more})


ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
Acting = Callable[[str], Any]
"""Service -> a client with a role's keys."""


@pytest.fixture
def role(api: Served, request: pytest.FixtureRequest) -> Callable[..., Acting]:
    """Return what makes a role with these statements and gives clients that act as it."""
    name = "role-" + request.node.name.replace("[", "-").replace("]", "")[:50].rstrip("-")
    iam = api.client("iam")

    def make(*statements: dict[str, Any], **assuming: Any) -> Acting:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(ROOT))
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
        return acting(api, name, **assuming)

    return make


def acting(api: Served, name: str, **assuming: Any) -> Acting:
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    held = api.client("sts").assume_role(RoleArn=arn, RoleSessionName="session", **assuming)["Credentials"]
    mine = {
        "aws_access_key_id": held["AccessKeyId"],
        "aws_secret_access_key": held["SecretAccessKey"],
        "aws_session_token": held["SessionToken"],
    }
    return lambda service: api.client(service, **mine)


def refusal(call: Callable[[], Any]) -> tuple[int, str, str]:
    """Return status, code and message of a refused call."""
    with pytest.raises(ClientError) as caught:
        call()
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


CALLS: list[tuple[str, int, str, str, str, dict[str, Any]]] = [
    ("ecs", 400, "AccessDeniedException", f"arn:aws:ecs:{HERE}:service/c/s", "UpdateService",
     {"cluster": "c", "service": "s"}),
    ("ecs", 400, "AccessDeniedException", "*", "ListClusters", {}),
    ("elbv2", 403, "AccessDenied", "*", "DescribeLoadBalancers", {}),
    ("logs", 400, "AccessDeniedException", f"arn:aws:logs:{HERE}:log-group:g:log-stream:s", "PutLogEvents",
     {"logGroupName": "g", "logStreamName": "s", "logEvents": [{"timestamp": 1, "message": "m"}]}),
    ("rds", 403, "AccessDenied", f"arn:aws:rds:{HERE}:db:*", "DescribeDBInstances", {}),
    ("elasticache", 403, "AccessDenied", f"arn:aws:elasticache:{HERE}:cluster:c", "DeleteCacheCluster",
     {"CacheClusterId": "c"}),
    ("ecr", 400, "AccessDeniedException", "*", "GetAuthorizationToken", {}),
    ("ssm", 400, "AccessDeniedException", f"arn:aws:ssm:{HERE}:parameter/a/b", "GetParameter", {"Name": "/a/b"}),
    ("secretsmanager", 400, "AccessDeniedException", f"arn:aws:secretsmanager:{HERE}:secret:none", "GetSecretValue",
     {"SecretId": "none"}),
    ("s3", 403, "AccessDenied", '"arn:aws:s3:::b/k"', "PutObject", {"Bucket": "b", "Key": "k", "Body": b"x"}),
    ("dynamodb", 400, "AccessDeniedException", f"arn:aws:dynamodb:{HERE}:table/t", "GetItem",
     {"TableName": "t", "Key": {"k": {"S": "v"}}}),
    ("sns", 403, "AuthorizationError", f"arn:aws:sns:{HERE}:t", "Publish",
     {"TopicArn": f"arn:aws:sns:{HERE}:t", "Message": "m"}),
    ("application-autoscaling", 400, "AccessDeniedException", "*", "DescribeScalableTargets",
     {"ServiceNamespace": "ecs"}),
    ("iam", 403, "AccessDenied", f"arn:aws:iam::{ACCOUNT}:role/x", "GetRole", {"RoleName": "x"}),
    ("ec2", 403, "UnauthorizedOperation", "*", "DescribeVpcs", {}),
    ("kms", 400, "AccessDeniedException", f"arn:aws:kms:{HERE}:key/k", "DescribeKey", {"KeyId": "k"}),
]  # fmt: skip


@pytest.mark.parametrize(("service", "status", "code", "resource", "operation", "params"), CALLS)
def test_a_role_without_policies_may_do_nothing_and_is_told_so_in_the_services_words(
    api: Served, service: str, status: int, code: str, resource: str, operation: str, params: dict[str, Any]
) -> None:
    iam = api.client("iam")
    if "nobody" not in [found["RoleName"] for found in iam.list_roles()["Roles"]]:
        iam.create_role(RoleName="nobody", AssumeRolePolicyDocument=trust(ROOT))
    client = acting(api, "nobody")(service)
    before = api.journal.length
    got = refusal(lambda: client._make_api_call(operation, params))
    prefix = {"elbv2": "elasticloadbalancing"}.get(service, service)
    action = f"{prefix}:{operation}"
    assert got[:2] == (status, code)
    assert got[2].endswith(
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/nobody/session is not authorized to perform: {action} "
        f"on resource: {resource} because no identity-based policy allows the {action} action"
    )
    assert api.journal.length == before


def test_everybody_may_ask_who_he_is(role: Callable[..., Acting]) -> None:
    assert ":assumed-role/" in role()("sts").get_caller_identity()["Arn"]


def test_an_inline_policy_allows_what_it_names_and_nothing_else(api: Served, role: Callable[..., Acting]) -> None:
    ssm = api.client("ssm")
    for name in ("/app/one", "/other/one"):
        ssm.put_parameter(Name=name, Value="v", Type="String")
    act = role(allow("ssm:GetParameter*", f"arn:aws:ssm:{HERE}:parameter/app/*"))
    assert act("ssm").get_parameter(Name="/app/one")["Parameter"]["Value"] == "v"
    assert act("ssm").get_parameters(Names=["/app/one"])["Parameters"]
    for call in (
        lambda: act("ssm").get_parameter(Name="/other/one"),
        lambda: act("ssm").get_parameters(Names=["/app/one", "/other/one"]),
        lambda: act("ssm").delete_parameter(Name="/app/one"),
    ):
        assert refusal(call)[1] == "AccessDeniedException"


def test_a_policy_acts_as_soon_as_it_is_put_or_taken_away(api: Served) -> None:
    iam = api.client("iam")
    iam.create_role(RoleName="changing", AssumeRolePolicyDocument=trust(ROOT))
    clusters = acting(api, "changing")("ecs").list_clusters
    assert refusal(clusters)[1] == "AccessDeniedException"
    iam.put_role_policy(RoleName="changing", PolicyName="p", PolicyDocument=document(allow("ecs:List*")))
    clusters()
    iam.delete_role_policy(RoleName="changing", PolicyName="p")
    assert refusal(clusters)[1] == "AccessDeniedException"


def test_a_managed_policy_counts_in_its_default_version(api: Served) -> None:
    iam = api.client("iam")
    iam.create_role(RoleName="managed", AssumeRolePolicyDocument=trust(ROOT))
    arn = iam.create_policy(PolicyName="clusters", PolicyDocument=document(allow("ecs:ListClusters")))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="managed", PolicyArn=arn)
    act = acting(api, "managed")
    act("ecs").list_clusters()
    denied = document(deny("ecs:ListClusters"))
    version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=denied, SetAsDefault=True)["PolicyVersion"]
    assert "with an explicit deny in an identity-based policy" in refusal(act("ecs").list_clusters)[2]
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    act("ecs").list_clusters()
    iam.attach_role_policy(RoleName="managed", PolicyArn="arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess")
    act("ssm").describe_parameters()


def test_a_boundary_limits_what_policies_allow(api: Served, role: Callable[..., Acting]) -> None:
    iam = api.client("iam")
    boundary = iam.create_policy(PolicyName="edge", PolicyDocument=document(allow("ecs:*")))["Policy"]["Arn"]
    iam.create_role(RoleName="bound", AssumeRolePolicyDocument=trust(ROOT), PermissionsBoundary=boundary)
    iam.put_role_policy(RoleName="bound", PolicyName="p", PolicyDocument=document(allow("*")))
    act = acting(api, "bound")
    act("ecs").list_clusters()
    assert "because no permissions boundary allows the rds:" in refusal(act("rds").describe_db_instances)[2]


def test_a_session_policy_limits_a_session(role: Callable[..., Acting]) -> None:
    act = role(allow("*"), Policy=document(allow("ecs:*")))
    act("ecs").list_clusters()
    assert "because no session policy allows" in refusal(act("rds").describe_db_instances)[2]


def test_conditions_see_the_request(role: Callable[..., Acting]) -> None:
    act = role(
        allow("ecs:ListClusters", Condition={"StringEquals": {"aws:RequestedRegion": REGION}}),
        allow("ssm:PutParameter", Condition={"StringEquals": {"aws:RequestTag/team": "web"}}),
        allow("ecr:CreateRepository", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}),
    )
    act("ecs").list_clusters()
    given = {"Name": "tagged", "Value": "v", "Type": "String"}
    act("ssm").put_parameter(**given, Tags=[{"Key": "team", "Value": "web"}])
    assert refusal(lambda: act("ssm").put_parameter(**given, Tags=[{"Key": "team", "Value": "x"}]))[0] == 400
    assert refusal(lambda: act("ecr").create_repository(repositoryName="repo"))[0] == 400


def test_a_role_is_passed_only_where_that_is_allowed(role: Callable[..., Acting]) -> None:
    mine = f"arn:aws:iam::{ACCOUNT}:role/app"
    to_tasks = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    act = role(allow("ecs:RegisterTaskDefinition"), allow("iam:PassRole", mine, Condition=to_tasks))
    container = [{"name": "c", "image": "i"}]
    register = act("ecs").register_task_definition
    register(family="f", containerDefinitions=container, taskRoleArn=mine)
    got = refusal(lambda: register(family="f", containerDefinitions=container, executionRoleArn=mine + "-admin"))
    assert f"is not authorized to perform: iam:PassRole on resource: {mine}-admin because" in got[2]


def test_a_role_is_taken_only_where_its_trust_and_the_policies_agree(api: Served, role: Callable[..., Acting]) -> None:
    iam = api.client("iam")
    act = role(allow("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/target-*"))
    trusted = act("sts").get_caller_identity()["Arn"].replace(":sts:", ":iam:").replace("assumed-role", "role")
    names = {
        "target-account": trust(ROOT),
        "target-service": trust({"Service": "ecs-tasks.amazonaws.com"}),
        "other-account": trust(ROOT),
        "other-direct": trust({"AWS": trusted.rpartition("/")[0]}),
    }
    for name, trusting in names.items():
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting)

    def assume(name: str) -> Any:
        return act("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}", RoleSessionName="session")

    for name in ("target-account", "other-direct"):
        assert name in assume(name)["AssumedRoleUser"]["Arn"]
    for name in ("target-service", "other-account"):
        assert refusal(lambda name=name: assume(name))[1] == "AccessDenied"


def test_users_have_their_own_policies_and_those_of_their_groups(api: Served) -> None:
    iam = api.client("iam")
    iam.create_user(UserName="ada")
    key = iam.create_access_key(UserName="ada")["AccessKey"]
    mine = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    assert refusal(api.client("ecs", **mine).list_clusters)[1] == "AccessDeniedException"
    own = allow("iam:GetUser", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}")
    iam.put_user_policy(UserName="ada", PolicyName="own", PolicyDocument=document(own))
    api.client("iam", **mine).get_user(UserName="ada")
    assert refusal(lambda: api.client("iam", **mine).get_user(UserName="eve"))[1] == "AccessDenied"
    iam.create_group(GroupName="readers")
    iam.put_group_policy(GroupName="readers", PolicyName="p", PolicyDocument=document(allow("ecs:List*")))
    iam.add_user_to_group(GroupName="readers", UserName="ada")
    api.client("ecs", **mine).list_clusters()


def test_an_action_that_is_named_twice_is_refused(role: Callable[..., Acting]) -> None:
    iam = role(allow("iam:ListUsers"))("iam")
    iam.list_users()

    def add_action(params: dict[str, Any], **_: Any) -> None:
        params["url"] += "?Action=ListUsers"

    iam.meta.events.register("before-call.iam.DeleteUser", add_action)
    assert refusal(lambda: iam.delete_user(UserName="ada"))[1] == "InvalidAction"


def test_objects_are_deleted_one_by_one_and_in_batches_only_where_that_is_allowed(
    api: Served, role: Callable[..., Acting]
) -> None:
    s3 = api.client("s3")
    s3.create_bucket(Bucket="shared", CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in ("mine/a", "mine/b&c", "other/a"):
        s3.put_object(Bucket="shared", Key=key, Body=b"x")
    mine = role(allow(["s3:DeleteObject", "s3:GetObject"], "arn:aws:s3:::shared/mine/*"))("s3")
    assert mine.get_object(Bucket="shared", Key="mine/b&c")["Body"].read() == b"x"

    def delete(*keys: str) -> Any:
        return mine.delete_objects(Bucket="shared", Delete={"Objects": [{"Key": key} for key in keys]})

    assert "shared/other/a" in refusal(lambda: delete("mine/a", "other/a"))[2]
    delete("mine/a", "mine/b&c")
    assert [found["Key"] for found in s3.list_objects_v2(Bucket="shared")["Contents"]] == ["other/a"]


def test_a_parameter_that_cannot_be_read_is_refused_before_it_is_judged(role: Callable[..., Acting]) -> None:
    ssm = role(allow("ssm:*"), deny("ssm:DeleteParameter"))("ssm")

    def spoil(params: dict[str, Any], **_: Any) -> None:
        params["body"] = b'["Name"]'

    ssm.meta.events.register("before-call.ssm.GetParameters", spoil)
    assert refusal(lambda: ssm.get_parameters(Names=["/one"]))[1] == "SerializationException"


def test_a_secret_is_meant_by_its_name_too(api: Served, role: Callable[..., Acting]) -> None:
    made = api.client("secretsmanager").create_secret(Name="app/key", SecretString="s")
    act = role(allow("secretsmanager:GetSecretValue", made["ARN"]))
    for name in ("app/key", made["ARN"]):
        assert act("secretsmanager").get_secret_value(SecretId=name)["SecretString"] == "s"


def operator_statements(service: str) -> list[dict[str, Any]]:
    """Return the operator policy's statements about a service, as Terraform would fill them in."""
    text = (TERRAFORM / "modules" / "operator_policy" / "main.tf").read_text()
    text = text.replace("${var.region}", REGION).replace("${var.account_id}", ACCOUNT)
    found = []
    for body in re.findall(r"statement {\n(.*?)\n  }", text, re.DOTALL):
        lists = {
            name: re.findall(r'"([^"]+)"', given) for name, given in re.findall(r"(\w+) += \[(.*?)\]", body, re.DOTALL)
        }
        actions = [action for action in lists["actions"] if action.startswith(f"{service}:")]
        if actions:
            found.append(allow(actions, lists["resources"]))
    return found


def test_the_operator_policy_is_enough_to_silence_alarms(api: Served, role: Callable[..., Acting]) -> None:
    def rule(name: str) -> dict[str, Any]:
        schedule = {"Expression": "cron(0 2 * * *)", "Duration": "PT1H"}
        return {"Name": name, "Rule": {"Schedule": schedule}, "MuteTargets": {"AlarmNames": ["a"]}}

    api.client("cloudwatch").put_alarm_mute_rule(**rule("nightly"))
    cloudwatch = role(*operator_statements("cloudwatch"))("cloudwatch")
    cloudwatch.describe_alarms()
    cloudwatch.describe_alarm_history()
    cloudwatch.put_alarm_mute_rule(**rule("miyabi-silence-a"))
    for one in cloudwatch.list_alarm_mute_rules()["AlarmMuteRuleSummaries"]:
        cloudwatch.get_alarm_mute_rule(AlarmMuteRuleName=one["AlarmMuteRuleArn"].rpartition(":")[2])
    cloudwatch.delete_alarm_mute_rule(AlarmMuteRuleName="miyabi-silence-a")
    for refused in (
        lambda: cloudwatch.put_alarm_mute_rule(**rule("nightly")),
        lambda: cloudwatch.delete_alarm_mute_rule(AlarmMuteRuleName="nightly"),
    ):
        assert refusal(refused)[1] == "AccessDeniedException"


@pytest.fixture
def execution(api: Served) -> Callable[..., ExecutionRole]:
    """Return what makes an execution role with these statements."""
    iam = api.client("iam")

    def make(name: str, *statements: dict[str, Any], trusting: str | None = None) -> ExecutionRole:
        given = trusting or trust({"Service": "ecs-tasks.amazonaws.com"})
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=given)
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
        principals = Principals(ACCOUNT, Keys(api.engine.store, api.instance))
        return ExecutionRole(principals, f"arn:aws:iam::{ACCOUNT}:role/{name}", TASK)

    return make


def test_ecs_takes_an_execution_role_that_trusts_it(execution: Callable[..., ExecutionRole]) -> None:
    bound = {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": f"arn:aws:ecs:{HERE}:*"}}
    tasks = {"Service": "ecs-tasks.amazonaws.com"}
    assert execution("x-trusting", trusting=trust(tasks, Condition=bound)).can_be_assumed()
    other = {"StringEquals": {"aws:SourceAccount": "000000000000"}}
    assert not execution("x-other-account", trusting=trust(tasks, Condition=other)).can_be_assumed()
    assert not execution("x-lambda", trusting=trust({"Service": "lambda.amazonaws.com"})).can_be_assumed()


def test_an_execution_role_reads_the_secrets_that_it_may(api: Served, execution: Callable[..., ExecutionRole]) -> None:
    made = api.client("secretsmanager").create_secret(Name="one", SecretString="s")["ARN"]
    execution("x-reads", allow("secretsmanager:GetSecretValue", made)).require_secret(made)
    with pytest.raises(Refused) as caught:
        execution("x-reads-not").require_secret(made)
    assert str(caught.value) == (
        f"AccessDeniedException: User: arn:aws:sts::{ACCOUNT}:assumed-role/x-reads-not/0123456789abcdef is not "
        f"authorized to perform: secretsmanager:GetSecretValue on resource: {made} because no identity-based policy "
        "allows the secretsmanager:GetSecretValue action"
    )


def test_a_secret_with_its_own_key_needs_that_key_too(api: Served, execution: Callable[..., ExecutionRole]) -> None:
    key = api.client("kms").create_key()["KeyMetadata"]
    api.client("kms").create_alias(AliasName="alias/secrets", TargetKeyId=key["KeyId"])
    given = {"Name": "locked", "SecretString": "s", "KmsKeyId": "alias/secrets"}
    made = api.client("secretsmanager").create_secret(**given)["ARN"]
    reads = allow("secretsmanager:GetSecretValue")
    execution("x-decrypts", reads, allow("kms:Decrypt", key["Arn"])).require_secret(made)
    with pytest.raises(Refused, match="Access to KMS is not allowed"):
        execution("x-decrypts-not", reads).require_secret(made)


def test_parameters_and_their_keys_are_checked(api: Served, execution: Callable[..., ExecutionRole]) -> None:
    key = api.client("kms").create_key()["KeyMetadata"]
    ssm = api.client("ssm")
    ssm.put_parameter(Name="/x/plain", Value="v", Type="String")
    ssm.put_parameter(Name="/x/own", Value="v", Type="SecureString", KeyId=key["KeyId"])
    reads = allow("ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/x/*")
    role = execution("x-parameters", reads)
    role.require_parameter("/x/plain", REGION)
    with pytest.raises(Refused, match=f"kms:Decrypt on resource: {key['Arn']}"):
        role.require_parameter("/x/own", REGION)
    with pytest.raises(Refused, match=f"ssm:GetParameters on resource: arn:aws:ssm:{HERE}:parameter/y "):
        role.require_parameter("y", REGION)
    execution("x-parameters-key", reads, allow("kms:Decrypt", key["Arn"])).require_parameter("/x/own", REGION)
