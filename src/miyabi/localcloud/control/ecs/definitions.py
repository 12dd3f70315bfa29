"""ECS's operations on task definitions."""

from __future__ import annotations

import dataclasses
import re
from itertools import groupby

from miyabi.localcloud.control.ecs.base import NAME, EcsPart, page, tags_in, tags_out
from miyabi.localcloud.control.ecs.tables import arn, definition_key
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.model.ecs import TaskDefinition
from miyabi.model.image import parse_reference

_FARGATE_MEMORY = {
    256: {512, 1024, 2048},
    512: set(range(1024, 4096 + 1, 1024)),
    1024: set(range(2048, 8192 + 1, 1024)),
    2048: set(range(4096, 16384 + 1, 1024)),
    4096: set(range(8192, 30720 + 1, 1024)),
    8192: set(range(16384, 61440 + 1, 4096)),
    16384: set(range(32768, 122880 + 1, 8192)),
}
"""CPU units to the MiB that Fargate offers with them (docs.aws.amazon.com, "Task size")."""
_CPU = re.compile(r"(\d*\.?\d+)\s*vcpu", re.IGNORECASE)
_MEMORY = re.compile(r"(\d*\.?\d+)\s*gb", re.IGNORECASE)
_IGNORED = {"tags"}


class TaskDefinitions(EcsPart):
    """Register, describe, list and deregister revisions."""

    def register_task_definition(self, caller: Caller, params: Params) -> Result:
        """Register the family's next revision."""
        definition = {name: value for name, value in params.items() if name not in _IGNORED}
        definition |= sizes_in(definition)
        _check(definition)
        family = definition["family"]
        held = self.tables.revisions(caller.region, family)
        revision = held[-1].revision + 1 if held else 1
        row = TaskDefinition(
            family=family,
            revision=revision,
            arn=arn(caller, f"task-definition/{family}:{revision}"),
            definition=_with_defaults(definition),
            registered_at=caller.now,
            registered_by=self.principal(caller),
            tags=tags_in(params),
        )
        self.tables.definitions.put(caller.region, definition_key(family, revision), row)
        return {"taskDefinition": _shape(row), "tags": tags_out(row.tags)}

    def describe_task_definition(self, caller: Caller, params: Params) -> Result:
        """Describe a revision, by default the family's latest active one."""
        row = self.tables.definition(caller.region, params["taskDefinition"])
        tags = {"tags": tags_out(row.tags)} if "TAGS" in (params.get("include") or []) else {}
        return {"taskDefinition": _shape(row), **tags}

    def deregister_task_definition(self, caller: Caller, params: Params) -> Result:
        """Make a revision INACTIVE; tasks and services that use it go on."""
        row = self.tables.definition(caller.region, params["taskDefinition"])
        row = dataclasses.replace(row, status="INACTIVE", deregistered_at=caller.now)
        self.tables.definitions.put(caller.region, definition_key(row.family, row.revision), row)
        return {"taskDefinition": _shape(row)}

    def list_task_definitions(self, caller: Caller, params: Params) -> Result:
        """List revisions of a status (default ACTIVE), by family, then revision."""
        status = params.get("status") or "ACTIVE"
        family = params.get("familyPrefix")
        rows = [
            row.arn
            for row in self.tables.definitions.list(caller.region)
            if row.status == status and family in {None, row.family}
        ]
        if params.get("sort") == "DESC":
            rows.reverse()
        arns, token = page(rows, params)
        return {"taskDefinitionArns": arns, **({"nextToken": token} if token else {})}

    def list_task_definition_families(self, caller: Caller, params: Params) -> Result:
        """List families by whether they have an active revision."""
        status = params.get("status") or "ACTIVE"
        families = []
        for family, rows in groupby(self.tables.definitions.list(caller.region), lambda row: row.family):
            active = any(row.status == "ACTIVE" for row in rows)
            wanted = status == "ALL" or active == (status == "ACTIVE")
            if wanted and family.startswith(params.get("familyPrefix") or ""):
                families.append(family)
        names, token = page(families, params)
        return {"families": names, **({"nextToken": token} if token else {})}


