"""Amazon RDS's nouns: DB instance, DB subnet group, DB parameter group, event.

`settings` holds what a caller asked for in RDS's own words and what only has to be given back; what the loop decides
on is typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class InstanceStatus(StrEnum):
    """`DBInstanceStatus`."""

    CREATING = "creating"
    AVAILABLE = "available"
    MODIFYING = "modifying"
    REBOOTING = "rebooting"
    STARTING = "starting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DELETING = "deleting"
    INCOMPATIBLE_PARAMETERS = "incompatible-parameters"
    FAILED = "failed"


class ApplyMethod(StrEnum):
    """When a changed parameter takes effect."""

    IMMEDIATE = "immediate"
    PENDING_REBOOT = "pending-reboot"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that a user changed."""

    value: str | None
    """None: reset to the engine's default."""
    apply_method: ApplyMethod


@dataclass(frozen=True, slots=True)
class ParameterGroup:
    """A DB parameter group: what differs from the family's defaults."""

    name: str
    arn: str
    family: str
    """`postgres17`."""
    description: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SubnetGroup:
    """A DB subnet group."""

    name: str
    arn: str
    description: str
    vpc_id: str
    subnet_ids: tuple[str, ...]
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Running:
    """What the server was last configured with."""

    parameter_group: str
    parameters: Mapping[str, str]
    """Values by name, as the user gave them; formulas are not computed."""


@dataclass(frozen=True, slots=True)
class DbInstance:
    """A DB instance: what was asked, and what was observed of it."""

    identifier: str
    resource_id: str
    """`db-` and 26 letters or digits; it stays when the identifier changes."""
    arn: str
    instance_class: str
    engine_version: str
    """The exact one, such as 17.10."""
    database: str | None
    """The database that was asked for at creation."""
    username: str
    address: str
    port: int
    subnet_group: str
    parameter_group: str
    status: InstanceStatus
    created_at: datetime
    settings: Json
    verifier: str | None = None
    """SCRAM verifier of a password that the server does not have yet."""
    running: Running | None = None
    """None until the server was started for the first time."""
    restart_requested_at: datetime | None = None
    """A server that was started before this has to be restarted."""
    stopped_at: datetime | None = None
    reason: str | None = None
    """Why the status is not a good one."""
    pending: Json = field(default_factory=dict)
    """Changes that wait for the maintenance window, as `PendingModifiedValues` shows them."""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def major(self) -> str:
        """The engine's major version."""
        return self.engine_version.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an instance or group."""

    key: str
    """Sorts by time."""
    at: datetime
    source_type: str
    source_identifier: str
    source_arn: str
    categories: tuple[str, ...]
    message: str
