"""ECS's operations as boto3 sees them: shapes, errors, paging."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

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
    "containerDefinitions": [CONTAINER],
}


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
