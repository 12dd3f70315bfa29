"""DB subnet groups."""

from __future__ import annotations

import dataclasses
import re

from moto.ec2.models import ec2_backends

from miyabi.localcloud.control.network import Subnet, subnet
from miyabi.localcloud.control.rds.nouns import Nouns, arn, page, pairs
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.model.rds import SubnetGroup

_NAME = re.compile(r"[a-z0-9 ._-]{1,255}")


class SubnetGroups(Nouns):
    """Operations on DB subnet groups."""

    def create_db_subnet_group(self, caller: Caller, params: Params) -> Result:
        """Create a group of subnets in two zones at least."""
        name = params["DBSubnetGroupName"].lower()
        if not _NAME.fullmatch(name) or name == "default":
            raise ApiError("InvalidParameterValue", f"The parameter DBSubnetGroupName is not a valid name: {name}")
        if self.subnet_groups.get(caller.region, name) is not None:
            raise ApiError("DBSubnetGroupAlreadyExists", f"The DB subnet group '{name}' already exists.")
        subnets = self._subnets(caller, params["SubnetIds"])
        row = SubnetGroup(
            name=name,
            arn=arn(caller.account, caller.region, "subgrp", name),
            description=params["DBSubnetGroupDescription"],
            vpc_id=subnets[0].vpc_id,
            subnet_ids=tuple(each.subnet_id for each in subnets),
            tags=pairs(params.get("Tags")),
        )
        self.subnet_groups.put(caller.region, name, row)
        return {"DBSubnetGroup": self.describe_group(caller, row)}

    def describe_db_subnet_groups(self, caller: Caller, params: Params) -> Result:
        """Describe all groups, or the one that is named."""
        if params.get("DBSubnetGroupName"):
            rows = [self.find_subnet_group(caller.region, params["DBSubnetGroupName"])]
        else:
            rows = self.subnet_groups.list(caller.region)
        return page("DBSubnetGroups", [self.describe_group(caller, row) for row in rows], params)

    def modify_db_subnet_group(self, caller: Caller, params: Params) -> Result:
        """Replace the group's subnets, and its description where one is given."""
        row = self.find_subnet_group(caller.region, params["DBSubnetGroupName"])
        subnets = self._subnets(caller, params["SubnetIds"])
        if subnets[0].vpc_id != row.vpc_id:
            raise ApiError("InvalidSubnet", f"The subnets are not in the group's VPC {row.vpc_id}.")
        row = dataclasses.replace(
            row,
            subnet_ids=tuple(each.subnet_id for each in subnets),
            description=params.get("DBSubnetGroupDescription") or row.description,
        )
        self.subnet_groups.put(caller.region, row.name, row)
        return {"DBSubnetGroup": self.describe_group(caller, row)}

    def delete_db_subnet_group(self, caller: Caller, params: Params) -> Result:
        """Delete a group that no instance uses."""
        row = self.find_subnet_group(caller.region, params["DBSubnetGroupName"])
        users = [each.identifier for each in self.instances.list(caller.region) if each.subnet_group == row.name]
        if users:
            raise ApiError(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnet group '{row.name}' because at least one database instance:"
                f" {users[0]} is still using it.",
            )
        self.subnet_groups.delete(caller.region, row.name)
        return {}

    def group_subnets(self, caller: Caller, name: str) -> list[Subnet]:
        """Return the subnets of a group; those of the default VPC for `default`."""
        self.ensure_network(caller.region)
        if name == "default" and self.subnet_groups.get(caller.region, name) is None:
            known = ec2_backends[caller.account][caller.region].describe_subnets()
            ids = [each.id for each in known if str(each.default_for_az).lower() == "true"]
            found = [subnet(caller.account, caller.region, each) for each in ids]
            if not found:
                raise ApiError("InvalidVPCNetworkStateFault", "There is no default VPC: name a DB subnet group.")
            return found
        row = self.find_subnet_group(caller.region, name)
        return [subnet(caller.account, caller.region, each) for each in row.subnet_ids]

    def describe_group(self, caller: Caller, row: SubnetGroup) -> Result:
        """Return the group as RDS shows it."""
        self.ensure_network(caller.region)
        return {
            "DBSubnetGroupName": row.name,
            "DBSubnetGroupDescription": row.description,
            "VpcId": row.vpc_id,
            "SubnetGroupStatus": "Complete",
            "DBSubnetGroupArn": row.arn,
            "SupportedNetworkTypes": ["IPV4"],
            "Subnets": [_described(caller, each) for each in row.subnet_ids],
        }

    def describe_group_named(self, caller: Caller, name: str) -> Result:
        """Return the group of an instance, which may be the default VPC's."""
        row = self.subnet_groups.get(caller.region, name)
        if row is None:
            subnets = self.group_subnets(caller, name)
            group_arn = arn(caller.account, caller.region, "subgrp", name)
            ids = tuple(each.subnet_id for each in subnets)
            row = SubnetGroup(name, group_arn, "default", subnets[0].vpc_id, ids)
        return self.describe_group(caller, row)

    def _subnets(self, caller: Caller, ids: list[str]) -> list[Subnet]:
        self.ensure_network(caller.region)
        try:
            found = [subnet(caller.account, caller.region, each) for each in dict.fromkeys(ids)]
        except ApiError as error:
            raise ApiError("InvalidSubnet", str(error.message)) from error
        if len({each.vpc_id for each in found}) > 1:
            raise ApiError("InvalidSubnet", "The subnets are not in the same VPC.")
        if len({each.zone for each in found}) < 2:
            raise ApiError(
                "DBSubnetGroupDoesNotCoverEnoughAZs",
                "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement."
                f" Current AZ coverage: {', '.join(each.zone for each in found)}. Add subnets to cover at least 2 AZs.",
            )
        return found


def _described(caller: Caller, subnet_id: str) -> Result:
    try:
        zone = {"SubnetAvailabilityZone": {"Name": subnet(caller.account, caller.region, subnet_id).zone}}
        status = "Active"
    except ApiError:  # it was deleted
        zone, status = {}, "Inactive"
    return {"SubnetIdentifier": subnet_id, "SubnetStatus": status, **zone}
