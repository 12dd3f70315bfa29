"""DB instances: create, describe, delete."""

from __future__ import annotations

from typing import Any

from miyabi.localcloud.control.network import Subnet, security_group_exists
from miyabi.localcloud.control.rds import asked
from miyabi.localcloud.control.rds.catalogue import ENGINE
from miyabi.localcloud.control.rds.described import Described
from miyabi.localcloud.control.rds.events import Events
from miyabi.localcloud.control.rds.nouns import arn, filters, new_resource_id, page, pairs, unsupported
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.localcloud.data.postgresql_roles import scram_verifier
from miyabi.model.rds import DbInstance, InstanceStatus

_FILTERS = ("db-instance-id", "dbi-resource-id", "engine", "db-cluster-id", "domain")
_GIVEN_BACK = (
    *("MaxAllocatedStorage", "Iops", "StorageThroughput", "KmsKeyId", "MonitoringRoleArn"),
    *("AvailabilityZone", "BackupTarget"),
)
_DEFAULTS: dict[str, Any] = {
    "StorageType": "gp2",
    "BackupRetentionPeriod": 1,
    "PreferredBackupWindow": "08:00-08:30",
    "PreferredMaintenanceWindow": "sun:10:00-sun:10:30",
    "MultiAZ": False,
    "PubliclyAccessible": False,
    "AutoMinorVersionUpgrade": True,
    "CopyTagsToSnapshot": False,
    "StorageEncrypted": False,
    "DeletionProtection": False,
    "DedicatedLogVolume": False,
    "MonitoringInterval": 0,
    "LicenseModel": "postgresql-license",
    "NetworkType": "IPV4",
    "BackupTarget": "region",
    "EngineLifecycleSupport": "open-source-rds-extended-support",
}


def address_owner(row: DbInstance) -> str:
    """Return under which name the instance holds its address."""
    return f"rds/{row.resource_id}"


