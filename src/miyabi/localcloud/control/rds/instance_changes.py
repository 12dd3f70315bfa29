"""DB instances: modify, reboot, stop, start."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from miyabi.localcloud.control.rds import asked
from miyabi.localcloud.control.rds.instances import Instances
from miyabi.localcloud.control.rds.nouns import unsupported
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.localcloud.data.postgresql_roles import scram_verifier
from miyabi.localcloud.data.server_certificate import IDENTIFIER
from miyabi.model.rds import DbInstance, InstanceStatus

_AT_ONCE = (
    *("BackupRetentionPeriod", "PreferredBackupWindow", "PreferredMaintenanceWindow", "AutoMinorVersionUpgrade"),
    *("CopyTagsToSnapshot", "DeletionProtection", "PubliclyAccessible", "MaxAllocatedStorage", "MonitoringInterval"),
    *("MonitoringRoleArn", "DedicatedLogVolume", "LicenseModel"),
)
_MAY_WAIT = (
    *("DBInstanceClass", "AllocatedStorage", "Iops", "StorageThroughput", "StorageType", "MultiAZ", "EngineVersion"),
    *("Port", "DBInstanceIdentifier"),
)
"""Changes that wait for the maintenance window unless `ApplyImmediately` is set. Source: docs.aws.amazon.com,
"Available settings" of "Modifying an Amazon RDS DB instance"."""
_RENAMED = {"DBPortNumber": "Port", "NewDBInstanceIdentifier": "DBInstanceIdentifier"}
_MODIFIABLE = {InstanceStatus.AVAILABLE, InstanceStatus.INCOMPATIBLE_PARAMETERS}


class InstanceChanges(Instances):
    """Operations that change an instance."""

    def modify_db_instance(self, caller: Caller, params: Params) -> Result:
        """Change settings: at once, or in the maintenance window."""
        asked.require_offered(params)
        row = self.find_instance(caller.region, params["DBInstanceIdentifier"])
        if row.status not in _MODIFIABLE:
            self.require_available(row)
        row = self._with_settings(caller, row, params)
        changes = self._asked_changes(caller, row, params)
        if params.get("ApplyImmediately"):
            row = apply_changes(row, {**row.pending, **changes}, caller.now)
        elif changes:
            row = dataclasses.replace(row, pending={**row.pending, **changes})
        if params.get("MasterUserPassword") is not None:
            row = dataclasses.replace(row, verifier=scram_verifier(asked.password(params["MasterUserPassword"])))
        if row.status is InstanceStatus.AVAILABLE:  # the loop says when it is available with all of this
            row = dataclasses.replace(row, status=InstanceStatus.MODIFYING)
        self.put_instance(caller.region, row)
        return {"DBInstance": self.describe_instance(caller, row)}

    def reboot_db_instance(self, caller: Caller, params: Params) -> Result:
        """Restart the server; parameters that waited for it are applied."""
        row = self.find_instance(caller.region, params["DBInstanceIdentifier"])
        if row.status not in _MODIFIABLE:
            self.require_available(row)
        if params.get("ForceFailover"):
            if not row.settings["MultiAZ"]:
                raise ApiError(
                    "InvalidParameterCombination", "ForceFailover cannot be specified for a Single-AZ instance."
                )
            raise unsupported("failover: there is no standby")
        row = dataclasses.replace(row, status=InstanceStatus.REBOOTING, restart_requested_at=caller.now)
        self.put_instance(caller.region, row)
        return {"DBInstance": self.describe_instance(caller, row)}

    def stop_db_instance(self, caller: Caller, params: Params) -> Result:
        """Stop the server; its data and address stay."""
        row = self.find_instance(caller.region, params["DBInstanceIdentifier"])
        self.require_available(row)
        if params.get("DBSnapshotIdentifier"):
            raise unsupported("snapshots yet")
        row = dataclasses.replace(row, status=InstanceStatus.STOPPING)
        self.put_instance(caller.region, row)
        return {"DBInstance": self.describe_instance(caller, row)}

    def start_db_instance(self, caller: Caller, params: Params) -> Result:
        """Start the server of a stopped instance."""
        row = self.find_instance(caller.region, params["DBInstanceIdentifier"])
        if row.status is not InstanceStatus.STOPPED:
            raise ApiError("InvalidDBInstanceState", f"Instance {row.identifier} is not stopped.")
        row = dataclasses.replace(row, status=InstanceStatus.STARTING, stopped_at=None)
        self.put_instance(caller.region, row)
        return {"DBInstance": self.describe_instance(caller, row)}

    def _with_settings(self, caller: Caller, row: DbInstance, params: Params) -> DbInstance:
        settings = {**row.settings, **{name: params[name] for name in _AT_ONCE if params.get(name) is not None}}
        if params.get("VpcSecurityGroupIds") is not None:
            settings["VpcSecurityGroupIds"] = self.security_groups(caller, params["VpcSecurityGroupIds"])
        if params.get("MaxAllocatedStorage") == settings["AllocatedStorage"]:
            settings.pop("MaxAllocatedStorage")  # RDS: so storage autoscaling is switched off
        asked.windows(settings)
        group = row.parameter_group
        if params.get("DBParameterGroupName"):
            found = self.find_parameter_group(caller.account, caller.region, params["DBParameterGroupName"])
            if found.family != f"postgres{row.major}":
                raise ApiError(
                    "InvalidParameterCombination",
                    f"The Parameter Group {found.name} with DBParameterGroupFamily {found.family} cannot be used for"
                    f" this instance. Please use a Parameter Group with DBParameterGroupFamily postgres{row.major}",
                )
            group = found.name
        if params.get("DBSubnetGroupName") and params["DBSubnetGroupName"].lower() != row.subnet_group:
            raise unsupported("moving an instance to another DB subnet group")
        if params.get("CACertificateIdentifier") not in {None, IDENTIFIER}:
            raise ApiError("CertificateNotFound", f"Certificate not found: {params['CACertificateIdentifier']}")
        return dataclasses.replace(row, settings=settings, parameter_group=group)

    def _asked_changes(self, caller: Caller, row: DbInstance, params: Params) -> dict[str, Any]:
        """Return what differs and may have to wait, under the names of `PendingModifiedValues`."""
        given = {name: params[name] for name in _MAY_WAIT if params.get(name) is not None}
        given.pop("DBInstanceIdentifier", None)
        given |= {new: params[old] for old, new in _RENAMED.items() if params.get(old) is not None}
        now = {
            **row.settings,
            "DBInstanceClass": row.instance_class,
            "EngineVersion": row.engine_version,
            "Port": row.port,
            "DBInstanceIdentifier": row.identifier,
        }
        if "EngineVersion" in given:
            chosen = self.versions.choose(given["EngineVersion"])
            if chosen.major != row.major:
                raise unsupported(f"upgrades to another major version: the data of {row.identifier} is of {row.major}")
            given["EngineVersion"] = chosen.version
        if "DBInstanceIdentifier" in given:
            given["DBInstanceIdentifier"] = asked.identifier(given["DBInstanceIdentifier"])
            if given["DBInstanceIdentifier"] != row.identifier:
                self._require_free(caller.region, given["DBInstanceIdentifier"])
        if "DBInstanceClass" in given:
            asked.instance_class(given["DBInstanceClass"])
        if "Port" in given:
            asked.port(given["Port"])
        if given.get("AllocatedStorage", now["AllocatedStorage"]) < now["AllocatedStorage"]:
            raise ApiError("InvalidParameterCombination", "Requested storage size is smaller than the current one.")
        asked.storage({**now, **given})
        return {name: value for name, value in given.items() if value != now.get(name)}

    def _require_free(self, region: str, identifier: str) -> None:
        if any(row.identifier == identifier for row in self.instances.list(region)):
            raise ApiError("DBInstanceAlreadyExists", "DB instance already exists")


def apply_changes(row: DbInstance, changes: dict[str, Any], now: datetime) -> DbInstance:
    """Return the row with changes that waited; the server is restarted where one of them needs it."""
    left = dict(changes)
    instance_class, port = left.pop("DBInstanceClass", row.instance_class), left.pop("Port", row.port)
    version, identifier = (
        left.pop("EngineVersion", row.engine_version),
        left.pop("DBInstanceIdentifier", row.identifier),
    )
    before = (row.instance_class, row.port, row.engine_version)
    restart = (instance_class, port, version) != before
    prefix = row.arn.rpartition(":")[0]
    settings = {**row.settings, **left}
    if not settings["MultiAZ"]:
        settings.pop("SecondaryAvailabilityZone", None)
    return dataclasses.replace(
        row,
        identifier=identifier,
        arn=f"{prefix}:{identifier}",
        instance_class=instance_class,
        port=port,
        engine_version=version,
        settings=settings,
        pending={},
        restart_requested_at=now if restart else row.restart_requested_at,
    )
