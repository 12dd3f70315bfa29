"""The service as ECS describes it: what every operation on it looks at first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from miyabi.aws.errors import translated
from miyabi.model.errors import NotFound
from miyabi.operations.execution.run import Run
from miyabi.operations.status import ServiceStatus, service_status

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import ServiceTypeDef


@dataclass(frozen=True, slots=True)
class FoundService:
    """A service that exists."""

    arn: str
    status: ServiceStatus
    target_groups: tuple[str, ...]
    """ARNs."""
    task_definition: str
    """ARN of the PRIMARY deployment's."""
    tags: Mapping[str, str]

    @property
    def deploying(self) -> bool:
        """Whether a deployment is under way. One that failed without a way back is not: it has stalled."""
        deployments = self.status.deployments
        if any(one.rollout_state == "IN_PROGRESS" for one in deployments):
            return True
        return len(deployments) > 1 and deployments[0].rollout_state != "FAILED"

    @property
    def running_task_definition(self) -> str:
        """ARN or `family:revision` of what serves: of the PRIMARY deployment, or of the one behind it if it failed."""
        for one in self.status.deployments:
            if one.rollout_state != "FAILED":
                return one.task_definition
        return self.task_definition


def find_service(run: Run, *, events: int = 5) -> FoundService:
    """Describe the environment's service, with its tags. Raises NotFound, also for one that was deleted."""
    names = run.environment
    with translated(f"describing service '{names.service}' in cluster '{names.cluster}'"):
        answer = run.cloud.client("ecs").describe_services(
            cluster=names.cluster, services=[names.service], include=["TAGS"]
        )
    for service in answer["services"]:
        if service["status"] != "INACTIVE":
            return _found(service, events)
    raise NotFound(
        f"service '{names.service}' not found in cluster '{names.cluster}', {run.cloud.region}",
        hint="`miyabi up` makes it; `service` and `cluster` in miyabi.toml name another.",
    )


def _found(service: ServiceTypeDef, events: int) -> FoundService:
    groups = [one["targetGroupArn"] for one in service.get("loadBalancers", []) if "targetGroupArn" in one]
    return FoundService(
        arn=service["serviceArn"],
        status=service_status(service, events=events),
        target_groups=tuple(groups),
        task_definition=service["taskDefinition"],
        tags={tag["key"]: tag.get("value", "") for tag in service.get("tags", []) if "key" in tag},
    )
