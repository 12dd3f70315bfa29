"""What is recorded rather than run: scaling policies, alarms, budgets, secrets, tables, topics, buckets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core.base_backend import BackendDict

from tests.contract.control_api import ACCOUNT, REGION, Served, serve

RESOURCE = "service/c/web"
TARGET = {"ServiceNamespace": "ecs", "ResourceId": RESOURCE, "ScalableDimension": "ecs:service:DesiredCount"}
LABEL = "app/lb/0123456789abcdef/targetgroup/tg/0123456789abcdef"
NOTIFICATION = {
    "NotificationType": "ACTUAL",
    "ComparisonOperator": "GREATER_THAN",
    "Threshold": 80.0,
    "ThresholdType": "PERCENTAGE",
}
MAIL = {"SubscriptionType": "EMAIL", "Address": "oncall@example.com"}


@pytest.fixture(autouse=True)
def forget_moto() -> Iterator[Callable[[], None]]:
    """Start each test without moto's state, and yield what forgets it again, as a new process would."""
    BackendDict.reset()
    yield BackendDict.reset
    BackendDict.reset()


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path) as served:
        yield served


def service(api: Served) -> None:
    """Make an ECS service, which can then be scaled."""
    ecs, ec2 = api.client("ecs"), api.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.11.0/24")["Subnet"]["SubnetId"]
    ecs.create_cluster(clusterName="c")
    ecs.register_task_definition(
        family="app",
        cpu="256",
        memory="512",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        containerDefinitions=[{"name": "app", "image": "x", "essential": True}],
    )
    ecs.create_service(
        cluster="c",
        serviceName="web",
        taskDefinition="app",
        desiredCount=0,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}},
    )


def policy(api: Served, name: str, kind: str, target: float, **extra: Any) -> Any:
    metric = {"PredefinedMetricType": kind} | ({"ResourceLabel": LABEL} if kind.startswith("ALB") else {})
    return api.client("application-autoscaling").put_scaling_policy(
        PolicyName=name,
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": target,
            "PredefinedMetricSpecification": metric,
            "ScaleOutCooldown": 60,
            "ScaleInCooldown": 300,
            **extra,
        },
        **TARGET,
    )


def register(api: Served, **params: Any) -> Any:
    return api.client("application-autoscaling").register_scalable_target(**TARGET, **params)


def refused(call: Any, *arguments: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(*arguments, **params)
    code: str = error.value.response["Error"]["Code"]
    return code


def alarms(api: Served) -> dict[str, dict[str, Any]]:
    return {alarm["AlarmName"]: alarm for alarm in api.client("cloudwatch").describe_alarms()["MetricAlarms"]}


def test_only_a_service_that_exists_can_be_scaled(api: Served) -> None:
    assert refused(register, api, MinCapacity=2, MaxCapacity=4) == "ValidationException"
    service(api)
    assert refused(register, api, MinCapacity=2) == "ValidationException"
    assert refused(register, api, MinCapacity=4, MaxCapacity=2) == "ValidationException"
    arn = register(api, MinCapacity=2, MaxCapacity=4, Tags={"a": "b"})["ScalableTargetARN"]
    scaling = api.client("application-autoscaling")
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[RESOURCE])["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"], target["ScalableTargetARN"]) == (2, 4, arn)
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"a": "b"}
    register(api, MaxCapacity=10)
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 10)


def test_a_tracking_policy_makes_the_alarms_that_aws_makes(api: Served) -> None:
    service(api)
    register(api, MinCapacity=2, MaxCapacity=4)
    made = policy(api, "cpu", "ECSServiceAverageCPUUtilization", 70)
    high, low = (alarms(api)[alarm["AlarmName"]] for alarm in made["Alarms"])
    assert high["AlarmName"].startswith(f"TargetTracking-{RESOURCE}-AlarmHigh-")
    assert low["AlarmName"].startswith(f"TargetTracking-{RESOURCE}-AlarmLow-")
    seen = [(a["Threshold"], a["ComparisonOperator"], a["EvaluationPeriods"], a["Period"]) for a in (high, low)]
    assert seen == [(70.0, "GreaterThanThreshold", 3, 60), (63.0, "LessThanThreshold", 15, 60)]
    assert high["Dimensions"] == [{"Name": "ClusterName", "Value": "c"}, {"Name": "ServiceName", "Value": "web"}]
    assert high["AlarmActions"] == [made["PolicyARN"]]
    assert {alarm["StateValue"] for alarm in (high, low)} == {"INSUFFICIENT_DATA"}


