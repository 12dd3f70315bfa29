"""ECS's operations on services."""

from __future__ import annotations

import dataclasses
import secrets

from miyabi.localcloud.control import network
from miyabi.localcloud.control.ecs.clusters import EcsPart, page, tags_in, tags_out
from miyabi.localcloud.control.ecs.tables import arn, last_part
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.model.ecs import Deployment, RolloutState, Service, Task, TaskStatus

_KEPT = (
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "schedulingStrategy",
    "propagateTags",
    "enableECSManagedTags",
    "availabilityZoneRebalancing",
    "placementConstraints",
    "placementStrategy",
    "launchType",
    "capacityProviderStrategy",
    "serviceRegistries",
)
_ROLLS_OUT = ("taskDefinition", "networkConfiguration", "loadBalancers", "platformVersion")
"""Fields whose change starts a deployment."""


class Services(EcsPart):
    """Create, describe, list, update and delete services."""

    def create_service(self, caller: Caller, params: Params) -> Result:
        """Create a service; its scheduler starts the tasks."""
        cluster = self.tables.cluster(caller.region, params.get("cluster"))
        name = params["serviceName"]
        found = self.tables.services.get(caller.region, f"{cluster.name}/{name}")
        if found is not None and found.status != "INACTIVE":
            raise ApiError("InvalidParameterException", "Creation of service was not idempotent.")
        _refuse_unsupported(params)
        definition = self.tables.definition(caller.region, params.get("taskDefinition") or "")
        network_configuration = params.get("networkConfiguration") or {}
        self._check_network(caller, network_configuration)
        row = Service(
            name=name,
            arn=arn(caller, f"service/{cluster.name}/{name}"),
            cluster_arn=cluster.arn,
            cluster_name=cluster.name,
            desired_count=params.get("desiredCount") or 0,
            created_at=caller.now,
            created_by=self.principal(caller),
            deployments=[],
            events=[],
            settings={
                "schedulingStrategy": "REPLICA",
                "launchType": "FARGATE",
                "availabilityZoneRebalancing": "DISABLED",
                "enableExecuteCommand": False,
                "enableECSManagedTags": False,
                "propagateTags": "NONE",
                "placementConstraints": [],
                "placementStrategy": [],
                "healthCheckGracePeriodSeconds": 0,
                **{key: params[key] for key in _KEPT if params.get(key) is not None},
                "deploymentConfiguration": _deployment_configuration({}, params),
                "deploymentController": params.get("deploymentController") or {"type": "ECS"},
            },
            tags=tags_in(params),
        )
        row = _deploy(
            row,
            caller,
            task_definition=definition.arn,
            network=network_configuration,
            load_balancers=params.get("loadBalancers") or [],
            platform_version=params.get("platformVersion") or "LATEST",
        )
        self.tables.put_service(caller.region, row)
        return {"service": self._service_shape(caller, row, ["TAGS"])}

    def update_service(self, caller: Caller, params: Params) -> Result:
        """Change a service; a change of what its tasks are starts a deployment."""
        row = self._active(caller, params)
        _refuse_unsupported(params)
        settings = {**row.settings, **{key: params[key] for key in _KEPT if params.get(key) is not None}}
        settings["deploymentConfiguration"] = _deployment_configuration(settings["deploymentConfiguration"], params)
        desired = row.desired_count if params.get("desiredCount") is None else params["desiredCount"]
        primary = dataclasses.replace(row.primary, desired_count=desired, updated_at=caller.now)
        row = dataclasses.replace(
            row,
            settings=settings,
            desired_count=desired,
            deployments=[primary, *row.deployments[1:]],
            steady=False,
        )
        if params.get("forceNewDeployment") or self._changes(caller, row, params):
            self._check_network(caller, params.get("networkConfiguration") or primary.network)
            reference = params.get("taskDefinition") or primary.task_definition
            row = _deploy(
                row,
                caller,
                task_definition=self.tables.definition(caller.region, reference).arn,
                network=params.get("networkConfiguration") or primary.network,
                load_balancers=primary.load_balancers
                if params.get("loadBalancers") is None
                else params["loadBalancers"],
                platform_version=params.get("platformVersion") or primary.platform_version,
            )
        self.tables.put_service(caller.region, row)
        return {"service": self._service_shape(caller, row, ["TAGS"])}

    def delete_service(self, caller: Caller, params: Params) -> Result:
        """Drain the service: its tasks stop, then it is INACTIVE."""
        row = self._active(caller, params)
        if row.desired_count and not params.get("force"):
            raise ApiError("InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
        primary = dataclasses.replace(row.primary, desired_count=0)
        row = dataclasses.replace(row, status="DRAINING", desired_count=0, deployments=[primary, *row.deployments[1:]])
        self.tables.put_service(caller.region, row)
        return {"service": self._service_shape(caller, row, [])}

    def describe_services(self, caller: Caller, params: Params) -> Result:
        """Describe the named services; unknown ones are `failures`."""
        cluster = self.tables.cluster(caller.region, params.get("cluster"))
        if len(params["services"]) > 10:
            raise ApiError("InvalidParameterException", "Services cannot have more than 10 elements.")
        services, failures = [], []
        for name in params["services"]:
            found = self.tables.services.get(caller.region, f"{cluster.name}/{last_part(name)}")
            if found is None:
                missing = arn(caller, f"service/{cluster.name}/{last_part(name)}")
                failures.append({"arn": missing, "reason": "MISSING"})
            else:
                services.append(self._service_shape(caller, found, params.get("include") or []))
        return {"services": services, "failures": failures}

    def list_services(self, caller: Caller, params: Params) -> Result:
        """List the ARNs of a cluster's active services."""
        cluster = self.tables.cluster(caller.region, params.get("cluster"))
        rows = self.tables.services.list(caller.region, prefix=f"{cluster.name}/")
        arns, token = page([row.arn for row in rows if row.status != "INACTIVE"], params, size=100)
        return {"serviceArns": arns, **({"nextToken": token} if token else {})}

    def _active(self, caller: Caller, params: Params) -> Service:
        row = self.tables.service(caller.region, params.get("cluster"), params["service"])
        if row.status == "INACTIVE":
            raise ApiError("ServiceNotFoundException", "Service not found.")
        if row.status == "DRAINING":
            raise ApiError("ServiceNotActiveException", "Service was not ACTIVE.")
        return row

    def _changes(self, caller: Caller, row: Service, params: Params) -> bool:
        primary = row.primary
        if params.get("taskDefinition") is not None:
            wanted = self.tables.definition(caller.region, params["taskDefinition"]).arn
            if wanted != primary.task_definition:
                return True
        held = {
            "networkConfiguration": primary.network,
            "loadBalancers": primary.load_balancers,
            "platformVersion": primary.platform_version,
        }
        return any(params.get(key) is not None and params[key] != held[key] for key in _ROLLS_OUT[1:])

    def _check_network(self, caller: Caller, configuration: Params) -> None:
        given = configuration.get("awsvpcConfiguration")
        if not given or not given.get("subnets"):
            raise ApiError(
                "InvalidParameterException",
                "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            )
        self.ensure_network(caller.region)
        for subnet_id in given["subnets"]:
            try:
                network.subnet(caller.account, caller.region, subnet_id)
            except ApiError as error:
                raise ApiError(
                    "InvalidParameterException",
                    f"Error retrieving subnet information for [{subnet_id}]: {error.message}",
                ) from error
        for group_id in given.get("securityGroups") or []:
            if not network.security_group_exists(caller.account, caller.region, group_id):
                raise ApiError(
                    "InvalidParameterException",
                    f"Error retrieving security group information for [{group_id}]: "
                    f"The security group '{group_id}' does not exist",
                )

    def _service_shape(self, caller: Caller, row: Service, include: list[str]) -> Result:
        tasks = self.tables.service_tasks(caller.region, row)
        primary = row.primary
        shape: Result = {
            "serviceArn": row.arn,
            "serviceName": row.name,
            "clusterArn": row.cluster_arn,
            "status": row.status,
            "desiredCount": row.desired_count,
            **counts(tasks),
            "taskDefinition": primary.task_definition,
            "loadBalancers": primary.load_balancers,
            "networkConfiguration": _network_shape(primary.network),
            "platformVersion": primary.platform_version,
            "platformFamily": "Linux",
            "serviceRegistries": [],
            **row.settings,
            "deployments": [_deployment_shape(row, item, tasks) for item in row.deployments],
            "events": [{"id": event.id, "createdAt": event.at, "message": event.message} for event in row.events],
            "createdAt": row.created_at,
            "createdBy": row.created_by,
            "roleArn": f"arn:aws:iam::{caller.account}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
        }
        if "TAGS" in include:
            shape["tags"] = tags_out(row.tags)
        return shape


def counts(tasks: list[Task]) -> dict[str, int]:
    """Return running and pending counts as ECS counts them: a task that is being stopped still runs."""
    running = {TaskStatus.RUNNING, TaskStatus.DEACTIVATING, TaskStatus.STOPPING}
    return {
        "runningCount": sum(task.last_status in running and task.started_at is not None for task in tasks),
        "pendingCount": sum(
            task.last_status.rank < TaskStatus.RUNNING.rank and task.desired_status is TaskStatus.RUNNING
            for task in tasks
        ),
    }


def _deploy(
    row: Service,
    caller: Caller,
    *,
    task_definition: str,
    network: Params,
    load_balancers: list[Params],
    platform_version: str,
) -> Service:
    """Return the service with a new PRIMARY deployment; the ones before become ACTIVE."""
    deployment = Deployment(
        id=f"ecs-svc/{secrets.randbelow(10**19):019d}",
        status="PRIMARY",
        task_definition=task_definition,
        desired_count=row.desired_count,
        created_at=caller.now,
        updated_at=caller.now,
        rollout_state=RolloutState.IN_PROGRESS,
        rollout_state_reason="",
        network=network,
        load_balancers=load_balancers,
        platform_version="1.4.0" if platform_version == "LATEST" else platform_version,
        images={},
    )
    reason = f"ECS deployment {deployment.id} in progress."
    deployment = dataclasses.replace(deployment, rollout_state_reason=reason)
    before = [dataclasses.replace(held, status="ACTIVE", updated_at=caller.now) for held in row.deployments]
    return dataclasses.replace(
        row, deployments=[deployment, *before], steady=False, start_failures=0, last_failure_at=None
    )


def _deployment_configuration(held: Params, params: Params) -> Params:
    given = params.get("deploymentConfiguration") or {}
    return {
        "deploymentCircuitBreaker": {"enable": False, "rollback": False},
        "maximumPercent": 200,
        "minimumHealthyPercent": 100,
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
        **held,
        **{key: value for key, value in given.items() if value is not None},
    }


def _deployment_shape(row: Service, item: Deployment, tasks: list[Task]) -> Result:
    own = [task for task in tasks if task.started_by == item.id]
    return {
        "id": item.id,
        "status": item.status,
        "taskDefinition": item.task_definition,
        "desiredCount": item.desired_count,
        **counts(own),
        "failedTasks": item.failed_tasks,
        "createdAt": item.created_at,
        "updatedAt": item.updated_at,
        "launchType": row.settings.get("launchType", "FARGATE"),
        "platformVersion": item.platform_version,
        "platformFamily": "Linux",
        "networkConfiguration": _network_shape(item.network),
        "rolloutState": item.rollout_state,
        "rolloutStateReason": item.rollout_state_reason,
    }


def _network_shape(network_configuration: Params) -> Params:
    given = network_configuration.get("awsvpcConfiguration") or {}
    return {"awsvpcConfiguration": {"securityGroups": [], "assignPublicIp": "DISABLED", **given}}


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
