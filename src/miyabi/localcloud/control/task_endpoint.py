"""What a task sees of ECS: its metadata and its role's keys, under a URL that only it knows.

`ECS_CONTAINER_METADATA_URI_V4` is `/_ecs/v4/<secret>/<container>`, with `/task` for the whole task;
`AWS_CONTAINER_CREDENTIALS_FULL_URI` is `/_ecs/credentials/<secret>`.
Source: docs.aws.amazon.com, "Amazon ECS task metadata endpoint version 4 for tasks on Fargate".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from miyabi.localcloud.control.credentials import Keys
from miyabi.localcloud.control.ecs.tables import EcsTables
from miyabi.localcloud.control.service import Answer, ApiError
from miyabi.model.ecs import Container, Task, TaskDefinition, TaskStatus


class TaskEndpoint:
    """Answers the tasks' own requests."""

    def __init__(self, tables: EcsTables, keys: Keys) -> None:
        self._tables = tables
        self._keys = keys

    def roles_of(self, region: str, task_definition: str) -> tuple[str, ...]:
        """Return the roles that a task definition passes to its tasks; none where there is no such definition."""
        try:
            given = self._tables.definition(region, task_definition).definition
        except ApiError:
            return ()
        return tuple(str(given[name]) for name in ("taskRoleArn", "executionRoleArn") if given.get(name))

    def answer(self, path: str, _: Mapping[str, str], now: datetime) -> Answer:
        """Answer a GET below `/_ecs/`."""
        match path.strip("/").split("/"):
            case ["_ecs", "credentials", secret]:
                return self._credentials(secret, now)
            case ["_ecs", "v4", secret, container]:
                return self._metadata(secret, container, whole=False)
            case ["_ecs", "v4", secret, container, "task"]:
                return self._metadata(secret, container, whole=True)
        return _json(404, {"error": "not found"})

    def _credentials(self, secret: str, now: datetime) -> Answer:
        found = self._tables.task_by_secret(secret)
        if found is None:
            return _json(404, {"error": "no such task"})
        task, definition = found
        role = definition.definition.get("taskRoleArn")
        if not role or task.last_status is TaskStatus.STOPPED:
            return _json(404, {"error": "the task has no role"})
        issued = self._keys.issue(role, task.arn, secret, now=now)
        return _json(
            200,
            {
                "RoleArn": issued.role_arn,
                "AccessKeyId": issued.access_key,
                "SecretAccessKey": issued.secret_key,
                "Token": issued.token,
                "Expiration": issued.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
        )

    def _metadata(self, secret: str, name: str, *, whole: bool) -> Answer:
        found = self._tables.task_by_secret(secret)
        if found is None:
            return _json(404, {"error": "no such task"})
        task, definition = found
        for container in task.containers:
            if container.name == name:
                content = task_metadata(task, definition) if whole else container_metadata(task, definition, container)
                return _json(200, content)
        return _json(404, {"error": "no such container"})


def container_metadata(task: Task, definition: TaskDefinition, container: Container) -> dict[str, Any]:
    """Return the container's metadata in the endpoint's version 4 form."""
    given = next(entry for entry in definition.definition["containerDefinitions"] if entry["name"] == container.name)
    options = given.get("logConfiguration", {}).get("options", {})
    content: dict[str, Any] = {
        "DockerId": container.runtime_id,
        "Name": container.name,
        "DockerName": container.name,
        "Image": container.image,
        "ImageID": container.image_digest or "",
        "Labels": {
            "com.amazonaws.ecs.cluster": task.cluster_arn,
            "com.amazonaws.ecs.container-name": container.name,
            "com.amazonaws.ecs.task-arn": task.arn,
            "com.amazonaws.ecs.task-definition-family": definition.family,
            "com.amazonaws.ecs.task-definition-version": str(definition.revision),
        },
        "DesiredStatus": task.desired_status,
        "KnownStatus": container.last_status,
        "Limits": {"CPU": given.get("cpu", 0)},
        "CreatedAt": task.created_at,
        "Type": "NORMAL",
        "LogDriver": "awslogs" if options else "",
        "LogOptions": {
            "awslogs-group": options.get("awslogs-group", ""),
            "awslogs-region": options.get("awslogs-region", ""),
            "awslogs-stream": f"{options.get('awslogs-stream-prefix', '')}/{container.name}/{task.id}",
        },
        "ContainerARN": task.arn.replace(":task/", ":container/") + f"/{container.runtime_id}",
        "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": [task.address] if task.address else []}],
    }
    if task.started_at is not None:
        content["StartedAt"] = task.started_at
    if container.exit_code is not None:
        content["ExitCode"] = container.exit_code
    return content


def task_metadata(task: Task, definition: TaskDefinition) -> dict[str, Any]:
    """Return the task's metadata in the endpoint's version 4 form."""
    return {
        "Cluster": task.cluster_arn,
        "TaskARN": task.arn,
        "Family": definition.family,
        "Revision": str(definition.revision),
        "ServiceName": task.service_name or "",
        "DesiredStatus": task.desired_status,
        "KnownStatus": task.last_status,
        "Limits": {"CPU": int(task.cpu) / 1024, "Memory": int(task.memory)},
        "PullStartedAt": task.pull_started_at,
        "PullStoppedAt": task.pull_stopped_at,
        "AvailabilityZone": task.zone,
        "LaunchType": "FARGATE",
        "Containers": [container_metadata(task, definition, container) for container in task.containers],
    }


def _json(status: int, content: object) -> Answer:
    return status, {"Content-Type": "application/json"}, msgspec.json.encode(content)
