"""Cache clusters of one node: create, describe, modify, reboot, delete."""

from __future__ import annotations

import dataclasses
from typing import Any

from miyabi.localcloud.control.elasticache import asked
from miyabi.localcloud.control.elasticache.catalogue import NODE_TYPES, values
from miyabi.localcloud.control.elasticache.engines import Engines, version_of
from miyabi.localcloud.control.elasticache.nouns import arn, combination, invalid, page, pairs
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.model.elasticache import CacheCluster, CacheStatus, PendingChange
from miyabi.policy.cache_life import run_time_settings

NODE_ID = "0001"
_MAINTENANCE = "sun:05:00-sun:06:00"
_SNAPSHOTS = "03:00-04:00"
_NODE_STATUS = {CacheStatus.REBOOTING: "rebooting", CacheStatus.MODIFYING: "available"}


class Clusters(Engines):
    """Operations on clusters."""

    def create_cache_cluster(self, caller: Caller, params: Params) -> Result:
        """Create a cluster of one node with its own address; the loop starts the node."""
        row = self._asked(caller, params)
        if self.clusters.get(caller.region, row.id) is not None:
            raise ApiError("CacheClusterAlreadyExists", f"Cache cluster {row.id} already exists")
        subnet = asked.subnet_in(self.find_subnet_group(caller.region, row.subnet_group), row.zone)
        address = self.addresses.lease(owner(caller.region, row.id), subnet.cidr)
        row = dataclasses.replace(row, address=address)
        self.clusters.put(caller.region, row.id, row)
        self.put_tags(caller.region, arn(caller, "cluster", row.id), pairs(params.get("Tags")))
        self.on_change()
        return {"CacheCluster": self._describe(caller, row, nodes=False)}

    def describe_cache_clusters(self, caller: Caller, params: Params) -> Result:
        """Describe one cluster or all."""
        name = params.get("CacheClusterId")
        rows = [self.find_cluster(caller.region, name)] if name else self.clusters.list(caller.region)
        found, marker = page(rows, params, lambda row: row.id)
        nodes = bool(params.get("ShowCacheNodeInfo"))
        return {"CacheClusters": [self._describe(caller, row, nodes=nodes) for row in found]} | marker

    def modify_cache_cluster(self, caller: Caller, params: Params) -> Result:
        """Change a cluster: node type and version at once or in the maintenance window, the rest at once."""
        asked.refuse_what_is_not_offered(params)
        row = self._available(caller, params)
        changed = self._modified(caller, row, params)
        pending = self._pending(row, params)
        changed = dataclasses.replace(changed, pending=pending)
        if params.get("ApplyImmediately"):
            changed = with_pending_applied(changed)
        if _matters(changed) != _matters(row):
            changed = dataclasses.replace(changed, status=CacheStatus.MODIFYING)
        self.clusters.put(caller.region, row.id, changed)
        self.on_change()
        return {"CacheCluster": self._describe(caller, changed, nodes=False)}

    def reboot_cache_cluster(self, caller: Caller, params: Params) -> Result:
        """Restart the node: it loses its data and takes the static parameters."""
        row = self._available(caller, params)
        if list(params["CacheNodeIdsToReboot"]) != [NODE_ID]:
            raise invalid(f"CacheNodeIdsToReboot must be {NODE_ID}: the cluster's one node.")
        row = dataclasses.replace(
            row,
            status=CacheStatus.REBOOTING,
            generation=row.generation + 1,
            static=self.static_values(caller.region, row),
            run_id=None,
        )
        self.clusters.put(caller.region, row.id, row)
        self.on_change()
        return {"CacheCluster": self._describe(caller, row, nodes=False)}

    def delete_cache_cluster(self, caller: Caller, params: Params) -> Result:
        """Delete a cluster; its row goes when its node has ended."""
        asked.refuse_what_is_not_offered(params)
        row = self.find_cluster(caller.region, params["CacheClusterId"])
        if row.status is CacheStatus.DELETING:
            raise ApiError("InvalidCacheClusterState", f"Cache cluster {row.id} is being deleted already.")
        row = dataclasses.replace(row, status=CacheStatus.DELETING)
        self.clusters.put(caller.region, row.id, row)
        self.on_change()
        return {"CacheCluster": self._describe(caller, row, nodes=False)}

    def static_values(self, region: str, row: CacheCluster) -> dict[str, str]:
        """Return the static parameters as the cluster's group has them now."""
        group = self.find_parameter_group(region, row.parameter_group)
        return values(group.family, group.values, static=True)

    def settings(self, region: str, row: CacheCluster) -> dict[str, str]:
        """Return what the node is to be set to at run time."""
        group = self.find_parameter_group(region, row.parameter_group)
        return run_time_settings(NODE_TYPES[row.node_type], values(group.family, group.values, static=False))

    def start_settings(self, region: str, row: CacheCluster) -> dict[str, str]:
        """Return what the node is started with: the whole memory, because loading at the limit would evict keys."""
        group = self.find_parameter_group(region, row.parameter_group)
        dynamic = values(group.family, group.values, static=False) | {"reserved-memory-percent": "0"}
        return {**row.static, **run_time_settings(NODE_TYPES[row.node_type], dynamic)}

    def _asked(self, caller: Caller, params: Params) -> CacheCluster:
        asked.refuse_what_is_not_offered(params)
        version = self.engine_version(params.get("Engine") or "memcached", params.get("EngineVersion"))
        group = self.find_parameter_group(
            caller.region, params.get("CacheParameterGroupName") or f"default.{version.family}"
        )
        asked.require_family(group, version)
        subnets = self.find_subnet_group(caller.region, params.get("CacheSubnetGroupName") or "default")
        return CacheCluster(
            id=asked.cluster_id(params),
            engine=version.engine,
            engine_version=version.full,
            node_type=asked.node_type(params),
            created_at=caller.now,
            zone=asked.subnet_in(subnets, params.get("PreferredAvailabilityZone")).zone,
            address="",
            port=asked.port(params),
            subnet_group=subnets.name,
            parameter_group=group.name,
            security_groups=asked.security_groups(caller, params.get("SecurityGroupIds") or []),
            maintenance_window=asked.maintenance_window(params, _MAINTENANCE),
            snapshot_window=asked.snapshot_window(params, _SNAPSHOTS),
            snapshot_retention_limit=0,
            auto_minor_version_upgrade=params.get("AutoMinorVersionUpgrade") is not False,
            static=values(group.family, group.values, static=True),
            topic_arn=params.get("NotificationTopicArn"),
        )

    def _available(self, caller: Caller, params: Params) -> CacheCluster:
        row = self.find_cluster(caller.region, params["CacheClusterId"])
        if row.status is not CacheStatus.AVAILABLE:
            raise ApiError(
                "InvalidCacheClusterState", f"Cache cluster {row.id} is not available: it is {row.status.value}."
            )
        return row

    def _modified(self, caller: Caller, row: CacheCluster, params: Params) -> CacheCluster:
        group = self.find_parameter_group(caller.region, params.get("CacheParameterGroupName") or row.parameter_group)
        asked.require_family(group, version_of(row.engine, row.engine_version))
        groups = params.get("SecurityGroupIds")
        upgrades = params.get("AutoMinorVersionUpgrade")
        topic = params.get("NotificationTopicArn") or row.topic_arn
        return dataclasses.replace(
            row,
            parameter_group=group.name,
            security_groups=asked.security_groups(caller, groups) if groups else row.security_groups,
            maintenance_window=asked.maintenance_window(params, row.maintenance_window),
            snapshot_window=asked.snapshot_window(params, row.snapshot_window),
            auto_minor_version_upgrade=row.auto_minor_version_upgrade if upgrades is None else upgrades,
            topic_arn=None if params.get("NotificationTopicStatus") == "inactive" else topic,
        )

    def _pending(self, row: CacheCluster, params: Params) -> PendingChange:
        pending = row.pending
        if (params.get("Engine") or row.engine) != row.engine:
            raise ApiError("UnsupportedOperation", "The local cloud does not change a cluster's engine.")
        if params.get("CacheNodeType"):
            wanted = asked.node_type(params)
            pending = dataclasses.replace(pending, node_type=None if wanted == row.node_type else wanted)
        if params.get("EngineVersion"):
            version = self.engine_version(row.engine, params["EngineVersion"])
            current = version_of(row.engine, row.engine_version)
            if _numbers(version.full) < _numbers(current.full):
                raise combination(f"Cannot go back from {current.full} to {version.full}: create a new cluster.")
            if version.family != current.family:
                raise combination(f"{version.full} needs a parameter group of family {version.family}: create one.")
            pending = dataclasses.replace(pending, engine_version=None if version == current else version.full)
        return pending

    def _describe(self, caller: Caller, row: CacheCluster, *, nodes: bool) -> dict[str, Any]:
        pending = {"CacheNodeType": row.pending.node_type, "EngineVersion": row.pending.engine_version}
        described: dict[str, Any] = {
            "CacheClusterId": row.id,
            "ClientDownloadLandingPage": "https://console.aws.amazon.com/elasticache/home#client-download:",
            "CacheNodeType": row.node_type,
            "Engine": row.engine,
            "EngineVersion": row.engine_version,
            "CacheClusterStatus": row.status.value,
            "NumCacheNodes": 1,
            "PreferredAvailabilityZone": row.zone,
            "CacheClusterCreateTime": row.created_at,
            "PreferredMaintenanceWindow": row.maintenance_window,
            "PendingModifiedValues": {name: value for name, value in pending.items() if value},
            "CacheSecurityGroups": [],
            "CacheParameterGroup": self._parameter_group_status(caller.region, row),
            "CacheSubnetGroupName": row.subnet_group,
            "AutoMinorVersionUpgrade": row.auto_minor_version_upgrade,
            "SecurityGroups": [{"SecurityGroupId": one, "Status": "active"} for one in row.security_groups],
            "SnapshotRetentionLimit": row.snapshot_retention_limit,
            "SnapshotWindow": row.snapshot_window,
            "AuthTokenEnabled": False,
            "TransitEncryptionEnabled": False,
            "AtRestEncryptionEnabled": False,
            "ARN": arn(caller, "cluster", row.id),
            "ReplicationGroupLogDeliveryEnabled": False,
            "LogDeliveryConfigurations": [],
            "NetworkType": "ipv4",
            "IpDiscovery": "ipv4",
        }
        if row.topic_arn:
            described["NotificationConfiguration"] = {"TopicArn": row.topic_arn, "TopicStatus": "active"}
        if nodes:
            described["CacheNodes"] = [self._node(row)]
        return described

    def _node(self, row: CacheCluster) -> dict[str, Any]:
        node = {
            "CacheNodeId": NODE_ID,
            "CacheNodeStatus": _NODE_STATUS.get(row.status, row.status.value),
            "CacheNodeCreateTime": row.created_at,
            "ParameterGroupStatus": "in-sync",
            "CustomerAvailabilityZone": row.zone,
        }
        if row.status is not CacheStatus.CREATING:
            node["Endpoint"] = {"Address": row.address, "Port": row.port}
        return node

    def _parameter_group_status(self, region: str, row: CacheCluster) -> dict[str, Any]:
        reboot = self.static_values(region, row) != dict(row.static)
        status = "in-sync" if self.settings(region, row) == dict(row.applied) else "applying"
        return {
            "CacheParameterGroupName": row.parameter_group,
            "ParameterApplyStatus": "pending-reboot" if reboot else status,
            "CacheNodeIdsToReboot": [NODE_ID] if reboot else [],
        }


def owner(region: str, cluster_id: str) -> str:
    """Return under which name a cluster leases its address."""
    return f"elasticache/{region}/{cluster_id}"


def with_pending_applied(row: CacheCluster) -> CacheCluster:
    """Return the cluster with what was pending."""
    pending = row.pending
    return dataclasses.replace(
        row,
        node_type=pending.node_type or row.node_type,
        engine_version=pending.engine_version or row.engine_version,
        pending=PendingChange(),
    )


def _matters(row: CacheCluster) -> tuple[object, ...]:
    return row.node_type, row.engine_version, row.parameter_group, row.security_groups


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
