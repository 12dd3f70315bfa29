"""How an environment stands: cluster, service, tasks, load balancer, targets, image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from miyabi.aws.clients import Cloud
from miyabi.aws.errors import translated
from miyabi.model.errors import NotFound

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import ContainerTypeDef, ServiceTypeDef, TaskTypeDef

T = TypeVar("T")

_EVENTS = 5


class EnvironmentNames(Protocol):
    """What the environment calls its parts."""

    @property
    def cluster(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def container(self) -> str: ...
    @property
    def log_group(self) -> str: ...
    @property
    def load_balancer(self) -> str: ...
    @property
    def target_group(self) -> str: ...
    @property
    def image_parameter(self) -> str: ...


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """An ECS cluster."""

    name: str
    status: str


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """A rollout of the service; the first one listed is the PRIMARY."""

    id: str
    status: str
    task_definition: str
    """`family:revision`."""
    rollout_state: str | None
    rollout_state_reason: str | None
    desired_count: int
    running_count: int
    pending_count: int
    failed: int
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """What ECS says it did."""

    at: datetime | None
    message: str


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """An ECS service and its latest events, newest first."""

    name: str
    status: str
    desired_count: int
    running_count: int
    pending_count: int
    deployments: tuple[DeploymentStatus, ...]
    events: tuple[ServiceEvent, ...]


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """A task that is not stopped."""

    id: str
    zone: str | None
    status: str
    address: str | None
    image: str | None
    image_digest: str | None
    task_definition: str
    created_at: datetime | None
    started_at: datetime | None
    health: str | None
    """As the target group sees it: initial, healthy, unhealthy, draining; None where it is not registered."""


@dataclass(frozen=True, slots=True)
class LoadBalancerStatus:
    """An Application Load Balancer."""

    name: str
    arn: str
    dns_name: str
    state: str
    """provisioning, active, active_impaired, failed."""
    reason: str | None = None
    """Why it is not active."""

    def complaint(self) -> str:
        """Say in one line that it is not active, and why."""
        return f"load balancer '{self.name}' is {self.state}: {self.reason or 'no reason is given'}"

    def mend(self) -> str:
        """Say what to do about it."""
        if self.reason and "taken by another" in self.reason:
            return "End that program (ss -ltnp shows it): the load balancer then takes the port by itself."
        return f"Mend what the reason names; `miyabi status` shows when it is active: http://{self.dns_name}"


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """A registered target, and why it is not healthy."""

    id: str
    port: int
    health: str
    reason: str | None
    description: str | None


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """What answered, and what is missing of what the environment names."""

    cluster: ClusterStatus | None
    service: ServiceStatus | None
    tasks: tuple[TaskStatus, ...]
    load_balancer: LoadBalancerStatus | None
    target_group: str | None
    """ARN."""
    targets: tuple[TargetStatus, ...]
    image: str | None
    """What the image parameter holds."""
    missing: tuple[str, ...]

    @property
    def healthy_targets(self) -> int:
        """How many targets are healthy."""
        return sum(target.health == "healthy" for target in self.targets)


def describe_environment(cloud: Cloud, names: EnvironmentNames) -> EnvironmentStatus:
    """Describe the environment; what does not exist is listed as missing.

    Raises Denied without credentials or permission, Unavailable where nothing answers.
    """
    missing: list[str] = []

    def found(what: str, describe: Callable[[], T | None]) -> T | None:
        try:
            with translated(f"describing {what} in {cloud.region}"):
                answer = describe()
        except NotFound:
            answer = None
        if answer is None:
            missing.append(what)
        return answer

    cluster = found(f"cluster '{names.cluster}'", lambda: _cluster(cloud, names))
    service: ServiceStatus | None = None
    if cluster is not None:
        service = found(f"service '{names.service}'", lambda: describe_service(cloud, names))
    balancer = found(f"load balancer '{names.load_balancer}'", lambda: describe_load_balancer(cloud, names))
    group = found(f"target group '{names.target_group}'", lambda: _target_group(cloud, names))
    targets: tuple[TargetStatus, ...] = ()
    if group is not None:
        targets = found("its targets", lambda: describe_targets(cloud, group)) or ()
    tasks: tuple[TaskStatus, ...] = ()
    if service is not None:
        health = {target.id: target.health for target in targets}
        tasks = found("its tasks", lambda: _tasks(cloud, names, health)) or ()
    image = found(f"parameter '{names.image_parameter}'", lambda: _image(cloud, names))
    return EnvironmentStatus(cluster, service, tasks, balancer, group, targets, image, tuple(missing))


def describe_service(cloud: Cloud, names: EnvironmentNames) -> ServiceStatus | None:
    """Describe the service; None where there is none, or only a deleted one."""
    answer = cloud.client("ecs").describe_services(cluster=names.cluster, services=[names.service])
    for service in answer["services"]:
        if service["status"] != "INACTIVE":
            return service_status(service)
    return None


def task_pages(cloud: Cloud, names: EnvironmentNames, status: str) -> Iterator[Sequence[TaskTypeDef]]:
    """Yield the service's tasks whose desired status is RUNNING or STOPPED, up to 100 at a time."""
    ecs = cloud.client("ecs")
    pages = ecs.get_paginator("list_tasks").paginate(
        cluster=names.cluster,
        serviceName=names.service,
        desiredStatus="STOPPED" if status == "STOPPED" else "RUNNING",
    )
    for page in pages:
        if page["taskArns"]:
            yield ecs.describe_tasks(cluster=names.cluster, tasks=page["taskArns"])["tasks"]


