"""What ECS refuses to take for a service, in its words."""

from __future__ import annotations

from miyabi.localcloud.control.ecs.base import NAME, invalid
from miyabi.localcloud.control.ecs.tables import EcsTables
from miyabi.localcloud.control.service import ApiError, Params
from miyabi.model.ecs import TaskDefinition

_MOST_TASKS = 5000
"""ECS's quota of tasks in a service."""


def check_settings(params: Params) -> None:
    """Refuse counts and percentages that no service can have, and what the local cloud does not offer."""
    _refuse_unsupported(params)
    count = params.get("desiredCount")
    if count is not None and not 0 <= count <= _MOST_TASKS:
        raise invalid(f"desiredCount must be between 0 and {_MOST_TASKS}.")
    configuration = params.get("deploymentConfiguration") or {}
    if (configuration.get("minimumHealthyPercent") or 0) < 0:
        raise invalid("minimumHealthyPercent must be 0 or greater.")
    maximum = configuration.get("maximumPercent")
    if maximum is not None and maximum < 100:
        raise invalid("maximumPercent must be 100 or greater.")
    if (params.get("healthCheckGracePeriodSeconds") or 0) < 0:
        raise invalid("healthCheckGracePeriodSeconds must be 0 or greater.")


def check_name(name: str) -> None:
    """Refuse what is no service's name."""
    if not NAME.fullmatch(name):
        raise invalid("Service name must have 1 to 255 letters (uppercase and lowercase), numbers, _ and -.")


def check_active(definition: TaskDefinition) -> TaskDefinition:
    """Return the revision; refuse one that was deregistered."""
    if definition.status != "ACTIVE":
        raise ApiError("ClientException", "TaskDefinition is inactive")
    return definition


def check_load_balancers(
    tables: EcsTables, region: str, load_balancers: list[Params], definition: TaskDefinition
) -> None:
    """Refuse target groups, containers and ports that tasks could not be registered with."""
    containers = {entry["name"]: entry for entry in definition.definition["containerDefinitions"]}
    for entry in load_balancers:
        if entry.get("loadBalancerName"):
            raise ApiError("UnsupportedFeatureException", "The local cloud offers no Classic Load Balancers.")
        group, name, port = (entry.get(key) for key in ("targetGroupArn", "containerName", "containerPort"))
        if not group:
            raise invalid("Target Group ARN can not be blank.")
        if not name:
            raise invalid("Container Name can not be blank.")
        if not port:
            raise invalid("Container Port can not be blank.")
        if name not in containers:
            raise invalid(f"The container {name} does not exist in the task definition.")
        if port not in {mapping["containerPort"] for mapping in containers[name].get("portMappings") or []}:
            raise invalid(f"The container {name} did not have a container port {port} defined.")
        if tables.target_groups.get(region, group) is None:
            raise invalid(f"The target group with targetGroupArn {group} does not exist.")
        if not tables.has_listener(region, group):
            raise invalid(f"The target group with targetGroupArn {group} does not have an associated load balancer.")


def _refuse_unsupported(params: Params) -> None:
    controller = (params.get("deploymentController") or {}).get("type", "ECS")
    strategy = (params.get("deploymentConfiguration") or {}).get("strategy", "ROLLING")
    if controller != "ECS" or strategy != "ROLLING":
        raise ApiError("UnsupportedFeatureException", "The local cloud offers ECS's rolling deployments only.")
    if (params.get("launchType") or "FARGATE") != "FARGATE":
        raise ApiError("UnsupportedFeatureException", "The local cloud offers the launch type FARGATE only.")
    if (params.get("schedulingStrategy") or "REPLICA") != "REPLICA":
        raise ApiError("UnsupportedFeatureException", "The local cloud offers the REPLICA scheduling strategy only.")
    if params.get("serviceRegistries") or params.get("volumeConfigurations"):
        raise ApiError(
            "UnsupportedFeatureException", "The local cloud offers no service registries or managed volumes."
        )
    if (params.get("serviceConnectConfiguration") or {}).get("enabled"):
        raise ApiError("UnsupportedFeatureException", "The local cloud offers no Service Connect.")
