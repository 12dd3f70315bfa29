"""ECS's rows, and how names and ARNs find them."""

from __future__ import annotations

import secrets
from collections import defaultdict

from miyabi.localcloud.control.service import ApiError, Caller
from miyabi.localcloud.control.store import Store, Table
from miyabi.model.ecs import Cluster, Service, Task, TaskDefinition, TaskStatus
from miyabi.model.load_balancing import Rule, TargetGroup


def new_id(bytes_: int = 16) -> str:
    """Return a random id in hex."""
    return secrets.token_hex(bytes_)


def arn(caller: Caller, resource: str) -> str:
    """Return an ECS ARN in the caller's account and region."""
    return f"arn:aws:ecs:{caller.region}:{caller.account}:{resource}"


def last_part(name_or_arn: str) -> str:
    """Return the name behind an ARN, or the name itself."""
    return name_or_arn.rpartition("/")[2]


class EcsTables:
    """The tables of live ECS."""

    def __init__(self, store: Store) -> None:
        self.clusters = Table(store, "ecs.cluster", Cluster)
        self.definitions = Table(store, "ecs.task_definition", TaskDefinition)
        self.services = Table(store, "ecs.service", Service)
        self.tasks = Table(store, "ecs.task", Task)
        # Elastic Load Balancing's rows, read to check what a service names.
        self.target_groups = Table(store, "elbv2.target_group", TargetGroup)
        self.rules = Table(store, "elbv2.rule", Rule)

    def cluster(self, region: str, name_or_arn: str | None) -> Cluster:
        """Return the cluster; `ApiError` ClusterNotFoundException where there is none."""
        found = self.clusters.get(region, last_part(name_or_arn or "default"))
        if found is None or found.status == "INACTIVE":
            raise ApiError("ClusterNotFoundException", "Cluster not found.")
        return found

    def service(self, region: str, cluster: str | None, name_or_arn: str) -> Service:
        """Return the service; `ApiError` ServiceNotFoundException where there is none."""
        found = self.services.get(region, f"{self.cluster(region, cluster).name}/{last_part(name_or_arn)}")
        if found is None:
            raise ApiError("ServiceNotFoundException", "Service not found.")
        return found

    def definition(self, region: str, reference: str) -> TaskDefinition:
        """Return the revision of `family`, `family:revision` or an ARN; without a revision the latest active one."""
        family, _, revision = last_part(reference).partition(":")
        if revision:
            found = self.definitions.get(region, definition_key(family, int(revision))) if revision.isdigit() else None
        else:
            active = [row for row in self.revisions(region, family) if row.status == "ACTIVE"]
            found = active[-1] if active else None
        if found is None:
            raise ApiError("ClientException", "Unable to describe task definition.")
        return found

    def revisions(self, region: str, family: str) -> list[TaskDefinition]:
        """Return the family's revisions, oldest first."""
        return self.definitions.list(region, prefix=f"{family}:")

    def task(self, region: str, cluster: str | None, id_or_arn: str) -> Task | None:
        """Return the task, or None."""
        return self.tasks.get(region, f"{self.cluster(region, cluster).name}/{last_part(id_or_arn)}")

    def service_tasks(self, region: str, service: Service) -> list[Task]:
        """Return the service's tasks that have not ended."""
        rows = self.tasks.list(region, prefix=f"{service.cluster_name}/")
        return [row for row in rows if row.service_name == service.name and row.last_status is not TaskStatus.STOPPED]

    def open_tasks(self, region: str) -> dict[str, list[Task]]:
        """Return all services' tasks that have not ended, by the service's key: one look for all services."""
        found: dict[str, list[Task]] = defaultdict(list)
        for row in self.tasks.list(region):
            if row.service_name is not None and row.last_status is not TaskStatus.STOPPED:
                found[f"{row.cluster_name}/{row.service_name}"].append(row)
        return found

    def task_by_secret(self, secret: str) -> tuple[Task, TaskDefinition] | None:
        """Return the task whose URLs carry the secret, with its task definition."""
        given = secret.encode("utf-8", "replace")
        for region in self.tasks.regions():
            for row in self.tasks.list(region):
                if secrets.compare_digest(row.secret.encode(), given):
                    return row, self.definition(region, row.task_definition)
        return None

    def has_listener(self, region: str, target_group_arn: str) -> bool:
        """Say whether a load balancer forwards to the target group."""
        return any(
            group.target_group_arn == target_group_arn
            for rule in self.rules.list(region)
            for group in rule.action.forward
        )

    def put_service(self, region: str, row: Service) -> None:
        """Keep the service's row."""
        self.services.put(region, row.key, row)

    def put_task(self, region: str, row: Task) -> None:
        """Keep the task's row."""
        self.tasks.put(region, row.key, row)


def definition_key(family: str, revision: int) -> str:
    """Return the key of a revision; keys sort as revisions do."""
    return f"{family}:{revision:08d}"
