"""Adopting: only what carries this environment's tags, each kind under the id that Terraform imports it by."""

from __future__ import annotations

from typing import Any

import pytest

from miyabi.model.errors import Conflict
from miyabi.operations.adopt import find_adoptable
from tests.unit.operations.environment import ECS, ELB, GROUP, NOW
from tests.unit.operations.scripted_cloud import Answer, ScriptedCloud

TAGS = {"Project": "miyabi", "Environment": "dev", "ManagedBy": "terraform"}
ALB = f"{ELB}:loadbalancer/app/miyabi-alb-dev/1"
ECR = "arn:aws:ecr:us-west-2:112530848482:repository/miyabi-web-api"
LOGS = "arn:aws:logs:us-west-2:112530848482:log-group:/ecs/miyabi-dev"


def upper(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def lower(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def cloud(tags: dict[str, str]) -> ScriptedCloud:
    balancer = {"LoadBalancerArn": ALB, "LoadBalancerName": "miyabi-alb-dev"}
    role: dict[str, Any] = {"RoleName": "miyabi-role", "RoleId": "AROA" + "A" * 17, "Path": "/", "Arn": "a" * 20}
    answers: dict[str, Answer] = {
        "elbv2:DescribeLoadBalancers": lambda: {"LoadBalancers": [balancer]},
        "elbv2:DescribeTargetGroups": lambda: {"TargetGroups": [{"TargetGroupArn": GROUP}]},
        "elbv2:DescribeTags": lambda: {"TagDescriptions": [{"ResourceArn": "x", "Tags": upper(tags)}]},
        "iam:GetRole": lambda: {"Role": {**role, "CreateDate": NOW, "Tags": upper(tags)}},
        "ecr:DescribeRepositories": lambda: {"repositories": [{"repositoryArn": ECR}]},
        "ecr:ListTagsForResource": lambda: {"tags": upper(tags)},
        "logs:DescribeLogGroups": lambda: {
            "logGroups": [
                {"logGroupName": "/ecs/miyabi-dev-2", "arn": f"{LOGS}-2:*"},
                {"logGroupName": "/ecs/miyabi-dev", "arn": f"{LOGS}:*"},
            ]
        },
        "logs:ListTagsForResource": lambda: {"tags": tags},
        "ssm:ListTagsForResource": lambda: {"TagList": upper(tags)},
        "ecs:DescribeClusters": lambda: {
            "clusters": [{"clusterArn": f"{ECS}:cluster/miyabi-cluster-dev", "status": "ACTIVE", "tags": lower(tags)}]
        },
        "ecs:DescribeServices": lambda: {
            "services": [{"serviceName": "miyabi-service-dev", "status": "ACTIVE", "tags": lower(tags)}]
        },
    }
    return ScriptedCloud(answers)


CASES = [
    ("module.load_balancer.aws_lb.this", "miyabi-alb-dev", ALB),
    ("module.load_balancer.aws_lb_target_group.this", "miyabi-tg-dev", GROUP),
    ("aws_iam_role.task", "miyabi-role", "miyabi-role"),
    ("module.registry.aws_ecr_repository.this", "miyabi-web-api", "miyabi-web-api"),
    ('module.logs["a.b"].aws_cloudwatch_log_group.this', "/ecs/miyabi-dev", "/ecs/miyabi-dev"),
    ("module.service.aws_ssm_parameter.image[0]", "/miyabi/dev/image", "/miyabi/dev/image"),
    ("module.service.aws_ecs_cluster.this", "miyabi-cluster-dev", "miyabi-cluster-dev"),
    ('module.service.aws_ecs_service.this["a.b"]', "miyabi-service-dev", "miyabi-cluster-dev/miyabi-service-dev"),
]


@pytest.mark.parametrize(("address", "name", "id_"), CASES)
def test_what_carries_the_tags_is_adopted_by_its_id(address: str, name: str, id_: str) -> None:
    found = find_adoptable(cloud({**TAGS, "more": "of them"}), address, name, tags=TAGS, cluster="miyabi-cluster-dev")
    assert (found.address, found.id) == (address, id_)


@pytest.mark.parametrize(("address", "name", "id_"), CASES)
@pytest.mark.parametrize("tags", [{"Name": "x"}, {**TAGS, "Environment": "prod"}])
def test_what_is_somebody_elses_is_refused(address: str, name: str, id_: str, tags: dict[str, str]) -> None:
    with pytest.raises(Conflict, match=r"lacks the tag .*Environment=dev") as caught:
        find_adoptable(cloud(tags), address, name, tags=TAGS, cluster="miyabi-cluster-dev")
    assert name in caught.value.message
    assert f"miyabi terraform import '{address}' '{id_}'" in (caught.value.hint or "")


def test_another_kind_of_resource_is_left_to_the_user() -> None:
    with pytest.raises(Conflict, match="'x' exists already") as caught:
        find_adoptable(cloud(TAGS), "aws_s3_bucket.this", "x", tags=TAGS, cluster="c")
    assert "miyabi terraform import 'aws_s3_bucket.this'" in (caught.value.hint or "")