def _cluster(cloud: Cloud, names: EnvironmentNames) -> ClusterStatus | None:
    answer = cloud.client("ecs").describe_clusters(clusters=[names.cluster])
    for cluster in answer["clusters"]:
        if cluster["status"] != "INACTIVE":
            return ClusterStatus(cluster["clusterName"], cluster["status"])
    return None


def service_status(service: ServiceTypeDef, *, events: int = _EVENTS) -> ServiceStatus:
    """Return what ECS answered about a service, with its latest events."""
    deployments = sorted(service.get("deployments", []), key=lambda one: one["status"] != "PRIMARY")
    return ServiceStatus(
        name=service["serviceName"],
        status=service["status"],
        desired_count=service["desiredCount"],
        running_count=service["runningCount"],
        pending_count=service["pendingCount"],
        deployments=tuple(
            DeploymentStatus(
                id=one["id"],
                status=one["status"],
                task_definition=last_part(one["taskDefinition"]),
                rollout_state=one.get("rolloutState"),
                rollout_state_reason=one.get("rolloutStateReason"),
                desired_count=one.get("desiredCount", 0),
                running_count=one.get("runningCount", 0),
                pending_count=one.get("pendingCount", 0),
                failed=one.get("failedTasks", 0),
                created_at=one.get("createdAt"),
            )
            for one in deployments
        ),
        events=tuple(
            ServiceEvent(event.get("createdAt"), event["message"]) for event in service.get("events", [])[:events]
        ),
    )


def _tasks(cloud: Cloud, names: EnvironmentNames, health: dict[str, str]) -> tuple[TaskStatus, ...]:
    tasks = [_task(task, names, health) for page in task_pages(cloud, names, "RUNNING") for task in page]
    return tuple(sorted(tasks, key=lambda task: (task.zone or "", task.id)))


def _task(task: TaskTypeDef, names: EnvironmentNames, health: dict[str, str]) -> TaskStatus:
    container = _container(task, names.container)
    address = address_of(task)
    return TaskStatus(
        id=last_part(task["taskArn"]),
        zone=task.get("availabilityZone"),
        status=task["lastStatus"],
        address=address,
        image=container.get("image"),
        image_digest=container.get("imageDigest"),
        task_definition=last_part(task["taskDefinitionArn"]),
        created_at=task.get("createdAt"),
        started_at=task.get("startedAt"),
        health=health.get(address) if address else None,
    )


def _container(task: TaskTypeDef, name: str) -> ContainerTypeDef:
    containers = task.get("containers", [])
    named = [container for container in containers if container.get("name") == name]
    return (named or containers or [{}])[0]


def address_of(task: TaskTypeDef) -> str | None:
    """Return the private address of the task's network interface."""
    for attachment in task.get("attachments", []):
        for detail in attachment.get("details", []):
            if detail.get("name") == "privateIPv4Address":
                return detail.get("value")
    return None


def last_part(arn: str) -> str:
    """Return what follows the last slash: a task's id, `family:revision`."""
    return arn.rsplit("/", 1)[-1]


def describe_load_balancer(cloud: Cloud, names: EnvironmentNames) -> LoadBalancerStatus | None:
    """Describe the load balancer."""
    for balancer in cloud.client("elbv2").describe_load_balancers(Names=[names.load_balancer])["LoadBalancers"]:
        return LoadBalancerStatus(
            name=balancer["LoadBalancerName"],
            arn=balancer["LoadBalancerArn"],
            dns_name=balancer["DNSName"],
            state=balancer["State"]["Code"],
            reason=balancer["State"].get("Reason"),
        )
    return None


def _target_group(cloud: Cloud, names: EnvironmentNames) -> str | None:
    for group in cloud.client("elbv2").describe_target_groups(Names=[names.target_group])["TargetGroups"]:
        return group["TargetGroupArn"]
    return None


def describe_targets(cloud: Cloud, target_group: str) -> tuple[TargetStatus, ...]:
    """Describe the targets of a target group, by its ARN."""
    answer = cloud.client("elbv2").describe_target_health(TargetGroupArn=target_group)
    targets = [
        TargetStatus(
            id=one["Target"]["Id"],
            port=one["Target"].get("Port", 0),
            health=one["TargetHealth"]["State"],
            reason=one["TargetHealth"].get("Reason"),
            description=one["TargetHealth"].get("Description"),
        )
        for one in answer["TargetHealthDescriptions"]
    ]
    return tuple(sorted(targets, key=lambda target: (target.id, target.port)))


def _image(cloud: Cloud, names: EnvironmentNames) -> str | None:
    return cloud.client("ssm").get_parameter(Name=names.image_parameter)["Parameter"].get("Value")
