"""What a request asks of an instance, checked as RDS checks it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from miyabi.localcloud.control.rds.catalogue import CLASSES
from miyabi.localcloud.control.rds.nouns import unsupported
from miyabi.localcloud.control.service import ApiError, Params
from miyabi.policy.maintenance import BrokenWindow, daily, weekly

_IDENTIFIER = re.compile(r"[a-z](-?[a-z0-9]){0,62}")
_SQL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_RESERVED = {"rdsadmin", "rds_superuser", "admin", "public", "postgres_admin", "none", "user", "current_user"}
_STORAGE = {"gp2": 20, "gp3": 20, "io1": 100, "io2": 100, "standard": 5}

_REFUSED: Mapping[str, str] = {
    "ManageMasterUserPassword": "master passwords that RDS keeps in Secrets Manager",
    "EnableIAMDatabaseAuthentication": "IAM database authentication",
    "EnablePerformanceInsights": "Performance Insights",
    "Domain": "directory services",
    "DBClusterIdentifier": "DB clusters",
    "CharacterSetName": "other character sets than UTF-8",
    "EnableCloudwatchLogsExports": "log exports of databases",
    "CloudwatchLogsExportConfiguration": "log exports of databases",
    "EnableCustomerOwnedIp": "Outposts",
    "ProcessorFeatures": "processor features",
    "AdditionalStorageVolumes": "additional storage volumes",
}


def require_offered(params: Params) -> None:
    """Raise UnsupportedOperation for what would have to be real and is not."""
    for name, what in _REFUSED.items():
        if params.get(name):
            raise unsupported(f"{what} ({name})")
    if (params.get("NetworkType") or "IPV4") != "IPV4":
        raise unsupported("the network type DUAL: databases answer on IPv4")


def identifier(value: str) -> str:
    """Return the identifier in lower case, as RDS keeps it; InvalidParameterValue."""
    lowered = value.lower()
    if not _IDENTIFIER.fullmatch(lowered):
        raise ApiError(
            "InvalidParameterValue",
            "The parameter DBInstanceIdentifier is not a valid identifier. Identifiers must begin with a letter; must"
            " contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two"
            " consecutive hyphens.",
        )
    return lowered


def database_name(value: str | None) -> str | None:
    """Return the name of the database; InvalidParameterValue."""
    if value is not None and not _SQL_NAME.fullmatch(value):
        raise ApiError(
            "InvalidParameterValue", "DBName must begin with a letter and contain only alphanumeric characters."
        )
    if value is not None and value.lower() in {"rdsadmin", "template0", "template1"}:
        raise ApiError(
            "InvalidParameterValue", f"DBName {value} cannot be used.  It is a reserved word for this engine"
        )
    return value


def username(value: str | None) -> str:
    """Return the master user's name; InvalidParameterValue."""
    if not value or not _SQL_NAME.fullmatch(value) or value.startswith(("_", "pg_")):
        raise ApiError(
            "InvalidParameterValue",
            "The parameter MasterUsername is not a valid identifier: it must begin with a letter and have letters,"
            " digits and underscores, 63 at most.",
        )
    if value.lower() in _RESERVED:
        raise ApiError(
            "InvalidParameterValue",
            f"MasterUsername {value} cannot be used as it is a reserved word used by the engine",
        )
    return value


def password(value: str | None) -> str:
    """Return the master user's password; InvalidParameterValue."""
    if value is None:
        raise ApiError(
            "InvalidParameterCombination", "You must specify either MasterUserPassword or ManageMasterUserPassword."
        )
    if not 8 <= len(value) <= 128:
        raise ApiError(
            "InvalidParameterValue",
            "The parameter MasterUserPassword is not a valid password because it is"
            f" {'shorter than 8' if len(value) < 8 else 'longer than 128'} characters.",
        )
    if any(not " " < character <= "~" or character in '/@"' for character in value):
        raise ApiError(
            "InvalidParameterValue",
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/',"
            " '@', '\"', ' ' may be used.",
        )
    return value


def instance_class(value: str | None) -> str:
    """Return the instance class; InvalidParameterValue."""
    if value is None or value not in CLASSES:
        raise ApiError("InvalidParameterValue", f"Invalid DB Instance class: {value}. Known are: {', '.join(CLASSES)}")
    return value


def port(value: int | None) -> int:
    """Return the port; InvalidParameterValue."""
    if value is None:
        return 5432
    if not 1150 <= value <= 65535:
        raise ApiError("InvalidParameterValue", f"Invalid value {value} for Port. Must be between 1150 and 65535")
    return value


def storage(settings: Mapping[str, Any]) -> None:
    """Raise where type and size of the storage do not belong together."""
    kind, size = settings["StorageType"], settings["AllocatedStorage"]
    if kind not in _STORAGE:
        raise ApiError("InvalidParameterValue", f"Invalid storage type: {kind}")
    if not _STORAGE[kind] <= size <= 65536:
        raise ApiError(
            "InvalidParameterValue",
            f"Invalid storage size for engine name postgres and storage type {kind}: {size}",
        )
    if kind in {"io1", "io2"} and not settings.get("Iops"):
        raise ApiError("InvalidParameterCombination", f"You must specify Iops for the storage type {kind}.")
    most = settings.get("MaxAllocatedStorage")
    if most is not None and most < size:
        raise ApiError("InvalidParameterCombination", "Max storage size must be greater than storage size")


def windows(settings: Mapping[str, Any]) -> None:
    """Raise where a window cannot be read, or the two overlap."""
    if not 0 <= settings["BackupRetentionPeriod"] <= 35:
        raise ApiError(
            "InvalidParameterValue",
            f"Invalid backup retention period: {settings['BackupRetentionPeriod']}. Must be between 0 and 35.",
        )
    try:
        backup, backup_length = daily(settings["PreferredBackupWindow"])
        maintenance, maintenance_length = weekly(settings["PreferredMaintenanceWindow"])
    except BrokenWindow as error:
        raise ApiError("InvalidParameterValue", str(error)) from error
    day = 24 * 60
    apart = (backup - maintenance) % day
    if apart < maintenance_length or (day - apart) % day < backup_length:
        raise ApiError("InvalidParameterValue", "The backup window and maintenance window must not overlap.")