def sizes_in(given: Params) -> dict[str, str]:
    """Return what is given of a task's `cpu` and `memory`, in CPU units and MiB; `1 vCPU` and `2 GB` are taken too."""
    sizes = {}
    for name, pattern in (("cpu", _CPU), ("memory", _MEMORY)):
        text = str(given.get(name) or "").strip()
        found = pattern.fullmatch(text)
        size = str(round(float(found[1]) * 1024)) if found else text
        if size and not (size.isascii() and size.isdigit()):
            raise ApiError("ClientException", f"Invalid '{name}' setting for task.")
        if size:
            sizes[name] = size
    return sizes


def _check(definition: Params) -> None:
    if not NAME.fullmatch(definition["family"]):
        raise ApiError("ClientException", "Family contains invalid characters.")
    containers = definition["containerDefinitions"]
    if not containers:
        raise ApiError("ClientException", "Container definitions should not be empty.")
    for container in containers:
        _check_container(container)
    names = [container["name"] for container in containers]
    if len(names) != len(set(names)):
        raise ApiError("ClientException", "Container names must be unique within a task definition.")
    if all(container.get("essential") is False for container in containers):
        raise ApiError("ClientException", "At least one container must be marked as essential.")
    if "FARGATE" in (definition.get("requiresCompatibilities") or []):
        _check_fargate(definition)
    if not definition.get("executionRoleArn"):
        _check_without_execution_role(definition)


def _check_container(container: Params) -> None:
    if not container.get("name") or not container.get("image"):
        raise ApiError("ClientException", "Container.image and Container.name should not be null or empty.")
    if not NAME.fullmatch(container["name"]):
        raise ApiError("ClientException", "Container name contains invalid characters.")
    if any(not pair.get("name") for pair in container.get("environment") or []):
        raise ApiError("ClientException", "Environment variable names should not be null or empty.")
    if any(not mapping.get("containerPort") for mapping in container.get("portMappings") or []):
        raise ApiError("ClientException", "Container port should not be null or empty.")
    options = container.get("logConfiguration") or {}
    if options.get("logDriver") == "awslogs" and not (options.get("options") or {}).get("awslogs-group"):
        raise ApiError("ClientException", "Log driver awslogs requires options: awslogs-group.")


def _check_fargate(definition: Params) -> None:
    if definition.get("networkMode") != "awsvpc":
        raise ApiError("ClientException", "Fargate only supports network mode ‘awsvpc’.")  # noqa: RUF001 - ECS's quotes
    cpu, memory = int(definition.get("cpu") or 0), int(definition.get("memory") or 0)
    if memory not in _FARGATE_MEMORY.get(cpu, set()):
        raise ApiError("ClientException", "No Fargate configuration exists for given values.")


def _check_without_execution_role(definition: Params) -> None:
    """Refuse what ECS needs an execution role for."""
    containers = definition["containerDefinitions"]
    if any(container.get("secrets") for container in containers):
        raise ApiError(
            "ClientException",
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
        )
    if "FARGATE" not in (definition.get("requiresCompatibilities") or []):
        return
    words = "Fargate requires task definition to have execution role ARN to support"
    if any(parse_reference(container["image"]) is not None for container in containers):
        raise ApiError("ClientException", f"{words} ECR images.")
    if any((container.get("logConfiguration") or {}).get("logDriver") == "awslogs" for container in containers):
        raise ApiError("ClientException", f"{words} log driver awslogs.")


def _with_defaults(definition: Params) -> Params:
    containers = [
        {
            "cpu": 0,
            "portMappings": [],
            "essential": True,
            "environment": [],
            "mountPoints": [],
            "volumesFrom": [],
            "systemControls": [],
            **container,
        }
        for container in definition["containerDefinitions"]
    ]
    for container in containers:
        container["portMappings"] = [
            {"hostPort": mapping["containerPort"], "protocol": "tcp", **mapping}
            for mapping in container["portMappings"]
        ]
    defaults: Params = {"volumes": [], "placementConstraints": [], "requiresCompatibilities": []}
    return {**defaults, **definition, "containerDefinitions": containers}


def _shape(row: TaskDefinition) -> Result:
    shape = {
        **row.definition,
        "taskDefinitionArn": row.arn,
        "revision": row.revision,
        "status": row.status,
        "compatibilities": [
            "EC2",
            *(["FARGATE"] if "FARGATE" in row.definition["requiresCompatibilities"] else []),
        ],
        "registeredAt": row.registered_at,
        "registeredBy": row.registered_by,
    }
    if row.deregistered_at is not None:
        shape["deregisteredAt"] = row.deregistered_at
    return shape