def test_requests_are_tracked_per_target_of_the_group(api: Served) -> None:
    service(api)
    register(api, MinCapacity=2, MaxCapacity=4)
    made = policy(api, "requests", "ALBRequestCountPerTarget", 1000)
    high, low = (alarms(api)[alarm["AlarmName"]] for alarm in made["Alarms"])
    assert (high["MetricName"], high["Statistic"]) == ("RequestCountPerTarget", "Sum")
    assert (high["Threshold"], low["Threshold"]) == (1000.0, 900.0)
    assert high["Dimensions"] == [{"Name": "TargetGroup", "Value": "targetgroup/tg/0123456789abcdef"}]


def test_alarms_follow_their_policy(api: Served) -> None:
    service(api)
    register(api, MinCapacity=2, MaxCapacity=4)
    scaling = api.client("application-autoscaling")
    first = policy(api, "cpu", "ECSServiceAverageCPUUtilization", 70)
    second = policy(api, "cpu", "ECSServiceAverageCPUUtilization", 60)
    assert second["PolicyARN"] == first["PolicyARN"]
    assert sorted(alarm["Threshold"] for alarm in alarms(api).values()) == [54.0, 60.0]
    policy(api, "cpu", "ECSServiceAverageCPUUtilization", 60, DisableScaleIn=True)
    assert [alarm["Threshold"] for alarm in alarms(api).values()] == [60.0]
    scaling.delete_scaling_policy(PolicyName="cpu", **TARGET)
    assert alarms(api) == {}
    policy(api, "memory", "ECSServiceAverageMemoryUtilization", 80)
    scaling.deregister_scalable_target(**TARGET)
    assert alarms(api) == {}
    assert scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == []
    (activity,) = scaling.describe_scaling_activities(ServiceNamespace="ecs")["ScalingActivities"]
    assert activity["Cause"].startswith("minimum capacity was set to ")
    assert refused(scaling.delete_scaling_policy, PolicyName="cpu", **TARGET) == "ObjectNotFoundException"


def alarm(api: Served, **params: Any) -> dict[str, Any]:
    api.client("cloudwatch").put_metric_alarm(
        AlarmName="cpu",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=2,
        MetricName="CPUUtilization",
        Namespace="AWS/ECS",
        Period=60,
        Statistic="Average",
        Threshold=70,
        **params,
    )
    return alarms(api)["cpu"]


