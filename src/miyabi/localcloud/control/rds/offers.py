"""What RDS offers here: engine versions, orderable classes, certificates; and what it has no copies of yet."""

from __future__ import annotations

from miyabi.localcloud.control.network import Subnet
from miyabi.localcloud.control.rds.catalogue import CLASSES, ENGINE
from miyabi.localcloud.control.rds.nouns import arn, filters, page, unsupported
from miyabi.localcloud.control.rds.subnet_groups import SubnetGroups
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.localcloud.data.postgresql_binaries import Binaries
from miyabi.localcloud.data.server_certificate import IDENTIFIER


class Offers(SubnetGroups):
    """Operations that only describe."""

    def describe_db_engine_versions(self, caller: Caller, params: Params) -> Result:
        """Describe the versions of PostgreSQL that this machine has, oldest first."""
        del caller
        asked, family = params.get("EngineVersion"), params.get("DBParameterGroupFamily")
        wanted = filters(params, ("engine-version", "engine-mode", "parameter-group-family", "status"))
        found = [
            each
            for each in reversed(self.versions.all)
            if params.get("Engine") in {None, ENGINE}
            and asked in {None, each.version, each.major}
            and family in {None, f"postgres{each.major}"}
            and each.version in wanted.get("engine-version", [each.version])
        ]
        if params.get("DefaultOnly"):
            found = found[-1:]
        return page("DBEngineVersions", [self._version(each) for each in found], params)

    def describe_db_major_engine_versions(self, caller: Caller, params: Params) -> Result:
        """Describe the major versions."""
        del caller
        majors = sorted({each.major for each in self.versions.all if params.get("Engine") in {None, ENGINE}})
        rows = [{"Engine": ENGINE, "MajorEngineVersion": major} for major in majors]
        return page("DBMajorEngineVersions", rows, params)

    def describe_orderable_db_instance_options(self, caller: Caller, params: Params) -> Result:
        """Describe which classes can be ordered in which version."""
        if params["Engine"] != ENGINE:
            return page("OrderableDBInstanceOptions", [], params)
        zones = self._zones(caller)
        found = [
            _option(each, name, storage, zones)
            for each in reversed(self.versions.all)
            for name in CLASSES
            for storage in ("gp2", "gp3")
            if params.get("EngineVersion") in {None, each.version, each.major}
            and params.get("DBInstanceClass") in {None, name}
        ]
        return page("OrderableDBInstanceOptions", found, params)

    def describe_certificates(self, caller: Caller, params: Params) -> Result:
        """Describe the one authority that signs the servers' certificates."""
        if params.get("CertificateIdentifier") not in {None, IDENTIFIER}:
            raise ApiError("CertificateNotFound", f"Certificate not found: {params['CertificateIdentifier']}")
        found = self.authority.describe()
        certificate = {
            "CertificateIdentifier": IDENTIFIER,
            "CertificateType": "CA",
            "Thumbprint": found.thumbprint,
            "ValidFrom": found.valid_from,
            "ValidTill": found.valid_till,
            "CertificateArn": arn(caller.account, caller.region, "cert", IDENTIFIER),
            "CustomerOverride": False,
        }
        return {"DefaultCertificateForNewLaunches": IDENTIFIER, **page("Certificates", [certificate], params)}

    def describe_db_snapshots(self, caller: Caller, params: Params) -> Result:
        """Describe the snapshots: none can be made yet."""
        del caller
        if params.get("DBSnapshotIdentifier"):
            raise ApiError("DBSnapshotNotFound", f"DBSnapshot {params['DBSnapshotIdentifier']} not found.")
        return page("DBSnapshots", [], params)

    def create_db_snapshot(self, caller: Caller, params: Params) -> Result:
        """Refuse: snapshots are not offered yet."""
        self.find_instance(caller.region, params["DBInstanceIdentifier"])
        raise unsupported("snapshots yet")

    def describe_db_instance_automated_backups(self, caller: Caller, params: Params) -> Result:
        """Describe the automated backups: none are made yet."""
        del caller
        return page("DBInstanceAutomatedBackups", [], params)

    def _version(self, binaries: Binaries) -> Result:
        newer = [each for each in self.versions.all if each.major == binaries.major and each.version > binaries.version]
        return {
            "Engine": ENGINE,
            "MajorEngineVersion": binaries.major,
            "EngineVersion": binaries.version,
            "DBParameterGroupFamily": f"postgres{binaries.major}",
            "DBEngineDescription": "PostgreSQL",
            "DBEngineVersionDescription": f"PostgreSQL {binaries.version}",
            "Status": "available",
            "ValidUpgradeTarget": [
                {
                    "Engine": ENGINE,
                    "EngineVersion": each.version,
                    "Description": f"PostgreSQL {each.version}",
                    "AutoUpgrade": False,
                    "IsMajorVersionUpgrade": False,
                }
                for each in newer
            ],
            "ExportableLogTypes": [],
            "SupportedFeatureNames": [],
            "SupportedCACertificateIdentifiers": [IDENTIFIER],
            "SupportsLogExportsToCloudwatchLogs": False,
            "SupportsReadReplica": False,
            "SupportsParallelQuery": False,
            "SupportsGlobalDatabases": False,
            "SupportsCertificateRotationWithoutRestart": False,
        }

    def _zones(self, caller: Caller) -> list[str]:
        try:
            subnets: list[Subnet] = self.group_subnets(caller, "default")
        except ApiError:
            subnets = []
        return sorted({each.zone for each in subnets})


def _option(binaries: Binaries, name: str, storage: str, zones: list[str]) -> Result:
    return {
        "Engine": ENGINE,
        "EngineVersion": binaries.version,
        "DBInstanceClass": name,
        "LicenseModel": "postgresql-license",
        "AvailabilityZones": [{"Name": zone} for zone in zones],
        "MultiAZCapable": True,
        "ReadReplicaCapable": False,
        "Vpc": True,
        "SupportsStorageEncryption": True,
        "StorageType": storage,
        "SupportsIops": storage == "gp3",
        "SupportsStorageThroughput": storage == "gp3",
        "SupportsEnhancedMonitoring": False,
        "SupportsIAMDatabaseAuthentication": False,
        "SupportsPerformanceInsights": False,
        "MinStorageSize": 20,
        "MaxStorageSize": 65536,
        "SupportsStorageAutoscaling": False,
        "SupportsKerberosAuthentication": False,
        "SupportedNetworkTypes": ["IPV4"],
    }
