"""Nouns of ElastiCache: clusters of one node, parameter groups, subnet groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class CacheStatus(Enum):
    """A cluster's status, in ElastiCache's words."""

    CREATING = "creating"
    AVAILABLE = "available"
    MODIFYING = "modifying"
    REBOOTING = "rebooting cluster nodes"
    DELETING = "deleting"


@dataclass(frozen=True, slots=True)
class GroupSubnet:
    """A subnet of a subnet group."""

    subnet_id: str
    zone: str
    cidr: str


@dataclass(frozen=True, slots=True)
class CacheSubnetGroup:
    """Subnets of one VPC where nodes may lie."""

    name: str
    description: str
    vpc_id: str
    subnets: tuple[GroupSubnet, ...]


@dataclass(frozen=True, slots=True)
class CacheParameterGroup:
    """Values that differ from those of the family."""

    name: str
    family: str
    description: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PendingChange:
    """What waits for the maintenance window."""

    node_type: str | None = None
    engine_version: str | None = None

    def __bool__(self) -> bool:
        return self.node_type is not None or self.engine_version is not None


@dataclass(frozen=True, slots=True)
class CacheCluster:
    """A cluster: what was asked, and what was observed of its one node."""

    id: str
    engine: str
    """`redis` or `valkey`."""
    engine_version: str
    """AWS's full version, `7.0.7`."""
    node_type: str
    created_at: datetime
    zone: str
    address: str
    port: int
    subnet_group: str
    parameter_group: str
    security_groups: tuple[str, ...]
    maintenance_window: str
    snapshot_window: str
    snapshot_retention_limit: int
    auto_minor_version_upgrade: bool
    static: Mapping[str, str]
    """The static parameters that the node was last started with: others wait for a reboot."""
    topic_arn: str | None = None
    pending: PendingChange = PendingChange()
    generation: int = 1
    """Counts up with every reboot: a node of another generation is ended, and its data with it."""
    status: CacheStatus = CacheStatus.CREATING
    run_id: str | None = None
    """Of the process that `applied` was set on."""
    applied: Mapping[str, str] = field(default_factory=dict)
    """The settings that the node took."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """The settings that the node did not take."""
