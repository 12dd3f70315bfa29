"""What a request to create or change a cluster may ask for here, and what it may not."""

from __future__ import annotations

import re
from collections.abc import Sequence

from miyabi.localcloud.control.elasticache.catalogue import NODE_TYPES, EngineVersion
from miyabi.localcloud.control.elasticache.nouns import combination, invalid
from miyabi.localcloud.control.network import security_group_exists
from miyabi.localcloud.control.service import ApiError, Caller, Params
from miyabi.model.elasticache import CacheParameterGroup, CacheSubnetGroup, GroupSubnet
from miyabi.policy.cache_life import is_window

_ID = re.compile(r"(?!.*--)[a-z][a-z0-9-]{0,49}(?<!-)")
_SNAPSHOT_WINDOW = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")
_REFUSED = {
    "AuthToken": "passwords: on AWS they need a replication group with TLS",
    "TransitEncryptionEnabled": "TLS to a cache",
    "ReplicationGroupId": "replication groups",
    "SnapshotArns": "snapshots of caches yet",
    "SnapshotName": "snapshots of caches yet",
    "SnapshotRetentionLimit": "automatic snapshots of caches yet: leave SnapshotRetentionLimit at 0",
    "LogDeliveryConfigurations": "delivery of a cache's logs",
    "FinalSnapshotIdentifier": "snapshots of caches yet",
    "OutpostMode": "Outposts",
}


def refuse_what_is_not_offered(params: Params) -> None:
    """Raise UnsupportedOperation rather than pretend."""
    for name, what in _REFUSED.items():
        if params.get(name):
            raise ApiError("UnsupportedOperation", f"The local cloud does not offer {what}.")
    if (params.get("NumCacheNodes") or 1) != 1:
        raise invalid("NumCacheNodes must be 1 for Redis and Valkey; replicas need a replication group.")
    if params.get("AZMode") == "cross-az":
        raise combination("AZMode cross-az needs Memcached.")
    if (params.get("NetworkType") or "ipv4") != "ipv4" or (params.get("IpDiscovery") or "ipv4") != "ipv4":
        raise ApiError("UnsupportedOperation", "The local cloud does not offer IPv6.")


def cluster_id(params: Params) -> str:
    """Return the id, in lower case."""
    found: str = params["CacheClusterId"].lower()
    if not _ID.fullmatch(found):
        raise invalid(
            f"The cluster id '{found}' is not valid: up to 50 letters, digits and hyphens, beginning with a letter,"
            " no hyphen at the end and no two in a row."
        )
    return found


def node_type(params: Params) -> str:
    """Return the node type."""
    found: str = params.get("CacheNodeType") or ""
    if found not in NODE_TYPES:
        raise invalid(f"Invalid cache node type '{found}'. Offered here: {', '.join(NODE_TYPES)}.")
    return found


def port(params: Params) -> int:
    """Return the port."""
    found = int(params.get("Port") or 6379)
    if not 1024 <= found <= 65535:
        raise invalid(f"The port {found} is not valid: it must be between 1024 and 65535.")
    return found


def maintenance_window(params: Params, default: str) -> str:
    """Return the weekly window."""
    found: str = params.get("PreferredMaintenanceWindow") or default
    if not is_window(found):
        raise invalid(f"The maintenance window '{found}' is not valid: give at least an hour, as sun:05:00-sun:06:00.")
    return found.lower()


def snapshot_window(params: Params, default: str) -> str:
    """Return the daily window."""
    found: str = params.get("SnapshotWindow") or default
    if not _SNAPSHOT_WINDOW.fullmatch(found):
        raise invalid(f"The snapshot window '{found}' is not valid: give it as 03:00-04:00.")
    return found


def security_groups(caller: Caller, ids: Sequence[str]) -> tuple[str, ...]:
    """Return the security groups after checking that they exist."""
    for group_id in ids:
        if not security_group_exists(caller.account, caller.region, group_id):
            raise invalid(f"The security group ID '{group_id}' does not exist.")
    return tuple(ids)


def subnet_in(group: CacheSubnetGroup, zone: str | None) -> GroupSubnet:
    """Return the subnet of the node: in the zone that was asked for, else the first."""
    found = next((one for one in group.subnets if zone in {None, one.zone}), None)
    if found is None:
        raise combination(f"The subnet group {group.name} has no subnet in {zone}.")
    return found


def require_family(group: CacheParameterGroup, version: EngineVersion) -> None:
    """Raise InvalidParameterCombination where the group is not for this version."""
    if group.family != version.family:
        raise combination(
            f"Expected a parameter group of family {version.family} but found one of family {group.family}."
        )
