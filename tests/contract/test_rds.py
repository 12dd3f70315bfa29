"""RDS as boto3 sees it: every call goes through botocore's serialiser, our parser and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.core.request import Request
from moto.ec2.models import ec2_backends
from werkzeug.test import EnvironBuilder

from miyabi.localcloud.control.addresses import AddressBook
from miyabi.localcloud.control.rds import Rds, Versions, reports
from miyabi.localcloud.control.service import Caller, answer
from miyabi.localcloud.control.store import Store
from miyabi.localcloud.data.postgresql_binaries import find_binaries
from miyabi.localcloud.data.server_certificate import Authority
from miyabi.model.rds import DbInstance, InstanceStatus
from miyabi.policy.database_parameters import at_boot

ACCOUNT = "112530848482"
REGION = "us-west-2"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
VERSIONS = Versions(find_binaries)
NEWEST = VERSIONS.all[0]
FAMILY = f"postgres{NEWEST.major}"
PASSWORD = "correct-horse-9"


class Raw:
    """The body of an answer, as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._body


class World:
    """A service without a loop, and a client that speaks to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = Store(path / "control.sqlite")
        authority = Authority(path / "databases")
        self.service = Rds(self.store, AddressBook(self.store, 77), VERSIONS, authority, lambda: None)
        self.client: Any = boto3.client(
            "rds",
            region_name=REGION,
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            config=Config(retries={"max_attempts": 0}),
        )
        self.client.meta.events.register("before-send.rds.*", self._send)
        subnets = ec2_backends[ACCOUNT][REGION].describe_subnets()
        self.subnets = [subnet.id for subnet in subnets][:2]
        self.zone = subnets[0].availability_zone

    def _send(self, request: Any, **_: object) -> Any:
        builder = EnvironBuilder("/", "https://rds.us-west-2.amazonaws.com", method="POST", data=request.body)
        builder.content_type = "application/x-www-form-urlencoded"
        with self.store.transaction():
            status, headers, body = answer(
                self.service, Request(builder.get_environ()), Caller(ACCOUNT, REGION, "key", NOW), "request-id"
            )
        return AWSResponse(request.url, status, cast("Any", headers), cast("Any", Raw(body)))

    def create(self, identifier: str = "db", **params: Any) -> Any:
        asked = {
            "Engine": "postgres",
            "DBInstanceClass": "db.t3.micro",
            "AllocatedStorage": 20,
            "MasterUsername": "app",
            "MasterUserPassword": PASSWORD,
            **params,
        }
        return self.client.create_db_instance(DBInstanceIdentifier=identifier, **asked)["DBInstance"]

    def describe(self, identifier: str = "db") -> Any:
        return self.client.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]

    def row(self, identifier: str = "db") -> DbInstance:
        return self.service.find_instance(REGION, identifier)

    def boot(self, identifier: str = "db") -> None:
        """Do to the row what the loop does once the server answers."""
        row = self.row(identifier)
        group = self.service.find_parameter_group(ACCOUNT, REGION, row.parameter_group)
        reports.booting(self.service, REGION, row, at_boot(group), row.engine_version)
        reports.prepared(self.service, REGION, self.row(identifier))
        reports.settled(self.service, REGION, self.row(identifier), InstanceStatus.AVAILABLE, "", NOW)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def refused(code: str, call: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as raised:
        call(**params)
    assert raised.value.response["Error"]["Code"] == code
    return str(raised.value.response["Error"]["Message"])


def test_a_new_instance_is_creating_and_has_no_endpoint_yet(world: World) -> None:
    created = world.create(DBName="shop", EngineVersion=NEWEST.major, Tags=[{"Key": "a", "Value": "b"}])
    assert created["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in created
    assert created["EngineVersion"] == NEWEST.version
    assert created["DBInstanceArn"] == f"arn:aws:rds:{REGION}:{ACCOUNT}:db:db"
    assert created["DbiResourceId"].startswith("db-")
    assert len(created["DbiResourceId"]) == 29
    assert created["TagList"] == [{"Key": "a", "Value": "b"}]
    world.boot()
    described = world.describe()
    assert described["DBInstanceStatus"] == "available"
    assert described["Endpoint"]["Port"] == 5432
    assert described["Endpoint"]["Address"].startswith("127.77.")
    assert described["DBParameterGroups"] == [
        {"DBParameterGroupName": f"default.{FAMILY}", "ParameterApplyStatus": "in-sync"}
    ]


def test_the_password_is_kept_nowhere_and_its_verifier_only_until_the_server_has_it(world: World) -> None:
    world.create()
    assert (world.row().verifier or "").startswith("SCRAM-SHA-256$4096:")
    world.boot()
    assert world.row().verifier is None
    world.store.close()
    assert PASSWORD.encode() not in (world.path / "control.sqlite").read_bytes()


def test_instances_are_found_by_arn_resource_id_and_filter(world: World) -> None:
    first, second = world.create("one"), world.create("two")
    assert world.describe(first["DBInstanceArn"])["DBInstanceIdentifier"] == "one"
    for name, value in (("dbi-resource-id", second["DbiResourceId"]), ("db-instance-id", "two")):
        found = world.client.describe_db_instances(Filters=[{"Name": name, "Values": [value]}])["DBInstances"]
        assert [each["DBInstanceIdentifier"] for each in found] == ["two"]
    assert first["DbiResourceId"] != second["DbiResourceId"]
    refused("DBInstanceNotFound", world.describe, identifier="three")


@pytest.mark.parametrize(
    ("code", "params"),
    [
        ("InvalidParameterValue", {"DBInstanceIdentifier": "-x"}),
        ("InvalidParameterValue", {"DBInstanceClass": "db.nope"}),
        ("InvalidParameterValue", {"MasterUserPassword": "short"}),
        ("InvalidParameterValue", {"MasterUserPassword": "with/slash-123"}),
        ("InvalidParameterValue", {"MasterUsername": "rdsadmin"}),
        ("InvalidParameterValue", {"DBName": "no-dash"}),
        ("InvalidParameterValue", {"AllocatedStorage": 5}),
        ("InvalidParameterValue", {"BackupRetentionPeriod": 36}),
        ("InvalidParameterValue", {"PreferredBackupWindow": "10:10-10:40"}),
        ("InvalidParameterValue", {"VpcSecurityGroupIds": ["sg-nope"]}),
        ("InvalidParameterCombination", {"EngineVersion": "9.6"}),
        ("InvalidParameterCombination", {"MasterUserPassword": None}),
        ("DBSubnetGroupNotFoundFault", {"DBSubnetGroupName": "nope"}),
        ("DBParameterGroupNotFound", {"DBParameterGroupName": "nope"}),
        ("UnsupportedOperation", {"Engine": "mysql"}),
        ("UnsupportedOperation", {"EnableIAMDatabaseAuthentication": True}),
        ("UnsupportedOperation", {"ManageMasterUserPassword": True, "MasterUserPassword": None}),
    ],
)
def test_what_rds_refuses_is_refused(world: World, code: str, params: dict[str, Any]) -> None:
    params = {"identifier": params.pop("DBInstanceIdentifier", "db"), **params}
    base = {"Engine": "postgres", "DBInstanceClass": "db.t3.micro", "AllocatedStorage": 20, "MasterUsername": "app"}
    asked = {**base, "MasterUserPassword": PASSWORD, **params}
    identifier = asked.pop("identifier")
    given = {name: value for name, value in asked.items() if value is not None}
    refused(code, world.client.create_db_instance, DBInstanceIdentifier=identifier, **given)


def test_a_version_that_this_machine_lacks_is_refused_with_those_that_it_has(world: World) -> None:
    message = refused("InvalidParameterCombination", world.create, EngineVersion="12.1")
    assert NEWEST.version in message
    versions = world.client.describe_db_engine_versions(Engine="postgres")["DBEngineVersions"]
    assert [each["EngineVersion"] for each in versions] == [each.version for each in reversed(VERSIONS.all)]


def test_two_instances_cannot_share_an_identifier(world: World) -> None:
    world.create("db")
    refused("DBInstanceAlreadyExists", world.create, identifier="DB")


def test_deleting_wants_no_protection_and_no_snapshot_that_would_not_be_made(world: World) -> None:
    world.create(DeletionProtection=True)
    world.boot()
    delete = world.client.delete_db_instance
    refused("InvalidParameterCombination", delete, DBInstanceIdentifier="db", SkipFinalSnapshot=True)
    world.client.modify_db_instance(DBInstanceIdentifier="db", DeletionProtection=False)
    refused("InvalidParameterCombination", delete, DBInstanceIdentifier="db")
    message = refused("UnsupportedOperation", delete, DBInstanceIdentifier="db", FinalDBSnapshotIdentifier="last")
    assert "db was not deleted" in message
    assert delete(DBInstanceIdentifier="db", SkipFinalSnapshot=True)["DBInstance"]["DBInstanceStatus"] == "deleting"
    refused("InvalidDBInstanceState", delete, DBInstanceIdentifier="db", SkipFinalSnapshot=True)
    reports.removed(world.service, REGION, world.row(), NOW)
    refused("DBInstanceNotFound", world.describe)
    assert world.service.addresses.lease("another", "172.31.0.0/20").startswith("127.77.")


def test_changes_that_restart_wait_for_the_window_unless_asked_for_at_once(world: World) -> None:
    world.create()
    world.boot()
    change = {"DBInstanceClass": "db.t3.small", "AllocatedStorage": 30}
    waiting = world.client.modify_db_instance(DBInstanceIdentifier="db", **change)["DBInstance"]
    assert waiting["PendingModifiedValues"] == change
    assert waiting["DBInstanceClass"] == "db.t3.micro"
    world.boot()
    done = world.client.modify_db_instance(DBInstanceIdentifier="db", ApplyImmediately=True, **change)["DBInstance"]
    assert done["DBInstanceStatus"] == "modifying"
    assert (done["DBInstanceClass"], done["AllocatedStorage"]) == ("db.t3.small", 30)
    assert done["PendingModifiedValues"] == {}
    assert world.row().restart_requested_at == NOW
    world.boot()
    refused(
        "InvalidParameterCombination", world.client.modify_db_instance, DBInstanceIdentifier="db", AllocatedStorage=20
    )


def test_a_modification_that_changes_only_settings_restarts_nothing(world: World) -> None:
    world.create()
    world.boot()
    world.client.modify_db_instance(DBInstanceIdentifier="db", BackupRetentionPeriod=7, ApplyImmediately=True)
    assert world.row().restart_requested_at is None
    assert world.describe()["BackupRetentionPeriod"] == 7


def test_an_instance_can_get_another_identifier(world: World) -> None:
    world.create("old")
    world.boot("old")
    world.client.modify_db_instance(DBInstanceIdentifier="old", NewDBInstanceIdentifier="new", ApplyImmediately=True)
    assert world.describe("new")["DBInstanceArn"].endswith(":db:new")
    refused("DBInstanceNotFound", world.describe, identifier="old")


def test_states_are_kept_apart(world: World) -> None:
    world.create()
    for call in (world.client.stop_db_instance, world.client.reboot_db_instance, world.client.modify_db_instance):
        refused("InvalidDBInstanceState", call, DBInstanceIdentifier="db")
    world.boot()
    refused("InvalidDBInstanceState", world.client.start_db_instance, DBInstanceIdentifier="db")
    refused(
        "InvalidParameterCombination", world.client.reboot_db_instance, DBInstanceIdentifier="db", ForceFailover=True
    )
    stopping = world.client.stop_db_instance(DBInstanceIdentifier="db")["DBInstance"]
    assert stopping["DBInstanceStatus"] == "stopping"
    reports.settled(world.service, REGION, world.row(), InstanceStatus.STOPPED, "", NOW)
    assert world.describe()["AutomaticRestartTime"].day == 9
    started = world.client.start_db_instance(DBInstanceIdentifier="db")["DBInstance"]
    assert started["DBInstanceStatus"] == "starting"
    messages = [event["Message"] for event in world.client.describe_events(StartTime=NOW, EndTime=NOW)["Events"]]
    assert sorted(messages) == ["DB instance created", "DB instance stopped"]


def test_after_a_start_of_the_control_plane_nothing_is_available_unasked(world: World) -> None:
    world.create()
    world.boot()
    reports.doubt(world.service)
    assert world.describe()["DBInstanceStatus"] == "starting"


def test_a_row_that_changed_since_it_was_seen_is_not_settled(world: World) -> None:
    world.create()
    seen = world.row()
    world.service.change_instance(REGION, seen.resource_id, status=InstanceStatus.DELETING)
    reports.settled(world.service, REGION, seen, InstanceStatus.AVAILABLE, "", NOW)
    assert world.row().status is InstanceStatus.DELETING


def group(world: World, name: str = "params") -> None:
    world.client.create_db_parameter_group(
        DBParameterGroupName=name, DBParameterGroupFamily=FAMILY, Description="d", Tags=[{"Key": "a", "Value": "b"}]
    )


def change(world: World, name: str, value: str, method: str = "immediate") -> None:
    asked = {"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}
    world.client.modify_db_parameter_group(DBParameterGroupName="params", Parameters=[asked])


def of_user(world: World) -> dict[str, str]:
    found = world.client.describe_db_parameters(DBParameterGroupName="params", Source="user")["Parameters"]
    return {each["ParameterName"]: each["ParameterValue"] for each in found}


def test_a_parameter_group_tells_the_users_values_from_the_defaults(world: World) -> None:
    group(world)
    assert of_user(world) == {}
    change(world, "log_min_duration_statement", "1000")
    change(world, "max_connections", "LEAST({DBInstanceClassMemory/9531392},80)", "pending-reboot")
    assert set(of_user(world)) == {"log_min_duration_statement", "max_connections"}
    pages = world.client.get_paginator("describe_db_parameters").paginate(DBParameterGroupName="params")
    every = {each["ParameterName"]: each for page in pages for each in page["Parameters"]}
    assert len(every) > 300
    assert every["max_connections"]["ApplyType"] == "static"
    assert every["work_mem"]["ApplyType"] == "dynamic"
    assert every["shared_buffers"]["ParameterValue"] == "{DBInstanceClassMemory/32768}"
    assert every["listen_addresses"]["IsModifiable"] is False
    reset = [{"ParameterName": "max_connections", "ApplyMethod": "pending-reboot"}]
    world.client.reset_db_parameter_group(DBParameterGroupName="params", Parameters=reset)
    assert set(of_user(world)) == {"log_min_duration_statement"}
    world.client.reset_db_parameter_group(DBParameterGroupName="params", ResetAllParameters=True)
    assert of_user(world) == {}


@pytest.mark.parametrize(
    ("code", "name", "value", "method"),
    [
        ("InvalidParameterCombination", "max_connections", "50", "immediate"),
        ("InvalidParameterValue", "max_connections", "many", "pending-reboot"),
        ("InvalidParameterValue", "max_connections", "9999999", "pending-reboot"),
        ("InvalidParameterValue", "work_mem", "64MB", "immediate"),
        ("InvalidParameterValue", "log_statement", "some", "immediate"),
        ("InvalidParameterValue", "autovacuum", "maybe", "immediate"),
        ("InvalidParameterValue", "work_mem", "{Nope/2}", "immediate"),
        ("InvalidParameterValue", "listen_addresses", "*", "pending-reboot"),
        ("InvalidParameterValue", "no_such_thing", "1", "immediate"),
        ("InvalidParameterValue", "search_path", "a\nb", "immediate"),
        ("InvalidParameterValue", "shared_preload_libraries", "nothing", "pending-reboot"),
    ],
)
def test_parameters_are_checked_by_the_server_program(
    world: World, code: str, name: str, value: str, method: str
) -> None:
    group(world)
    with pytest.raises(ClientError) as raised:
        change(world, name, value, method)
    assert raised.value.response["Error"]["Code"] == code


def test_a_group_on_an_instance_shows_what_waits_for_a_reboot(world: World) -> None:
    group(world)
    world.create(DBParameterGroupName="params")
    world.boot()
    change(world, "max_connections", "50", "pending-reboot")
    assert world.describe()["DBParameterGroups"][0]["ParameterApplyStatus"] == "pending-reboot"
    world.boot()
    assert world.describe()["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"
    change(world, "work_mem", "8192")
    assert world.describe()["DBParameterGroups"][0]["ParameterApplyStatus"] == "applying"
    refused("InvalidDBParameterGroupState", world.client.delete_db_parameter_group, DBParameterGroupName="params")


def test_default_groups_are_there_and_cannot_be_changed(world: World) -> None:
    name = f"default.{FAMILY}"
    listed = world.client.describe_db_parameter_groups()["DBParameterGroups"]
    assert name in {each["DBParameterGroupName"] for each in listed}
    for call in (world.client.delete_db_parameter_group, world.client.reset_db_parameter_group):
        refused("InvalidDBParameterGroupState", call, DBParameterGroupName=name)


def test_a_subnet_group_covers_two_zones_and_gives_the_instance_its_address(world: World) -> None:
    create, subnets = world.client.create_db_subnet_group, world.subnets
    made = create(DBSubnetGroupName="Net", DBSubnetGroupDescription="d", SubnetIds=subnets)["DBSubnetGroup"]
    assert made["DBSubnetGroupName"] == "net"
    assert {each["SubnetIdentifier"] for each in made["Subnets"]} == set(subnets)
    one = {"DBSubnetGroupName": "one", "DBSubnetGroupDescription": "d", "SubnetIds": subnets[:1]}
    refused("DBSubnetGroupDoesNotCoverEnoughAZs", create, **one)
    refused("InvalidSubnet", create, **{**one, "SubnetIds": ["subnet-nope"]})
    world.create(DBSubnetGroupName="net", AvailabilityZone=world.zone)
    assert world.describe()["DBSubnetGroup"]["DBSubnetGroupName"] == "net"
    refused("InvalidDBSubnetGroupStateFault", world.client.delete_db_subnet_group, DBSubnetGroupName="net")
    refused("DBSubnetGroupNotFoundFault", world.client.delete_db_subnet_group, DBSubnetGroupName="nope")


def test_tags_of_every_noun_can_be_added_and_removed(world: World) -> None:
    group(world)
    subnets = world.client.create_db_subnet_group(
        DBSubnetGroupName="net", DBSubnetGroupDescription="d", SubnetIds=world.subnets
    )["DBSubnetGroup"]
    parameters = world.client.describe_db_parameter_groups(DBParameterGroupName="params")["DBParameterGroups"][0]
    arns = [world.create()["DBInstanceArn"], subnets["DBSubnetGroupArn"], parameters["DBParameterGroupArn"]]
    for arn in arns:
        world.client.add_tags_to_resource(
            ResourceName=arn, Tags=[{"Key": "x", "Value": "1"}, {"Key": "y", "Value": ""}]
        )
        world.client.remove_tags_from_resource(ResourceName=arn, TagKeys=["x", "a"])
        assert world.client.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "y", "Value": ""}]


def test_what_only_describes_is_true(world: World) -> None:
    options = world.client.describe_orderable_db_instance_options(Engine="postgres", DBInstanceClass="db.t3.micro")
    assert {each["EngineVersion"] for each in options["OrderableDBInstanceOptions"]} == {
        each.version for each in VERSIONS.all
    }
    certificate = world.client.describe_certificates()["Certificates"][0]
    assert certificate["ValidTill"] > certificate["ValidFrom"]
    assert world.client.describe_db_snapshots()["DBSnapshots"] == []
    assert world.client.describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"] == []
    refused("DBInstanceNotFound", world.client.create_db_snapshot, DBSnapshotIdentifier="s", DBInstanceIdentifier="db")
    world.create()
    refused(
        "UnsupportedOperation", world.client.create_db_snapshot, DBSnapshotIdentifier="s", DBInstanceIdentifier="db"
    )


def test_data_of_a_minor_version_that_is_gone_is_served_by_another_of_the_same_major(world: World) -> None:
    world.create()
    older = dataclasses.replace(world.row(), engine_version=f"{NEWEST.major}.0")
    found = world.service.versions.for_data(older.engine_version)
    assert found is not None
    assert found.major == NEWEST.major
    assert world.service.versions.for_data("9.6") is None
