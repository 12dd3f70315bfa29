"""ECS's operations on clusters and tags."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from miyabi.localcloud.control.ecs.base import NAME, EcsPart, invalid, page, tags_in, tags_out
from miyabi.localcloud.control.ecs.tables import arn, definition_key, last_part
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.localcloud.control.store import Table
from miyabi.model.ecs import Cluster, TaskStatus


class Clusters(EcsPart):
    """Create, describe, update and delete clusters; account settings."""

    def create_cluster(self, caller: Caller, params: Params) -> Result:
        """Create the cluster; the same name again answers with the one that is there, as on ECS."""
        name = params.get("clusterName") or "default"
        if not NAME.fullmatch(name):
            raise invalid("Cluster name must have 1 to 255 letters (uppercase and lowercase), numbers, _ and -.")
        found = self.tables.clusters.get(caller.region, name)
        if found is None or found.status == "INACTIVE":
            found = Cluster(
                name=name,
                arn=arn(caller, f"cluster/{name}"),
                settings=params.get("settings") or [{"name": "containerInsights", "value": "disabled"}],
                configuration=params.get("configuration"),
                capacity_providers=params.get("capacityProviders") or [],
                default_strategy=params.get("defaultCapacityProviderStrategy") or [],
                tags=tags_in(params),
            )
            self.tables.clusters.put(caller.region, name, found)
        return {"cluster": self._cluster_shape(caller, found, ["TAGS", "SETTINGS", "CONFIGURATIONS"])}

    def describe_clusters(self, caller: Caller, params: Params) -> Result:
        """Describe the named clusters; unknown ones are `failures`."""
        clusters, failures = [], []
        for name in params.get("clusters") or ["default"]:
            found = self.tables.clusters.get(caller.region, last_part(name))
            if found is None:
                failures.append({"arn": arn(caller, f"cluster/{last_part(name)}"), "reason": "MISSING"})
            else:
                clusters.append(self._cluster_shape(caller, found, params.get("include") or []))
        return {"clusters": clusters, "failures": failures}

    def list_clusters(self, caller: Caller, params: Params) -> Result:
        """List the ARNs of active clusters."""
        rows = [row.arn for row in self.tables.clusters.list(caller.region) if row.status == "ACTIVE"]
        arns, token = page(rows, params)
        return {"clusterArns": arns, **({"nextToken": token} if token else {})}

    def update_cluster(self, caller: Caller, params: Params) -> Result:
        """Change settings and configuration."""
        row = self.tables.cluster(caller.region, params["cluster"])
        row = dataclasses.replace(
            row,
            settings=_merge_settings(row.settings, params.get("settings") or []),
            configuration=params.get("configuration") or row.configuration,
        )
        self.tables.clusters.put(caller.region, row.name, row)
        return {"cluster": self._cluster_shape(caller, row, ["TAGS", "SETTINGS", "CONFIGURATIONS"])}

    update_cluster_settings = update_cluster

    def put_cluster_capacity_providers(self, caller: Caller, params: Params) -> Result:
        """Set the capacity providers and the default strategy."""
        row = dataclasses.replace(
            self.tables.cluster(caller.region, params["cluster"]),
            capacity_providers=params["capacityProviders"],
            default_strategy=params["defaultCapacityProviderStrategy"],
        )
        self.tables.clusters.put(caller.region, row.name, row)
        return {"cluster": self._cluster_shape(caller, row, [])}

    def delete_cluster(self, caller: Caller, params: Params) -> Result:
        """Delete the cluster unless services or tasks are in it."""
        row = self.tables.cluster(caller.region, params["cluster"])
        counts = self._task_counts(caller, row)
        if counts["activeServicesCount"]:
            raise ApiError(
                "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
            )
        if counts["runningTasksCount"] or counts["pendingTasksCount"]:
            raise ApiError("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
        row = dataclasses.replace(row, status="INACTIVE")
        self.tables.clusters.put(caller.region, row.name, row)
        return {"cluster": self._cluster_shape(caller, row, [])}

    def list_account_settings(self, _: Caller, params: Params) -> Result:
        """Say that the long ARN formats are on, as they are for every account today."""
        names = [
            "serviceLongArnFormat",
            "taskLongArnFormat",
            "containerInstanceLongArnFormat",
            "awsvpcTrunking",
        ]
        wanted = params.get("name")
        return {"settings": [{"name": name, "value": "enabled"} for name in names if wanted in {None, name}]}

    def tag_resource(self, caller: Caller, params: Params) -> Result:
        """Add tags to a cluster, service, task definition or task."""
        self._retag(caller, params["resourceArn"], lambda tags: {**tags, **tags_in(params)})
        return {}

    def untag_resource(self, caller: Caller, params: Params) -> Result:
        """Remove tags."""
        gone = set(params["tagKeys"])
        self._retag(caller, params["resourceArn"], lambda tags: {k: v for k, v in tags.items() if k not in gone})
        return {}

    def list_tags_for_resource(self, caller: Caller, params: Params) -> Result:
        """List a resource's tags."""
        _, _, row = self._resource(caller, params["resourceArn"])
        return {"tags": tags_out(row.tags)}

    def _retag(self, caller: Caller, resource: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        table, key, row = self._resource(caller, resource)
        table.put(caller.region, key, dataclasses.replace(row, tags=change(row.tags)))

    def _resource(self, caller: Caller, resource: str) -> tuple[Table[Any], str, Any]:
        kind, _, rest = resource.rpartition(f":{caller.account}:")[2].partition("/")
        tables: dict[str, tuple[Table[Any], str]] = {
            "cluster": (self.tables.clusters, rest),
            "service": (self.tables.services, rest),
            "task": (self.tables.tasks, rest),
            "task-definition": (self.tables.definitions, _revision_key(rest)),
        }
        if kind in tables:
            table, key = tables[kind]
            row = table.get(caller.region, key)
            if row is not None:
                return table, key, row
        raise invalid(f"The specified resource was not found: {resource}")

    def _task_counts(self, caller: Caller, row: Cluster) -> dict[str, int]:
        tasks = self.tables.tasks.list(caller.region, prefix=f"{row.name}/")
        services = self.tables.services.list(caller.region, prefix=f"{row.name}/")
        return {
            "runningTasksCount": sum(task.last_status is TaskStatus.RUNNING for task in tasks),
            "pendingTasksCount": sum(task.last_status.rank < TaskStatus.RUNNING.rank for task in tasks),
            "activeServicesCount": sum(service.status == "ACTIVE" for service in services),
        }

    def _cluster_shape(self, caller: Caller, row: Cluster, include: list[str]) -> Result:
        shape: Result = {
            "clusterArn": row.arn,
            "clusterName": row.name,
            "status": row.status,
            "registeredContainerInstancesCount": 0,
            **self._task_counts(caller, row),
            "statistics": [],
            "tags": tags_out(row.tags) if "TAGS" in include else [],
            "settings": row.settings if "SETTINGS" in include else [],
            "capacityProviders": row.capacity_providers,
            "defaultCapacityProviderStrategy": row.default_strategy,
        }
        if row.configuration and "CONFIGURATIONS" in include:
            shape["configuration"] = row.configuration
        return shape


def _merge_settings(held: list[Result], given: list[Result]) -> list[Result]:
    merged = {setting["name"]: setting for setting in [*held, *given]}
    return list(merged.values())


def _revision_key(rest: str) -> str:
    family, _, revision = rest.partition(":")
    return definition_key(family, int(revision)) if revision.isdigit() else rest