class Instances(Described, Events):
    """Operations on instances."""

    def create_db_instance(self, caller: Caller, params: Params) -> Result:
        """Create an instance: its row now, its server as soon as the loop has made it."""
        asked.require_offered(params)
        if params["Engine"] != ENGINE:
            raise unsupported(f"the engine {params['Engine']}: databases are postgres")
        identifier = asked.identifier(params["DBInstanceIdentifier"])
        if any(row.identifier == identifier for row in self.instances.list(caller.region)):
            raise ApiError("DBInstanceAlreadyExists", "DB instance already exists")
        binaries = self.versions.choose(params.get("EngineVersion"))
        group_name = params.get("DBParameterGroupName") or f"default.postgres{binaries.major}"
        group = self.find_parameter_group(caller.account, caller.region, group_name)
        if group.family != f"postgres{binaries.major}":
            raise ApiError(
                "InvalidParameterCombination",
                f"The Parameter Group {group.name} with DBParameterGroupFamily {group.family} cannot be used for this"
                f" instance. Please use a Parameter Group with DBParameterGroupFamily postgres{binaries.major}",
            )
        subnet_group = (params.get("DBSubnetGroupName") or "default").lower()
        subnets = self.group_subnets(caller, subnet_group)
        resource_id = new_resource_id()
        row = DbInstance(
            identifier=identifier,
            resource_id=resource_id,
            arn=arn(caller.account, caller.region, "db", identifier),
            instance_class=asked.instance_class(params["DBInstanceClass"]),
            engine_version=binaries.version,
            database=asked.database_name(params.get("DBName")),
            username=asked.username(params.get("MasterUsername")),
            address="",
            port=asked.port(params.get("Port")),
            subnet_group=subnet_group,
            parameter_group=group.name,
            status=InstanceStatus.CREATING,
            created_at=caller.now,
            settings=self._settings(caller, params, subnets),
            # Of the password only what PostgreSQL itself would keep, and that only until it has it.
            verifier=scram_verifier(asked.password(params.get("MasterUserPassword"))),
            tags=pairs(params.get("Tags")),
        )
        cidr = next(each.cidr for each in subnets if each.zone == row.settings["AvailabilityZone"])
        address = self.addresses.lease(address_owner(row), cidr)
        self.put_instance(caller.region, row)
        created = self.change_instance(caller.region, resource_id, address=address)
        return {"DBInstance": self.describe_instance(caller, created or row)}

    def describe_db_instances(self, caller: Caller, params: Params) -> Result:
        """Describe all instances, the one that is named, or those that the filters leave."""
        rows = sorted(self.instances.list(caller.region), key=lambda row: row.identifier)
        if params.get("DBInstanceIdentifier"):
            rows = [self.find_instance(caller.region, params["DBInstanceIdentifier"])]
        for name, values in filters(params, _FILTERS).items():
            rows = [row for row in rows if _field(row, name) & {value.rpartition(":")[2] for value in values}]
        return page("DBInstances", [self.describe_instance(caller, row) for row in rows], params)

    def delete_db_instance(self, caller: Caller, params: Params) -> Result:
        """Delete an instance with everything in it."""
        row = self.find_instance(caller.region, params["DBInstanceIdentifier"])
        skip, final = bool(params.get("SkipFinalSnapshot")), params.get("FinalDBSnapshotIdentifier")
        if row.status is InstanceStatus.DELETING:
            raise ApiError("InvalidDBInstanceState", f"Instance {row.identifier} is already being deleted.")
        if row.settings["DeletionProtection"]:
            raise ApiError(
                "InvalidParameterCombination",
                "Cannot delete protected DB Instance, please disable deletion protection and try again.",
            )
        if skip and final:
            raise ApiError(
                "InvalidParameterCombination",
                "FinalDBSnapshotIdentifier can not be specified when deleting with SkipFinalSnapshot.",
            )
        if not skip and not final:
            raise ApiError(
                "InvalidParameterCombination",
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
            )
        if not skip:
            raise unsupported(
                f"final snapshots yet, so {row.identifier} was not deleted: delete it with SkipFinalSnapshot if its"
                " data may go"
            )
        deleting = self.change_instance(
            caller.region, row.resource_id, status=InstanceStatus.DELETING, verifier=None, reason=None
        )
        self.on_change()
        return {"DBInstance": self.describe_instance(caller, deleting or row)}

    def security_groups(self, caller: Caller, ids: list[str]) -> list[str]:
        """Return the security groups that a request names; InvalidParameterValue for one that is not there."""
        self.ensure_network(caller.region)
        for group_id in ids:
            if not security_group_exists(caller.account, caller.region, group_id):
                raise ApiError("InvalidParameterValue", f"Invalid security group , groupId= {group_id}, groupName=.")
        return ids

    def _settings(self, caller: Caller, params: Params, subnets: list[Subnet]) -> dict[str, Any]:
        given = {name: params[name] for name in (*_DEFAULTS, *_GIVEN_BACK) if params.get(name) is not None}
        settings = {**_DEFAULTS, **given}
        settings["AllocatedStorage"] = params.get("AllocatedStorage") or 20
        zones = sorted({each.zone for each in subnets})
        zone = settings.setdefault("AvailabilityZone", zones[0])
        if zone not in zones:
            raise ApiError("InvalidVPCNetworkStateFault", f"The DB subnet group has no subnet in {zone}.")
        if settings["MultiAZ"]:
            settings["SecondaryAvailabilityZone"] = next((each for each in zones if each != zone), zone)
        settings["VpcSecurityGroupIds"] = self.security_groups(caller, params.get("VpcSecurityGroupIds") or [])
        asked.storage(settings)
        asked.windows(settings)
        return settings


def _field(row: DbInstance, name: str) -> set[str]:
    return {
        "db-instance-id": {row.identifier},
        "dbi-resource-id": {row.resource_id},
        "engine": {ENGINE},
        "db-cluster-id": set[str](),
        "domain": set[str](),
    }[name]
