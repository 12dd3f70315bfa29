"""Amazon ECS's nouns: cluster, task definition, service, deployment, task.

`settings` and `definition` hold what a caller asked for in ECS's own JSON; what the scheduler decides on is typed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class TaskStatus(StrEnum):
    """A task's `lastStatus`, in the order of its life."""

    PROVISIONING = "PROVISIONING"
    PENDING = "PENDING"
    ACTIVATING = "ACTIVATING"
    RUNNING = "RUNNING"
    DEACTIVATING = "DEACTIVATING"
    STOPPING = "STOPPING"
    DEPROVISIONING = "DEPROVISIONING"
    STOPPED = "STOPPED"

    @property
    def rank(self) -> int:
        """The place in a task's life, counted from 0."""
        return list(TaskStatus).index(self)


class RolloutState(StrEnum):
    """How a deployment's rollout stands."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Cluster:
    """An ECS cluster."""

    name: str
    arn: str
    settings: list[Json]
    configuration: Json | None
    capacity_providers: list[str]
    default_strategy: list[Json]
    tags: dict[str, str]
    status: str = "ACTIVE"


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """A revision of a task definition."""

    family: str
    revision: int
    arn: str
    definition: Json
    """As registered, in ECS's JSON."""
    registered_at: datetime
    registered_by: str
    tags: dict[str, str]
    status: str = "ACTIVE"
    deregistered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """One rollout of a service: a task definition with the settings that its tasks get."""

    id: str
    status: str
    """PRIMARY, or ACTIVE while it is being replaced."""
    task_definition: str
    desired_count: int
    created_at: datetime
    updated_at: datetime
    rollout_state: RolloutState
    rollout_state_reason: str
    network: Json
    load_balancers: list[Json]
    platform_version: str
    images: dict[str, str]
    """Container name to the image's digest: what a tag meant when the first task of this deployment pulled it."""
    failed_tasks: int = 0
    """Tasks in a row that ended before they were healthy."""
    last_failure_at: datetime | None = None
    last_failure: str | None = None
    """In ECS's words: `tasks failed to start`."""
    rollback: bool = False
    """Made by the circuit breaker to go back to an earlier task definition."""


@dataclass(frozen=True, slots=True)
class Event:
    """A line of a service's history."""

    id: str
    at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class Service:
    """An ECS service."""

    name: str
    arn: str
    cluster_arn: str
    cluster_name: str
    desired_count: int
    created_at: datetime
    created_by: str
    deployments: list[Deployment]
    """PRIMARY first."""
    events: list[Event]
    """Newest first, at most 100."""
    settings: Json
    """Everything else that was asked, in ECS's JSON: deploymentConfiguration, enableExecuteCommand ..."""
    tags: dict[str, str]
    status: str = "ACTIVE"
    steady: bool = False

    @property
    def primary(self) -> Deployment:
        """The deployment that the service is rolling out or runs."""
        return self.deployments[0]

    @property
    def key(self) -> str:
        """The row's key: cluster and name."""
        return f"{self.cluster_name}/{self.name}"

    def deployment(self, deployment_id: str) -> Deployment | None:
        """Return the deployment, or None where it is over."""
        return next((item for item in self.deployments if item.id == deployment_id), None)

    def with_deployment(self, changed: Deployment) -> Service:
        """Return the service with the deployment in the place of the one with its id."""
        deployments = [changed if item.id == changed.id else item for item in self.deployments]
        return dataclasses.replace(self, deployments=deployments)

    def with_events(self, *messages: str, ids: list[str], now: datetime) -> Service:
        """Return the service with the messages added, oldest of them first."""
        events = self.events
        for message, event_id in zip(messages, ids, strict=True):
            events = [Event(event_id, now, message), *events]
        return dataclasses.replace(self, events=events[:100])


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a task."""

    name: str
    image: str
    essential: bool
    runtime_id: str
    last_status: TaskStatus = TaskStatus.PENDING
    image_digest: str | None = None
    exit_code: int | None = None
    reason: str | None = None
    stop_signal: str = "SIGTERM"
    """The image's."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task: a group of containers with one network interface."""

    id: str
    arn: str
    cluster_arn: str
    cluster_name: str
    task_definition: str
    group: str
    """`service:<name>` or `family:<name>`."""
    started_by: str
    """A deployment's id where a service started it."""
    zone: str
    subnet_id: str
    cidr: str
    cpu: str
    memory: str
    created_at: datetime
    containers: list[Container]
    load_balancers: list[Json]
    network: Json
    platform_version: str
    interface_id: str
    attachment_id: str
    secret: str
    """The secret part of the URLs that its containers get."""
    tags: dict[str, str]
    overrides: Json
    desired_status: TaskStatus = TaskStatus.RUNNING
    last_status: TaskStatus = TaskStatus.PROVISIONING
    address: str | None = None
    version: int = 1
    enable_execute_command: bool = False
    was_healthy: bool = False
    pull_started_at: datetime | None = None
    pull_stopped_at: datetime | None = None
    started_at: datetime | None = None
    stopping_at: datetime | None = None
    terminated_at: datetime | None = None
    """When its containers were sent their stop signals."""
    execution_stopped_at: datetime | None = None
    stopped_at: datetime | None = None
    stop_code: str | None = None
    stopped_reason: str | None = None

    @property
    def service_name(self) -> str | None:
        """The service that keeps it, if one does."""
        kind, _, name = self.group.partition(":")
        return name if kind == "service" else None

    @property
    def key(self) -> str:
        """The row's key: cluster and id."""
        return f"{self.cluster_name}/{self.id}"
