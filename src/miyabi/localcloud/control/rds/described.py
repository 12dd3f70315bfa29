"""A DB instance as DescribeDBInstances shows it."""

from __future__ import annotations

from typing import Any

from miyabi.localcloud.control.rds.catalogue import ENGINE
from miyabi.localcloud.control.rds.nouns import as_pairs
from miyabi.localcloud.control.rds.subnet_groups import SubnetGroups
from miyabi.localcloud.control.service import Caller, Result
from miyabi.localcloud.data.server_certificate import IDENTIFIER
from miyabi.model.rds import DbInstance, InstanceStatus
from miyabi.policy.database_life import LONGEST_STOP
from miyabi.policy.database_parameters import apply_status

ECHOED = (
    "AllocatedStorage",
    "AutoMinorVersionUpgrade",
    "AvailabilityZone",
    "BackupRetentionPeriod",
    "BackupTarget",
    "CopyTagsToSnapshot",
    "DedicatedLogVolume",
    "EngineLifecycleSupport",
    "Iops",
    "KmsKeyId",
    "LicenseModel",
    "MaxAllocatedStorage",
    "MonitoringInterval",
    "MonitoringRoleArn",
    "MultiAZ",
    "NetworkType",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "PubliclyAccessible",
    "SecondaryAvailabilityZone",
    "StorageEncrypted",
    "StorageThroughput",
    "StorageType",
)
"""Settings that only have to be given back."""


class Described(SubnetGroups):
    """Describes instances."""

    def describe_instance(self, caller: Caller, row: DbInstance) -> Result:
        """Return the instance as RDS shows it. A new one has no endpoint before its server has answered."""
        settings = row.settings
        group = self.group_of(caller.account, caller.region, row)
        described: dict[str, Any] = {name: settings[name] for name in ECHOED if settings.get(name) is not None}
        described |= {
            "DBInstanceIdentifier": row.identifier,
            "DBInstanceArn": row.arn,
            "DbiResourceId": row.resource_id,
            "DBInstanceClass": row.instance_class,
            "DBInstanceStatus": row.status.value,
            "Engine": ENGINE,
            "EngineVersion": row.engine_version,
            "MasterUsername": row.username,
            "InstanceCreateTime": row.created_at,
            "DbInstancePort": 0,
            "DBSecurityGroups": [],
            "VpcSecurityGroups": [
                {"VpcSecurityGroupId": each, "Status": "active"} for each in settings.get("VpcSecurityGroupIds", [])
            ],
            "DBParameterGroups": [
                {"DBParameterGroupName": group.name, "ParameterApplyStatus": apply_status(row.running, group)}
            ],
            "DBSubnetGroup": self.describe_group_named(caller, row.subnet_group),
            "OptionGroupMemberships": [{"OptionGroupName": f"default:postgres-{row.major}", "Status": "in-sync"}],
            "PendingModifiedValues": row.pending,
            "ReadReplicaDBInstanceIdentifiers": [],
            "DomainMemberships": [],
            "AssociatedRoles": [],
            "EnabledCloudwatchLogsExports": [],
            "DeletionProtection": settings["DeletionProtection"],
            "IAMDatabaseAuthenticationEnabled": False,
            "PerformanceInsightsEnabled": False,
            "CustomerOwnedIpEnabled": False,
            "ActivityStreamStatus": "stopped",
            "CACertificateIdentifier": IDENTIFIER,
            "TagList": as_pairs(row.tags),
        }
        if row.database is not None:
            described["DBName"] = row.database
        if row.status is not InstanceStatus.CREATING:
            described["Endpoint"] = {"Address": row.address, "Port": row.port}
        if row.stopped_at is not None and row.status is InstanceStatus.STOPPED:
            described["AutomaticRestartTime"] = row.stopped_at + LONGEST_STOP
        if row.reason is not None:
            described["StatusInfos"] = [
                {"StatusType": "instance", "Normal": False, "Status": row.status.value, "Message": row.reason}
            ]
        described["CertificateDetails"] = {
            "CAIdentifier": IDENTIFIER,
            "ValidTill": self.authority.describe().valid_till,
        }
        return described