def test_a_new_alarm_knows_nothing_and_a_changed_one_keeps_what_it_knew(api: Served) -> None:
    cloudwatch = api.client("cloudwatch")
    made = alarm(api, Tags=[{"Key": "a", "Value": "b"}])
    assert made["StateValue"] == "INSUFFICIENT_DATA"
    cloudwatch.set_alarm_state(AlarmName="cpu", StateValue="ALARM", StateReason="a test")
    changed = alarm(api, AlarmDescription="d", Tags=[{"Key": "c", "Value": "d"}])
    assert (changed["StateValue"], changed["StateReason"], changed["AlarmDescription"]) == ("ALARM", "a test", "d")
    tags = cloudwatch.list_tags_for_resource(ResourceARN=made["AlarmArn"])["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]
    cloudwatch.delete_alarms(AlarmNames=["cpu"])
    assert alarm(api)["StateValue"] == "INSUFFICIENT_DATA"
    assert cloudwatch.list_tags_for_resource(ResourceARN=made["AlarmArn"])["Tags"] == []


def budget(name: str = "dev", amount: str = "140.0") -> dict[str, Any]:
    limit = {"Amount": amount, "Unit": "USD"}
    return {"BudgetName": name, "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit}


def test_a_budget_keeps_its_notifications_subscribers_and_tags(api: Served) -> None:
    budgets = api.client("budgets")
    which = {"AccountId": ACCOUNT, "BudgetName": "dev"}
    budgets.create_budget(AccountId=ACCOUNT, Budget=budget(), ResourceTags=[{"Key": "a", "Value": "b"}])
    assert refused(budgets.create_budget, AccountId=ACCOUNT, Budget=budget()) == "DuplicateRecordException"
    budgets.create_notification(**which, Notification=NOTIFICATION, Subscribers=[MAIL])
    more = {"SubscriptionType": "SNS", "Address": f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"}
    budgets.create_subscriber(**which, Notification=NOTIFICATION, Subscriber=more)
    budgets.update_budget(AccountId=ACCOUNT, NewBudget=budget(amount="150.0"))
    assert budgets.describe_budget(**which)["Budget"]["BudgetLimit"]["Amount"] == "150.0"
    (notification,) = budgets.describe_notifications_for_budget(**which)["Notifications"]
    assert notification == {**NOTIFICATION, "NotificationState": "OK"}
    found = budgets.describe_subscribers_for_notification(**which, Notification=NOTIFICATION)
    assert found["Subscribers"] == [MAIL, more]
    arn = f"arn:aws:budgets::{ACCOUNT}:budget/dev"
    assert budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"] == [{"Key": "a", "Value": "b"}]
    budgets.delete_notification(**which, Notification=NOTIFICATION)
    assert budgets.describe_notifications_for_budget(**which)["Notifications"] == []
    assert "CalculatedSpend" not in budgets.describe_budget(**which)["Budget"]
    budgets.delete_budget(**which)
    assert refused(budgets.describe_budget, **which) == "NotFoundException"


def fill(api: Served) -> None:
    service(api)
    register(api, MinCapacity=2, MaxCapacity=4, Tags={"a": "b"})
    policy(api, "cpu", "ECSServiceAverageCPUUtilization", 70)
    policy(api, "requests", "ALBRequestCountPerTarget", 1000)
    alarm(api)
    api.client("cloudwatch").set_alarm_state(AlarmName="cpu", StateValue="OK", StateReason="a test")
    api.client("cloudwatch").put_dashboard(DashboardName="d", DashboardBody='{"widgets":[]}')
    notified = [{"Notification": NOTIFICATION, "Subscribers": [MAIL]}]
    api.client("budgets").create_budget(AccountId=ACCOUNT, Budget=budget(), NotificationsWithSubscribers=notified)
    secrets = api.client("secretsmanager")
    word = secrets.get_random_password(PasswordLength=32)["RandomPassword"]
    name = secrets.create_secret(Name="miyabi/dev/jwt-secret")["ARN"]
    secrets.put_secret_value(SecretId=name, SecretString=word)
    topic = api.client("sns").create_topic(Name="alarms")["TopicArn"]
    api.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint="oncall@example.com")
    key = [{"AttributeName": "name", "AttributeType": "S"}]
    api.client("dynamodb").create_table(
        TableName="locks",
        AttributeDefinitions=key,
        KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True},
    )
    api.client("dynamodb").put_item(TableName="locks", Item={"name": {"S": "dev"}, "fence": {"N": "1"}})
    s3 = api.client("s3")
    s3.create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket="state", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"one", b"two"):
        s3.put_object(Bucket="state", Key="dev/terraform.tfstate", Body=body)
        assert s3.head_object(Bucket="state", Key="dev/terraform.tfstate")["ContentLength"] == len(body)


def look(api: Served) -> dict[str, Any]:
    scaling, cloudwatch = api.client("application-autoscaling"), api.client("cloudwatch")
    secret = api.client("secretsmanager").get_secret_value(SecretId="miyabi/dev/jwt-secret")
    which = {"AccountId": ACCOUNT, "BudgetName": "dev"}
    found = {
        "targets": scaling.describe_scalable_targets(ServiceNamespace="ecs"),
        "policies": scaling.describe_scaling_policies(ServiceNamespace="ecs"),
        "alarms": cloudwatch.describe_alarms(),
        "dashboard": cloudwatch.get_dashboard(DashboardName="d"),
        "budget": api.client("budgets").describe_budget(**which),
        "subscribers": api.client("budgets").describe_subscribers_for_notification(**which, Notification=NOTIFICATION),
        "secret": secret,
        "topics": api.client("sns").list_topics(),
        "subscriptions": api.client("sns").list_subscriptions(),
        "table": api.client("dynamodb").describe_table(TableName="locks"),
        "items": api.client("dynamodb").scan(TableName="locks"),
        "versions": api.client("s3").list_object_versions(Bucket="state"),
    }
    for answer in found.values():
        answer.pop("ResponseMetadata")
    return found


def test_all_of_it_is_the_same_after_a_restart(tmp_path: Path, forget_moto: Callable[[], None]) -> None:
    with serve(tmp_path) as api:
        fill(api)
        before = look(api)
    forget_moto()
    with serve(tmp_path) as api:
        assert look(api) == before


def test_no_file_of_the_home_says_what_random_password_was_drawn(tmp_path: Path) -> None:
    with serve(tmp_path) as api:
        word = api.client("secretsmanager").get_random_password(PasswordLength=32)["RandomPassword"]
    held = [path for path in tmp_path.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]
    assert held == []


def test_two_new_clouds_draw_different_passwords(tmp_path: Path, forget_moto: Callable[[], None]) -> None:
    drawn = set()
    for name in ("first", "second"):
        with serve(tmp_path / name) as api:
            drawn.add(api.client("secretsmanager").get_random_password(PasswordLength=32)["RandomPassword"])
        forget_moto()
    assert len(drawn) == 2
