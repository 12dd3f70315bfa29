"""Live ElastiCache as one service."""

from __future__ import annotations

from typing import ClassVar

from miyabi.localcloud.control.elasticache.clusters import Clusters
from miyabi.localcloud.control.elasticache.nouns import Nouns, pairs
from miyabi.localcloud.control.elasticache.parameter_groups import ParameterGroups
from miyabi.localcloud.control.elasticache.subnet_groups import SubnetGroups
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result


class Tags(Nouns):
    """Operations on tags."""

    def add_tags_to_resource(self, caller: Caller, params: Params) -> Result:
        """Add tags or replace their values."""
        name = self._require(caller, params["ResourceName"])
        held = (self.tags.get(caller.region, name) or {}) | pairs(params["Tags"])
        self.put_tags(caller.region, name, held)
        return self._list(caller, name)

    def remove_tags_from_resource(self, caller: Caller, params: Params) -> Result:
        """Remove tags; TagNotFound for one that is not there."""
        name = self._require(caller, params["ResourceName"])
        held = dict(self.tags.get(caller.region, name) or {})
        for key in params["TagKeys"]:
            if held.pop(key, None) is None:
                raise ApiError("TagNotFound", f"The tag {key} is not on {name}.")
        self.put_tags(caller.region, name, held)
        return self._list(caller, name)

    def list_tags_for_resource(self, caller: Caller, params: Params) -> Result:
        """List a resource's tags."""
        return self._list(caller, self._require(caller, params["ResourceName"]))

    def _list(self, caller: Caller, name: str) -> Result:
        tags = self.tags.get(caller.region, name) or {}
        return {"TagList": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _require(self, caller: Caller, name: str) -> str:
        parts = name.split(":", 6)
        if len(parts) < 7 or parts[2] != "elasticache":
            raise ApiError("InvalidARN", f"{name} is not an ARN of ElastiCache.")
        find = {
            "cluster": self.find_cluster,
            "parametergroup": self.find_parameter_group,
            "subnetgroup": self.find_subnet_group,
        }.get(parts[5])
        if find is None or parts[3] != caller.region:
            raise ApiError("InvalidARN", f"{name} names nothing of the local cloud in {caller.region}.")
        find(caller.region, parts[6])
        return name


class ElastiCache(Clusters, ParameterGroups, SubnetGroups, Tags):
    """ElastiCache: clusters of one Redis or Valkey node.

    on_change: called after a change that the loop should look at.
    ensure_network: called before EC2's records of a region are read.
    """

    whole: ClassVar[bool] = True

    def describe_replication_groups(self, caller: Caller, params: Params) -> Result:  # noqa: ARG002
        """Describe no replication group: none can be created here."""
        name = params.get("ReplicationGroupId")
        if name:
            raise ApiError("ReplicationGroupNotFoundFault", f"ReplicationGroup {name} not found.")
        return {"ReplicationGroups": []}

    def describe_snapshots(self, caller: Caller, params: Params) -> Result:  # noqa: ARG002
        """Describe no snapshot: none can be created here yet."""
        name = params.get("SnapshotName")
        if name:
            raise ApiError("SnapshotNotFoundFault", f"Snapshot {name} not found.")
        return {"Snapshots": []}

    def describe_update_actions(self, caller: Caller, params: Params) -> Result:  # noqa: ARG002
        """Describe no service update: there are none."""
        return {"UpdateActions": []}
