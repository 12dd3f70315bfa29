"""ECS's operations on services."""

from __future__ import annotations

import dataclasses

from miyabi.localcloud.control.ecs.base import EcsPart, invalid, page, tags_in, tags_out
from miyabi.localcloud.control.ecs.deployments import deploy
from miyabi.localcloud.control.ecs.service_checks import (
    check_active,
    check_load_balancers,
    check_name,
    check_settings,
)
from miyabi.localcloud.control.ecs.tables import arn, last_part
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.model.ecs import Cluster, Deployment, Service, Task, TaskStatus

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
_DEFAULTS: Params = {
    "schedulingStrategy": "REPLICA",
    "launchType": "FARGATE",
    "availabilityZoneRebalancing": "DISABLED",
    "enableExecuteCommand": False,
    "enableECSManagedTags": False,
    "propagateTags": "NONE",
    "placementConstraints": [],
    "placementStrategy": [],
    "healthCheckGracePeriodSeconds": 0,
}


class Services(EcsPart):
    """Create, describe, list, update and delete services."""

    def create_service(self, caller: Caller, params: Params) -> Result:
        """Create a service; its scheduler starts the tasks. The same again answers with the one that is there."""
        cluster = self.tables.cluster(caller.region, params.get("cluster"))
        check_name(params["serviceName"])
        check_settings(params)
        row = self._asked_for(caller, cluster, params)
        found = self.tables.services.get(caller.region, row.key)
        if found is not None and found.status == "DRAINING":
            raise invalid("Unable to Start a service that is still Draining.")
        if found is not None and found.status == "ACTIVE":
            if _identity(found) != _identity(row):
                raise invalid("Creation of service was not idempotent.")
            return {"service": self._service_shape(caller, found, ["TAGS"])}
        self.tables.put_service(caller.region, row)
        return {"service": self._service_shape(caller, row, ["TAGS"])}

    def _asked_for(self, caller: Caller, cluster: Cluster, params: Params) -> Service:
        """Return the service that the parameters of a creation describe."""
        definition = check_active(self.tables.definition(caller.region, params.get("taskDefinition") or ""))
        network_configuration = params.get("networkConfiguration") or {}
        load_balancers = params.get("loadBalancers") or []
        self.check_network(caller, network_configuration)
        check_load_balancers(self.tables, caller.region, load_balancers, definition)
        row = Service(
            name=params["serviceName"],
            arn=arn(caller, f"service/{cluster.name}/{params['serviceName']}"),
            cluster_arn=cluster.arn,
            cluster_name=cluster.name,
            desired_count=params.get("desiredCount") or 0,
            created_at=caller.now,
            created_by=self.principal(caller),
            deployments=[],
            events=[],
            settings={
                **_DEFAULTS,
                **{key: params[key] for key in _KEPT if params.get(key) is not None},
                "deploymentConfiguration": _deployment_configuration({}, params),
                "deploymentController": params.get("deploymentController") or {"type": "ECS"},
            },
            tags=tags_in(params),
        )
        return deploy(
            row,
            caller.now,
            task_definition=definition.arn,
            network=network_configuration,
            load_balancers=load_balancers,
            platform_version=params.get("platformVersion") or "LATEST",
        )

    def update_service(self, caller: Caller, params: Params) -> Result:
        """Change a service; a change of what its tasks are starts a deployment."""
        row = self._active(caller, params)
        check_settings(params)
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
            row = self._redeploy(caller, row, params)
        self.tables.put_service(caller.region, row)
        return {"service": self._service_shape(caller, row, ["TAGS"])}

    def _redeploy(self, caller: Caller, row: Service, params: Params) -> Service:
        primary = row.primary
        definition = self.tables.definition(caller.region, params.get("taskDefinition") or primary.task_definition)
        if definition.arn != primary.task_definition:
            check_active(definition)
        network_configuration = params.get("networkConfiguration") or primary.network
        held = params.get("loadBalancers")
        load_balancers = primary.load_balancers if held is None else held
        self.check_network(caller, network_configuration)
        check_load_balancers(self.tables, caller.region, load_balancers, definition)
        return deploy(
            row,
            caller.now,
            task_definition=definition.arn,
            network=network_configuration,
            load_balancers=load_balancers,
            platform_version=params.get("platformVersion") or primary.platform_version,
        )

    def delete_service(self, caller: Caller, params: Params) -> Result:
        """Drain the service: its tasks stop, then it is INACTIVE."""
        row = self._active(caller, params)
        if row.desired_count and not params.get("force"):
            raise invalid("The service cannot be stopped while it is scaled above 0.")
        primary = dataclasses.replace(row.primary, desired_count=0)
        row = dataclasses.replace(row, status="DRAINING", desired_count=0, deployments=[primary, *row.deployments[1:]])
        self.tables.put_service(caller.region, row)
        return {"service": self._service_shape(caller, row, [])}

    def describe_services(self, caller: Caller, params: Params) -> Result:
        """Describe the named services; unknown ones are `failures`."""
        cluster = self.tables.cluster(caller.region, params.get("cluster"))
        if len(params["services"]) > 10:
            raise invalid("Services cannot have more than 10 elements.")
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
        arns, token = page([row.arn for row in rows if row.status != "INACTIVE"], params)
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
            "platformVersion": "LATEST" if params.get("platformVersion") == "LATEST" else primary.platform_version,
        }
        return any(params.get(key) is not None and params[key] != held[key] for key in _ROLLS_OUT[1:])

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


def _identity(row: Service) -> tuple[object, ...]:
    """Return what must be the same for a creation to be the same."""
    held = row.primary
    deployed = (held.task_definition, held.network, held.load_balancers, held.platform_version)
    return row.desired_count, row.settings, row.tags, deployed


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
