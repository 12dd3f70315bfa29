"""Cache subnet groups."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from miyabi.localcloud.control.elasticache.nouns import Nouns, arn, invalid, page, pairs
from miyabi.localcloud.control.network import subnet
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.model.elasticache import CacheSubnetGroup, GroupSubnet

_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}")


class SubnetGroups(Nouns):
    """Operations on subnet groups."""

    def create_cache_subnet_group(self, caller: Caller, params: Params) -> Result:
        """Create a subnet group."""
        name = params["CacheSubnetGroupName"].lower()
        if not _NAME.fullmatch(name) or name == "default":
            raise invalid(f"The cache subnet group name '{name}' is not valid.")
        if self.subnet_groups.get(caller.region, name) is not None:
            raise ApiError("CacheSubnetGroupAlreadyExists", f"Cache subnet group {name} already exists.")
        vpc_id, subnets = self._subnets(caller, params["SubnetIds"])
        row = CacheSubnetGroup(name, params["CacheSubnetGroupDescription"], vpc_id, subnets)
        self.subnet_groups.put(caller.region, name, row)
        self.put_tags(caller.region, arn(caller, "subnetgroup", name), pairs(params.get("Tags")))
        return {"CacheSubnetGroup": _describe(caller, row)}

    def describe_cache_subnet_groups(self, caller: Caller, params: Params) -> Result:
        """Describe one subnet group or all."""
        name = params.get("CacheSubnetGroupName")
        rows = [self.find_subnet_group(caller.region, name)] if name else self.subnet_groups.list(caller.region)
        found, marker = page(rows, params, lambda row: row.name)
        return {"CacheSubnetGroups": [_describe(caller, row) for row in found]} | marker

    def modify_cache_subnet_group(self, caller: Caller, params: Params) -> Result:
        """Change description and subnets; subnets where a node lies must stay."""
        row = self.find_subnet_group(caller.region, params["CacheSubnetGroupName"])
        if params.get("CacheSubnetGroupDescription") is not None:
            row = dataclasses.replace(row, description=params["CacheSubnetGroupDescription"])
        if params.get("SubnetIds"):
            vpc_id, subnets = self._subnets(caller, params["SubnetIds"])
            kept = {subnet.zone for subnet in subnets}
            for cluster in self.clusters.list(caller.region):
                if cluster.subnet_group == row.name and cluster.zone not in kept:
                    raise ApiError("SubnetInUse", f"The subnet in {cluster.zone} is in use by {cluster.id}.")
            row = dataclasses.replace(row, vpc_id=vpc_id, subnets=subnets)
        self.subnet_groups.put(caller.region, row.name, row)
        return {"CacheSubnetGroup": _describe(caller, row)}

    def delete_cache_subnet_group(self, caller: Caller, params: Params) -> Result:
        """Delete a subnet group that no cluster uses."""
        row = self.find_subnet_group(caller.region, params["CacheSubnetGroupName"])
        users = [cluster.id for cluster in self.clusters.list(caller.region) if cluster.subnet_group == row.name]
        if users:
            raise ApiError(
                "CacheSubnetGroupInUse",
                f"Cache subnet group {row.name} is currently in use by a cache cluster: {', '.join(users)}.",
            )
        self.subnet_groups.delete(caller.region, row.name)
        self.tags.delete(caller.region, arn(caller, "subnetgroup", row.name))
        return {}

    def _subnets(self, caller: Caller, ids: Sequence[str]) -> tuple[str, tuple[GroupSubnet, ...]]:
        self.ensure_network(caller.region)
        try:
            found = [subnet(caller.account, caller.region, subnet_id) for subnet_id in dict.fromkeys(ids)]
        except ApiError as error:
            raise ApiError("InvalidSubnet", error.message) from error
        if not found:
            raise invalid("A cache subnet group needs at least one subnet.")
        if len({one.vpc_id for one in found}) > 1:
            raise ApiError("InvalidSubnet", "All subnets of a cache subnet group must be in the same VPC.")
        ordered = sorted(found, key=lambda one: (one.zone, one.subnet_id))
        return found[0].vpc_id, tuple(GroupSubnet(one.subnet_id, one.zone, one.cidr) for one in ordered)


def _describe(caller: Caller, row: CacheSubnetGroup) -> dict[str, Any]:
    return {
        "CacheSubnetGroupName": row.name,
        "CacheSubnetGroupDescription": row.description,
        "VpcId": row.vpc_id,
        "Subnets": [
            {
                "SubnetIdentifier": one.subnet_id,
                "SubnetAvailabilityZone": {"Name": one.zone},
                "SupportedNetworkTypes": ["ipv4"],
            }
            for one in row.subnets
        ],
        "ARN": arn(caller, "subnetgroup", row.name),
        "SupportedNetworkTypes": ["ipv4"],
    }
