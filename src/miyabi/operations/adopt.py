"""What exists already although Terraform's state does not know it: an apply that was killed leaves such things.

Finds a resource by its name, and says whether this environment's Terraform made it: its tags tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from miyabi.aws.clients import Cloud
from miyabi.aws.errors import translated
from miyabi.model.errors import Conflict, NotFound

_ADDRESS = re.compile(r"(?:^|\.)(aws_[a-z0-9_]+)\.[^.\[]+(?:\[.+\])?$")

Tags = dict[str, str]


@dataclass(frozen=True, slots=True)
class Adoptable:
    """A resource that may be taken into the state, and the id by which Terraform imports it."""

    address: str
    id: str


@dataclass(frozen=True, slots=True)
class _Found:
    id: str
    tags: Tags


def find_adoptable(cloud: Cloud, address: str, name: str, *, tags: Mapping[str, str], cluster: str) -> Adoptable:
    """Return what to import for a resource that exists already. Changes nothing.

    address: the resource in Terraform, `module.load_balancer.aws_lb.this`.
    tags: what the environment's Terraform tags everything with.
    cluster: the one in which a service is looked for.
    Raises Conflict where it is of another kind than those known here, or does not carry the tags.
    """
    kind = _ADDRESS.search(address)
    look = _KINDS.get(kind[1]) if kind else None
    if look is None:
        raise Conflict(
            f"{address}: '{name}' exists already, but Terraform's state does not know it",
            hint=f"Take it over with `miyabi terraform import '{address}' <its id>`, or delete it; then try again.",
        )
    with translated(f"looking for '{name}' ({address})"):
        found = look(cloud, name, cluster)
    if found is None:
        raise NotFound(
            f"{address}: '{name}' was said to exist already, but it cannot be found", hint="Run the command again."
        )
    lacking = [f"{key}={value}" for key, value in tags.items() if found.tags.get(key) != value]
    if lacking:
        raise Conflict(
            f"{address}: '{name}' exists already and is not this environment's: it lacks the tag {', '.join(lacking)}",
            hint=f"Take it over with `miyabi terraform import '{address}' '{found.id}'`, delete it, or choose other "
            "names in miyabi.toml; then try again.",
        )
    return Adoptable(address, found.id)


def _load_balancer(cloud: Cloud, name: str, _cluster: str) -> _Found | None:
    elb = cloud.client("elbv2")
    for balancer in elb.describe_load_balancers(Names=[name])["LoadBalancers"]:
        return _Found(balancer["LoadBalancerArn"], _balancing_tags(cloud, balancer["LoadBalancerArn"]))
    return None


def _target_group(cloud: Cloud, name: str, _cluster: str) -> _Found | None:
    elb = cloud.client("elbv2")
    for group in elb.describe_target_groups(Names=[name])["TargetGroups"]:
        return _Found(group["TargetGroupArn"], _balancing_tags(cloud, group["TargetGroupArn"]))
    return None


def _balancing_tags(cloud: Cloud, arn: str) -> Tags:
    described = cloud.client("elbv2").describe_tags(ResourceArns=[arn])["TagDescriptions"]
    return {tag["Key"]: tag.get("Value", "") for one in described for tag in one["Tags"]}


def _role(cloud: Cloud, name: str, _cluster: str) -> _Found:
    role = cloud.client("iam").get_role(RoleName=name)["Role"]
    return _Found(name, {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])})


def _repository(cloud: Cloud, name: str, _cluster: str) -> _Found | None:
    ecr = cloud.client("ecr")
    for repository in ecr.describe_repositories(repositoryNames=[name])["repositories"]:
        tags = ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
        return _Found(name, {tag["Key"]: tag["Value"] for tag in tags})
    return None


def _log_group(cloud: Cloud, name: str, _cluster: str) -> _Found | None:
    logs = cloud.client("logs")
    for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name):
        for group in page["logGroups"]:
            if group["logGroupName"] == name:
                arn = group["arn"].removesuffix(":*")  # which is how the tags are filed
                return _Found(name, dict(logs.list_tags_for_resource(resourceArn=arn)["tags"]))
    return None


def _parameter(cloud: Cloud, name: str, _cluster: str) -> _Found:
    found = cloud.client("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId=name)
    return _Found(name, {tag["Key"]: tag["Value"] for tag in found.get("TagList", [])})


def _cluster(cloud: Cloud, name: str, _cluster: str) -> _Found | None:
    for cluster in cloud.client("ecs").describe_clusters(clusters=[name], include=["TAGS"])["clusters"]:
        if cluster["status"] != "INACTIVE":
            return _Found(name, _ecs_tags(cluster))
    return None


def _service(cloud: Cloud, name: str, cluster: str) -> _Found | None:
    answer = cloud.client("ecs").describe_services(cluster=cluster, services=[name], include=["TAGS"])
    for service in answer["services"]:
        if service["status"] != "INACTIVE":
            return _Found(f"{cluster}/{name}", _ecs_tags(service))
    return None


def _ecs_tags(described: Mapping[str, Any]) -> Tags:
    return {tag["key"]: tag["value"] for tag in described.get("tags", [])}


_KINDS: Mapping[str, Callable[[Cloud, str, str], _Found | None]] = {
    "aws_cloudwatch_log_group": _log_group,
    "aws_ecr_repository": _repository,
    "aws_ecs_cluster": _cluster,
    "aws_ecs_service": _service,
    "aws_iam_role": _role,
    "aws_lb": _load_balancer,
    "aws_lb_target_group": _target_group,
    "aws_ssm_parameter": _parameter,
}
