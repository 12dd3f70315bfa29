"""ECS's operations as boto3 sees them: shapes, errors, paging."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from miyabi.model.load_balancing import Action, HealthCheck, Rule, TargetGroup, WeightedTargetGroup
from tests.contract.control_api import ACCOUNT, REGION, Served, serve

CONTAINER = {
    "name": "app",
    "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/web:v1",
    "portMappings": [{"containerPort": 8080}],
}
FARGATE: dict[str, Any] = {
    "family": "web",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/execution",
    "containerDefinitions": [CONTAINER],
}
SECRET = {"name": "KEY", "valueFrom": "/key"}
AWSLOGS = {"logDriver": "awslogs", "options": {"awslogs-group": "/g", "awslogs-region": "us-west-2"}}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("home")) as served:
        yield served


@pytest.fixture(scope="module")
def ecs(api: Served) -> Any:
    return api.client("ecs")


@pytest.fixture(scope="module")
def subnets(api: Served) -> list[str]:
    ec2 = api.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    return [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
            "SubnetId"
        ]
        for n, zone in ((11, "a"), (12, "b"))
    ]


def code_of(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


def test_a_cluster_is_created_once_and_found_by_name_and_arn(ecs: Any) -> None:
    made = ecs.create_cluster(clusterName="one", settings=[{"name": "containerInsights", "value": "enabled"}])[
        "cluster"
    ]
    assert made["clusterArn"] == f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/one"
    assert ecs.create_cluster(clusterName="one")["cluster"]["clusterArn"] == made["clusterArn"]
    found = ecs.describe_clusters(clusters=["one", made["clusterArn"], "none"], include=["SETTINGS"])
    assert [cluster["clusterName"] for cluster in found["clusters"]] == ["one", "one"]
    assert found["clusters"][0]["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    assert found["failures"] == [{"arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/none", "reason": "MISSING"}]


def test_revisions_count_up_and_the_latest_active_one_answers_for_the_family(ecs: Any) -> None:
    first = ecs.register_task_definition(**FARGATE)["taskDefinition"]
    second = ecs.register_task_definition(**FARGATE)["taskDefinition"]
    assert second["revision"] == first["revision"] + 1
    assert ecs.describe_task_definition(taskDefinition="web")["taskDefinition"]["revision"] == second["revision"]
    ecs.deregister_task_definition(taskDefinition=second["taskDefinitionArn"])
    assert ecs.describe_task_definition(taskDefinition="web")["taskDefinition"]["revision"] == first["revision"]
    listed = ecs.list_task_definitions(familyPrefix="web", status="INACTIVE")["taskDefinitionArns"]
    assert second["taskDefinitionArn"] in listed


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"cpu": "256", "memory": "300"}, "ClientException"),
        ({"networkMode": "bridge"}, "ClientException"),
        ({"containerDefinitions": []}, "ClientException"),
        ({"family": "no spaces"}, "ClientException"),
        ({"containerDefinitions": [{**CONTAINER, "name": "a/b"}]}, "ClientException"),
        ({"containerDefinitions": [CONTAINER, CONTAINER]}, "ClientException"),
        ({"containerDefinitions": [{**CONTAINER, "environment": [{"value": "x"}]}]}, "ClientException"),
        ({"cpu": "lots"}, "ClientException"),
    ],
)
def test_a_task_definition_that_fargate_refuses_is_refused(ecs: Any, change: dict[str, Any], code: str) -> None:
    assert code_of(ecs.register_task_definition, **{**FARGATE, **change}) == code


def test_names_that_do_not_exist_answer_with_ecs_codes(ecs: Any) -> None:
    ecs.create_cluster(clusterName="one")
    assert code_of(ecs.describe_services, cluster="none", services=["x"]) == "ClusterNotFoundException"
    assert code_of(ecs.update_service, cluster="one", service="none") == "ServiceNotFoundException"
    assert code_of(ecs.describe_task_definition, taskDefinition="none") == "ClientException"
    assert code_of(ecs.stop_task, cluster="one", task="none") == "InvalidParameterException"
    assert ecs.describe_services(cluster="one", services=["x"])["failures"][0]["reason"] == "MISSING"


def test_a_service_keeps_what_was_asked_and_a_change_of_image_is_a_deployment(ecs: Any, subnets: list[str]) -> None:
    ecs.create_cluster(clusterName="two")
    ecs.register_task_definition(**FARGATE)
    made = ecs.create_service(
        cluster="two",
        serviceName="web",
        taskDefinition="web",
        desiredCount=2,
        launchType="FARGATE",
        enableExecuteCommand=True,
        deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets}},
        tags=[{"key": "a", "value": "b"}],
    )["service"]
    assert made["deploymentConfiguration"]["maximumPercent"] == 200
    assert made["deploymentConfiguration"]["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert (made["desiredCount"], made["runningCount"], made["pendingCount"]) == (2, 0, 0)
    same = ecs.update_service(cluster="two", service="web", desiredCount=3)["service"]
    assert len(same["deployments"]) == 1
    assert same["deployments"][0]["desiredCount"] == 3
    newer = ecs.register_task_definition(**FARGATE)["taskDefinition"]["taskDefinitionArn"]
    rolled = ecs.update_service(cluster="two", service="web", taskDefinition=newer)["service"]
    assert [(d["status"], d["rolloutState"]) for d in rolled["deployments"]] == [
        ("PRIMARY", "IN_PROGRESS"),
        ("ACTIVE", "IN_PROGRESS"),
    ]
    assert ecs.list_tags_for_resource(resourceArn=made["serviceArn"])["tags"] == [{"key": "a", "value": "b"}]
    assert code_of(ecs.delete_cluster, cluster="two") == "ClusterContainsServicesException"
    assert code_of(ecs.delete_service, cluster="two", service="web") == "InvalidParameterException"


def test_sizes_may_be_given_in_vcpu_and_gb(ecs: Any) -> None:
    made = ecs.register_task_definition(**{**FARGATE, "cpu": "1 vCPU", "memory": "2 GB"})["taskDefinition"]
    assert (made["cpu"], made["memory"]) == ("1024", "2048")
    made = ecs.register_task_definition(**{**FARGATE, "cpu": ".25 vcpu", "memory": "0.5GB"})["taskDefinition"]
    assert (made["cpu"], made["memory"]) == ("256", "512")


@pytest.fixture
def service(ecs: Any, subnets: list[str]) -> dict[str, Any]:
    ecs.create_cluster(clusterName="checks")
    ecs.register_task_definition(**FARGATE)
    network = {"awsvpcConfiguration": {"subnets": subnets}}
    return {"cluster": "checks", "serviceName": "web", "taskDefinition": "web", "networkConfiguration": network}


@pytest.mark.parametrize(
    "change",
    [
        {"desiredCount": -1},
        {"desiredCount": 10**9},
        {"deploymentConfiguration": {"maximumPercent": 99}},
        {"deploymentConfiguration": {"minimumHealthyPercent": -1}},
        {"serviceName": "no spaces"},
        {"networkConfiguration": {}},
    ],
)
def test_settings_that_no_service_can_have_are_refused(
    ecs: Any, service: dict[str, Any], change: dict[str, Any]
) -> None:
    assert code_of(ecs.create_service, **{**service, **change}) == "InvalidParameterException"


def test_names_and_tokens_that_ecs_does_not_take_are_refused(ecs: Any) -> None:
    assert code_of(ecs.create_cluster, clusterName="no spaces") == "InvalidParameterException"
    for garbage in ({"nextToken": "garbage"}, {"nextToken": "999999"}, {"maxResults": 0}, {"maxResults": 101}):
        assert code_of(ecs.list_clusters, **garbage) == "InvalidParameterException"


def test_load_balancers_are_checked_against_target_groups_and_the_task_definition(
    api: Served, ecs: Any, service: dict[str, Any]
) -> None:
    group = "arn:aws:elasticloadbalancing:us-west-2:112530848482:targetgroup/web/1"
    good = {"targetGroupArn": group, "containerName": "app", "containerPort": 8080}

    def refused(**change: Any) -> str:
        entry = {key: value for key, value in {**good, **change}.items() if value is not None}
        with pytest.raises(ClientError) as caught:
            ecs.create_service(**service, loadBalancers=[entry])
        assert caught.value.response["Error"]["Code"] == "InvalidParameterException"
        return str(caught.value.response["Error"]["Message"])

    assert refused() == f"The target group with targetGroupArn {group} does not exist."
    _keep(api, group, used=False)
    assert refused() == f"The target group with targetGroupArn {group} does not have an associated load balancer."
    assert refused(containerName="none") == "The container none does not exist in the task definition."
    assert refused(containerPort=1) == "The container app did not have a container port 1 defined."
    assert refused(containerName=None) == "Container Name can not be blank."
    assert refused(containerPort=None) == "Container Port can not be blank."
    assert refused(targetGroupArn=None) == "Target Group ARN can not be blank."
    _keep(api, group, used=True)
    made = ecs.create_service(**{**service, "serviceName": "balanced"}, loadBalancers=[good])["service"]
    assert made["loadBalancers"] == [good]


def _keep(api: Served, group: str, *, used: bool) -> None:
    """Keep the rows that Elastic Load Balancing keeps of a target group, and of a listener that uses it."""

    def put() -> None:
        row = TargetGroup(group, "web", "vpc-1", 8080, "HTTP", "HTTP1", "ip", "ipv4", HealthCheck(), {})
        api.tables.target_groups.put(REGION, group, row)
        if used:
            rule = Rule("rule", "listener", None, (), Action(forward=(WeightedTargetGroup(group),)))
            api.tables.rules.put(REGION, rule.arn, rule)

    asyncio.run(api.engine.run(put))


def test_the_same_service_created_again_is_the_one_that_is_there(ecs: Any, service: dict[str, Any]) -> None:
    wanted = {**service, "serviceName": "twice", "desiredCount": 1}
    first = ecs.create_service(**wanted)["service"]
    again = ecs.create_service(**wanted)["service"]
    assert again["deployments"][0]["id"] == first["deployments"][0]["id"]
    assert code_of(ecs.create_service, **{**wanted, "desiredCount": 2}) == "InvalidParameterException"
    ecs.delete_service(cluster="checks", service="twice", force=True)
    assert code_of(ecs.create_service, **wanted) == "InvalidParameterException"


def test_an_inactive_revision_is_neither_run_nor_deployed(ecs: Any, service: dict[str, Any]) -> None:
    gone = ecs.register_task_definition(**FARGATE)["taskDefinition"]["taskDefinitionArn"]
    ecs.create_service(**{**service, "serviceName": "inactive"})
    ecs.deregister_task_definition(taskDefinition=gone)
    wanted = {"cluster": "checks", "taskDefinition": gone}
    update = {**wanted, "taskDefinition": _newer_inactive(ecs), "service": "inactive"}
    run = {**wanted, "networkConfiguration": service["networkConfiguration"]}
    for call, arguments in (
        (ecs.create_service, {**service, "serviceName": "other", "taskDefinition": gone}),
        (ecs.update_service, update),
        (ecs.run_task, run),
    ):
        with pytest.raises(ClientError, match="TaskDefinition is inactive") as caught:
            call(**arguments)
        assert caught.value.response["Error"]["Code"] == "ClientException"
    assert ecs.update_service(cluster="checks", service="inactive", forceNewDeployment=True)


def _newer_inactive(ecs: Any) -> str:
    arn = str(ecs.register_task_definition(**FARGATE)["taskDefinition"]["taskDefinitionArn"])
    ecs.deregister_task_definition(taskDefinition=arn)
    return arn


def test_run_task_makes_tasks_that_describe_and_list_find(ecs: Any, service: dict[str, Any]) -> None:
    wanted = {key: service[key] for key in ("cluster", "taskDefinition", "networkConfiguration")}
    override = {"containerOverrides": [{"name": "app", "environment": [{"name": "A", "value": "b"}]}]}
    ran = ecs.run_task(**wanted, count=2, startedBy="me", overrides=override, tags=[{"key": "a", "value": "b"}])
    assert ran["failures"] == []
    assert [task["lastStatus"] for task in ran["tasks"]] == ["PROVISIONING"] * 2
    assert {task["group"] for task in ran["tasks"]} == {"family:web"}
    assert len({task["availabilityZone"] for task in ran["tasks"]}) == 2
    arns = {task["taskArn"] for task in ran["tasks"]}
    assert set(ecs.list_tasks(cluster="checks", startedBy="me")["taskArns"]) == arns
    found = ecs.describe_tasks(cluster="checks", tasks=[*arns, "none"], include=["TAGS"])
    assert {task["taskArn"] for task in found["tasks"]} == arns
    assert found["tasks"][0]["tags"] == [{"key": "a", "value": "b"}]
    assert found["failures"][0]["reason"] == "MISSING"
    stopped = ecs.stop_task(cluster="checks", task=arns.pop(), reason="enough")["task"]
    assert (stopped["desiredStatus"], stopped["stopCode"], stopped["stoppedReason"]) == (
        "STOPPED",
        "UserInitiated",
        "enough",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"count": 0},
        {"count": 11},
        {"group": "service:web"},
        {"networkConfiguration": {}},
        {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0"]}}},
        {"overrides": {"containerOverrides": [{"name": "none"}]}},
    ],
)
def test_a_task_that_cannot_be_run_is_refused(ecs: Any, service: dict[str, Any], change: dict[str, Any]) -> None:
    wanted = {key: service[key] for key in ("cluster", "taskDefinition", "networkConfiguration")}
    assert code_of(ecs.run_task, **{**wanted, **change}) == "InvalidParameterException"


def test_capacity_providers_are_kept(ecs: Any) -> None:
    ecs.create_cluster(clusterName="providers")
    strategy = [{"capacityProvider": "FARGATE", "weight": 1, "base": 0}]
    arguments = {"capacityProviders": ["FARGATE", "FARGATE_SPOT"], "defaultCapacityProviderStrategy": strategy}
    ecs.put_cluster_capacity_providers(cluster="providers", **arguments)
    found = ecs.describe_clusters(clusters=["providers"])["clusters"][0]
    assert {key: found[key] for key in arguments} == arguments
    assert code_of(ecs.put_cluster_capacity_providers, cluster="none", **arguments) == "ClusterNotFoundException"


def test_the_long_arn_formats_are_on(ecs: Any) -> None:
    settings = {item["name"]: item["value"] for item in ecs.list_account_settings()["settings"]}
    assert settings["serviceLongArnFormat"] == "enabled"
    assert len(ecs.list_account_settings(name="taskLongArnFormat")["settings"]) == 1


def test_there_are_no_container_instances(ecs: Any) -> None:
    ecs.create_cluster(clusterName="one")
    assert ecs.list_container_instances(cluster="one")["containerInstanceArns"] == []
    assert code_of(ecs.list_container_instances, cluster="none") == "ClusterNotFoundException"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"secrets": [SECRET], "image": "app"}, "When you are specifying container secrets, you must also specify a "),
        ({}, "Fargate requires task definition to have execution role ARN to support ECR images."),
        (
            {"image": "app", "logConfiguration": AWSLOGS},
            "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
        ),
    ],
)
def test_what_needs_an_execution_role_is_not_registered_without_one(ecs: Any, change: Any, message: str) -> None:
    image = f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com/app:v1"
    given = {**FARGATE, "family": "roleless", "containerDefinitions": [{**CONTAINER, "image": image, **change}]}
    del given["executionRoleArn"]
    with pytest.raises(ClientError) as caught:
        ecs.register_task_definition(**given)
    assert caught.value.response["Error"]["Code"] == "ClientException"
    assert message in caught.value.response["Error"]["Message"]


def test_families_are_listed_by_whether_they_have_an_active_revision(ecs: Any) -> None:
    for family in ("kin-active", "kin-gone"):
        made = ecs.register_task_definition(**{**FARGATE, "family": family})["taskDefinition"]["taskDefinitionArn"]
    ecs.deregister_task_definition(taskDefinition=made)
    for status, families in (
        ("ACTIVE", ["kin-active"]),
        ("INACTIVE", ["kin-gone"]),
        ("ALL", ["kin-active", "kin-gone"]),
    ):
        assert ecs.list_task_definition_families(familyPrefix="kin-", status=status)["families"] == families


def test_a_service_in_a_subnet_that_does_not_exist_is_refused(ecs: Any) -> None:
    ecs.create_cluster(clusterName="one")
    ecs.register_task_definition(**FARGATE)
    network = {"awsvpcConfiguration": {"subnets": ["subnet-0"]}}
    arguments = {"cluster": "one", "serviceName": "x", "taskDefinition": "web", "networkConfiguration": network}
    assert code_of(ecs.create_service, **arguments) == "InvalidParameterException"


def test_lists_page(ecs: Any) -> None:
    for number in range(3):
        ecs.create_cluster(clusterName=f"page-{number}")
    pages = list(ecs.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 2}))
    arns = [arn for page in pages for arn in page["clusterArns"]]
    assert len(pages) > 1
    assert len(arns) == len(set(arns))


def test_an_operation_that_is_not_offered_says_so(ecs: Any) -> None:
    assert code_of(ecs.create_capacity_provider, name="x", autoScalingGroupProvider={"autoScalingGroupArn": "a"}) == (
        "UnsupportedOperation"
    )


def test_the_key_is_that_of_the_local_user(api: Served) -> None:
    assert api.client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/miyabi-local"


def test_strangers_are_refused(api: Served) -> None:
    wrong = api.client("ecs", aws_secret_access_key="other")
    assert code_of(wrong.list_clusters) == "SignatureDoesNotMatch"
    unknown = api.client("ecs", aws_access_key_id="AKIAOTHER")
    assert code_of(unknown.list_clusters) == "InvalidClientTokenId"
    for headers in ({}, {"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        request = urllib.request.Request(f"{api.instance.endpoint}/moto-api/reset", method="POST", headers=headers)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=5)
        assert caught.value.code == 403
        caught.value.close()
