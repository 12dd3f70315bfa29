"""From a task's row to the processes of its containers."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from miyabi.environment.home import Home, Instance
from miyabi.localcloud.data.images import UnpackedImage
from miyabi.localcloud.processes import ProcessSpec
from miyabi.model.ecs import Container, Json, Task, TaskDefinition

_MEBIBYTE = 1 << 20
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class CannotStart(Exception):
    """The container cannot be started; the message is the task's `stoppedReason`."""


@dataclass(frozen=True, slots=True)
class LogTarget:
    """Where a container's output goes."""

    group: str
    stream: str
    region: str


def process_name(task: Task, container: Container) -> str:
    """Return the supervisor's name for a container's process."""
    return f"task/{task.id}/{container.name}"


def output_path(home: Home, task: Task, container: Container) -> Path:
    """Return the file that takes a container's output until CloudWatch Logs has it."""
    return task_directory(home, task) / f"{container.name}.log"


def task_directory(home: Home, task: Task) -> Path:
    """Return where a task's files are."""
    return home.tasks / task.id


def container_definition(definition: TaskDefinition, container: Container) -> Json:
    """Return what the task definition says of the container."""
    found: Json = next(c for c in definition.definition["containerDefinitions"] if c["name"] == container.name)
    return found


def log_target(task: Task, definition: TaskDefinition, container: Container, region: str) -> LogTarget | None:
    """Return the awslogs target, or None where the container has no log configuration."""
    configuration = container_definition(definition, container).get("logConfiguration")
    if not configuration:
        return None
    if configuration.get("logDriver") != "awslogs":
        raise CannotStart(
            "ResourceInitializationError: failed to validate logger args: "
            f"the local cloud offers the awslogs driver only, not {configuration.get('logDriver')}"
        )
    options = configuration.get("options") or {}
    prefix = options.get("awslogs-stream-prefix")
    stream = f"{prefix}/{container.name}/{task.id}" if prefix else container.runtime_id
    return LogTarget(options["awslogs-group"], stream, options.get("awslogs-region") or region)


def stop_timeout_seconds(definition: TaskDefinition) -> int:
    """Return the longest `stopTimeout` of the containers; ECS's default is 30 s, its limit on Fargate 120."""
    given = [container.get("stopTimeout") or 30 for container in definition.definition["containerDefinitions"]]
    return min(max(given), 120)


def process_spec(
    home: Home,
    instance: Instance,
    task: Task,
    definition: TaskDefinition,
    container: Container,
    image: UnpackedImage,
    region: str,
    secrets: Mapping[str, str] | None = None,
) -> ProcessSpec:
    """Return the container's process: the image's program with the environment that ECS gives it.

    secrets: the values of the container's `secrets` by name (`secrets_injection.resolve_secrets`).
    """
    given = container_definition(definition, container)
    if given.get("secrets") and secrets is None:
        raise CannotStart("ResourceInitializationError: unable to pull secrets or registry auth: they were not read")
    override: Json = next(
        (item for item in task.overrides.get("containerOverrides", []) if item.get("name") == container.name), {}
    )
    entrypoint, command = given.get("entryPoint"), override.get("command") or given.get("command")
    argv = (*(entrypoint or ()), *(command or ())) if entrypoint or command else image.command
    if not argv:
        raise CannotStart("CannotStartContainerError: the image names no command")
    workdir = given.get("workingDirectory")
    output = output_path(home, task, container)
    output.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment = {
        **_base_environment(instance, task, definition, container, region),
        **image.environment,
        **_pairs(given.get("environment")),
        **_pairs(override.get("environment")),
        **(secrets or {}),
    }
    if image.listen_variable:
        environment[image.listen_variable] = task.address or ""
    return ProcessSpec(
        name=process_name(task, container),
        argv=tuple(argv),
        env=environment,
        cwd=str(image.root / workdir.lstrip("/") if workdir else image.workdir),
        output=str(output),
        cpu_units=int(task.cpu),
        memory_bytes=int(given.get("memory") or task.memory) * _MEBIBYTE,
    )


def _base_environment(
    instance: Instance, task: Task, definition: TaskDefinition, container: Container, region: str
) -> dict[str, str]:
    # The interpreter that runs Miyabi, without its virtual environment: what an image needs it must carry.
    python = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable))).parent
    environment = {
        "PATH": f"{python}:{_DEFAULT_PATH}",
        "HOME": "/tmp",  # noqa: S108 - a container's home is its own; a task writes nothing there that must stay
        "HOSTNAME": "ip-" + (task.address or "").replace(".", "-"),
        "PYTHONNOUSERSITE": "1",
        "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": instance.endpoint,
        "ECS_CONTAINER_METADATA_URI_V4": f"{instance.endpoint}/_ecs/v4/{task.secret}/{container.name}",
    }
    if definition.definition.get("taskRoleArn"):
        environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{instance.endpoint}/_ecs/credentials/{task.secret}"
    return environment


def _pairs(given: list[Mapping[str, str]] | None) -> dict[str, str]:
    return {pair["name"]: pair.get("value", "") for pair in given or [] if pair.get("name")}
