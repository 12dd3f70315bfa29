"""Describing a service that something else made, so that an environment file can name its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from miyabi.aws.clients import Cloud
from miyabi.aws.errors import translated
from miyabi.aws.identity import caller_identity
from miyabi.model.errors import InvalidInput, NotFound
from miyabi.operations.status import last_part

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import ContainerDefinitionOutputTypeDef, ServiceTypeDef


@dataclass(frozen=True, slots=True)
class ExistingService:
    """A service and the names of what belongs to it; None where it has no such part."""

    account: str
    region: str
    cluster: str
    service: str
    task_family: str
    container: str | None
    container_port: int | None
    image: str | None
    repository: str | None
    """The ECR repository, where the image comes from one."""
    log_group: str | None
    target_group: str | None
    health_path: str | None
    load_balancer: str | None


def describe_existing(cloud: Cloud, cluster: str | None = None, service: str | None = None) -> ExistingService:
    """Describe a service by AWS's API. Without names there must be just one to choose.

    Raises InvalidInput listing the candidates when there are several, NotFound when there is none.
    """
    identity = caller_identity(cloud)
    cluster = cluster or _only("cluster", _clusters(cloud), f"in {cloud.region}", "--cluster")
    service = service or _only("service", _services(cloud, cluster), f"in cluster '{cluster}'", "--service")
    with translated(f"describing service '{service}' in cluster '{cluster}'"):
        found = _service(cloud, cluster, service)
        container = _container(cloud, found)
        target_group, health_path, load_balancer = _load_balancing(cloud, found)
    image = container.get("image")
    balanced = [one for one in found.get("loadBalancers", []) if one.get("containerPort")]
    return ExistingService(
        account=identity.account,
        region=cloud.region,
        cluster=last_part(cluster),
        service=last_part(service),
        task_family=last_part(found["taskDefinition"]).rsplit(":", 1)[0],
        container=container.get("name"),
        container_port=balanced[0].get("containerPort") if balanced else None,
        image=image,
        repository=repository_of(image),
        log_group=container.get("logConfiguration", {}).get("options", {}).get("awslogs-group"),
        target_group=target_group,
        health_path=health_path,
        load_balancer=load_balancer,
    )


def repository_of(image: str | None) -> str | None:
    """Return the repository of an ECR image URI, None for an image from elsewhere."""
    registry, _, path = (image or "").partition("/")
    if ".dkr.ecr." not in registry or not path:
        return None
    return path.split("@", 1)[0].rsplit(":", 1)[0]


def _clusters(cloud: Cloud) -> list[str]:
    with translated(f"listing the clusters in {cloud.region}"):
        pages = cloud.client("ecs").get_paginator("list_clusters").paginate()
        return [last_part(arn) for page in pages for arn in page["clusterArns"]]


def _services(cloud: Cloud, cluster: str) -> list[str]:
    with translated(f"listing the services of cluster '{cluster}'"):
        pages = cloud.client("ecs").get_paginator("list_services").paginate(cluster=cluster)
        return [last_part(arn) for page in pages for arn in page["serviceArns"]]


def _only(kind: str, candidates: Sequence[str], where: str, option: str) -> str:
    if not candidates:
        raise NotFound(f"no {kind} {where}", hint="check the region and the profile")
    if len(candidates) > 1:
        names = ", ".join(sorted(candidates))
        raise InvalidInput(f"{len(candidates)} {kind}s {where}: {names}", hint=f"choose one with {option}")
    return candidates[0]


def _service(cloud: Cloud, cluster: str, service: str) -> ServiceTypeDef:
    answer = cloud.client("ecs").describe_services(cluster=cluster, services=[service])
    for found in answer["services"]:
        if found["status"] != "INACTIVE":
            return found
    others = ", ".join(sorted(_services(cloud, cluster)))
    raise NotFound(
        f"service '{service}' not found in cluster '{cluster}'",
        hint=f"its services: {others}" if others else "the cluster has no service",
    )


def _container(cloud: Cloud, service: ServiceTypeDef) -> ContainerDefinitionOutputTypeDef:
    """Return the container behind the load balancer, else the first essential one."""
    definition = cloud.client("ecs").describe_task_definition(taskDefinition=service["taskDefinition"])
    containers = definition["taskDefinition"].get("containerDefinitions", [])
    balanced = {one.get("containerName") for one in service.get("loadBalancers", [])}
    for container in containers:
        if container.get("name") in balanced:
            return container
    essential = [container for container in containers if container.get("essential", True)]
    return (essential or containers or [{}])[0]


def _load_balancing(cloud: Cloud, service: ServiceTypeDef) -> tuple[str | None, str | None, str | None]:
    """Return target group, health-check path and load balancer."""
    arns = [one["targetGroupArn"] for one in service.get("loadBalancers", []) if "targetGroupArn" in one]
    if not arns:
        return None, None, None
    elb = cloud.client("elbv2")
    group = elb.describe_target_groups(TargetGroupArns=arns[:1])["TargetGroups"][0]
    balancers = group.get("LoadBalancerArns", [])
    name = None
    if balancers:
        found = elb.describe_load_balancers(LoadBalancerArns=balancers[:1])["LoadBalancers"]
        name = found[0]["LoadBalancerName"]
    return group["TargetGroupName"], group.get("HealthCheckPath"), name
