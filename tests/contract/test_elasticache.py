"""ElastiCache as boto3 sees it, with a Redis 7.0 present and no loop: what was asked, and nothing that runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from miyabi.localcloud.control.store import Table
from miyabi.model.elasticache import CacheCluster, CacheStatus
from tests.contract.control_api import ACCOUNT, REGION, Served, serve


class World:
    """The API, and the place where the loop would write."""

    def __init__(self, api: Served) -> None:
        self.api = api
        self.client: Any = api.client("elasticache")
        ec2 = api.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        zones = {"10.0.11.0/24": "us-west-2a", "10.0.12.0/24": "us-west-2b"}
        self.subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"]
            for cidr, zone in zones.items()
        ]
        self.vpc = vpc
        self.group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
        self.client.create_cache_subnet_group(
            CacheSubnetGroupName="Subnets", CacheSubnetGroupDescription="d", SubnetIds=self.subnets
        )
        self.client.create_cache_parameter_group(
            CacheParameterGroupName="lru", CacheParameterGroupFamily="redis7", Description="d"
        )

    def create(self, name: str = "one", **params: Any) -> dict[str, Any]:
        asked = {
            "Engine": "redis",
            "EngineVersion": "7.0",
            "CacheNodeType": "cache.t3.micro",
            "NumCacheNodes": 1,
            "CacheSubnetGroupName": "subnets",
            "SecurityGroupIds": [self.group],
        }
        made: dict[str, Any] = self.client.create_cache_cluster(CacheClusterId=name, **{**asked, **params})
        return made["CacheCluster"]  # type: ignore[no-any-return]

    def available(self, name: str = "one") -> None:
        """Say that the node answered."""
        table = Table(self.api.engine.store, "elasticache.cluster", CacheCluster)
        row = table.get(REGION, name)
        assert row is not None
        with self.api.engine.store.transaction():
            table.put(REGION, name, dataclasses.replace(row, status=CacheStatus.AVAILABLE))

    def describe(self, name: str = "one") -> dict[str, Any]:
        found = self.client.describe_cache_clusters(CacheClusterId=name, ShowCacheNodeInfo=True)
        return found["CacheClusters"][0]  # type: ignore[no-any-return]

    def set(self, **values: str) -> None:
        entries = [{"ParameterName": name.replace("_", "-"), "ParameterValue": value} for name, value in values.items()]
        self.client.modify_cache_parameter_group(CacheParameterGroupName="lru", ParameterNameValues=entries)

    def parameters(self, **params: Any) -> dict[str, str]:
        pages = self.client.get_paginator("describe_cache_parameters").paginate(CacheParameterGroupName="lru", **params)
        return {p["ParameterName"]: p["ParameterValue"] for page in pages for p in page["Parameters"]}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("home")) as served:
        yield served


@pytest.fixture(scope="module")
def made(api: Served) -> World:
    return World(api)


@pytest.fixture
def world(made: World) -> Iterator[World]:
    yield made
    for table in ("cluster", "tags"):
        with made.api.engine.store.transaction():
            made.api.engine.store.connection.execute("DELETE FROM rows WHERE kind=?", (f"elasticache.{table}",))
    made.client.reset_cache_parameter_group(CacheParameterGroupName="lru", ResetAllParameters=True)


def refused(call: Any, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**params)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_a_cluster_is_described_as_aws_does_and_has_no_endpoint_before_its_node_answers(world: World) -> None:
    cluster = world.create("One", CacheParameterGroupName="lru", Tags=[{"Key": "a", "Value": "b"}])
    assert cluster["CacheClusterId"] == "one"
    assert cluster["CacheClusterStatus"] == "creating"
    assert cluster["EngineVersion"] == "7.0.7"
    assert cluster["ARN"] == f"arn:aws:elasticache:{REGION}:{ACCOUNT}:cluster:one"
    assert cluster["SecurityGroups"] == [{"SecurityGroupId": world.group, "Status": "active"}]
    assert cluster["PreferredAvailabilityZone"] == "us-west-2a"
    assert "CacheNodes" not in cluster
    assert "Endpoint" not in world.describe()["CacheNodes"][0]
    world.available()
    (node,) = world.describe()["CacheNodes"]
    assert node["Endpoint"] == {"Address": "127.77.11.4", "Port": 6379}
    assert world.client.list_tags_for_resource(ResourceName=cluster["ARN"])["TagList"] == [{"Key": "a", "Value": "b"}]


def test_a_name_is_taken_once_and_an_unknown_one_is_not_found(world: World) -> None:
    world.create()
    assert refused(world.create)[0] == "CacheClusterAlreadyExists"
    assert refused(world.client.describe_cache_clusters, CacheClusterId="other")[0] == "CacheClusterNotFound"
    assert refused(world.create, name="two--hyphens")[0] == "InvalidParameterValue"


def test_only_versions_that_a_server_here_can_stand_for_are_offered(world: World) -> None:
    versions = world.client.describe_cache_engine_versions()["CacheEngineVersions"]
    assert [(v["Engine"], v["EngineVersion"]) for v in versions] == [
        ("redis", "6.2.6"),
        ("redis", "7.0.7"),
        ("redis", "7.1.0"),
    ]
    assert "served by Redis 7.0.15" in versions[0]["CacheEngineVersionDescription"]
    code, message = refused(world.create, Engine="valkey", EngineVersion="8.0")
    assert code == "InvalidParameterCombination"
    assert "none" in message
    assert refused(world.create, EngineVersion="7.9")[0] == "InvalidParameterValue"
    assert refused(world.create, Engine="memcached", EngineVersion="1.6")[0] == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"NumCacheNodes": 2}, "InvalidParameterValue"),
        ({"CacheNodeType": "cache.t3.huge"}, "InvalidParameterValue"),
        ({"CacheSubnetGroupName": "none"}, "CacheSubnetGroupNotFoundFault"),
        ({"CacheParameterGroupName": "none"}, "CacheParameterGroupNotFound"),
        ({"CacheParameterGroupName": "default.redis6.x"}, "InvalidParameterCombination"),
        ({"SecurityGroupIds": ["sg-00000000"]}, "InvalidParameterValue"),
        ({"PreferredAvailabilityZone": "us-west-2d"}, "InvalidParameterCombination"),
        ({"PreferredMaintenanceWindow": "sun:05:00-sun:05:30"}, "InvalidParameterValue"),
        ({"Port": 80}, "InvalidParameterValue"),
        ({"AuthToken": "a-password-of-16-letters"}, "UnsupportedOperation"),
        ({"TransitEncryptionEnabled": True}, "UnsupportedOperation"),
        ({"SnapshotRetentionLimit": 5}, "UnsupportedOperation"),
    ],
)
def test_what_cannot_be_served_is_refused(world: World, params: dict[str, Any], code: str) -> None:
    assert refused(world.create, **params)[0] == code


def test_parameters_show_their_source_and_are_checked(world: World) -> None:
    world.set(maxmemory_policy="allkeys-lru", timeout="300")
    assert world.parameters(Source="user") == {"maxmemory-policy": "allkeys-lru", "timeout": "300"}
    assert world.parameters(MaxRecords=20)["maxmemory-samples"] == "3"
    assert refused(world.set, maxmemory_policy="lru")[0] == "InvalidParameterValue"
    assert refused(world.set, timeout="5")[0] == "InvalidParameterValue"
    assert refused(world.set, maxclients="5")[0] == "InvalidParameterValue"
    assert refused(world.set, no_such_thing="5")[0] == "InvalidParameterValue"
    world.client.reset_cache_parameter_group(
        CacheParameterGroupName="lru", ParameterNameValues=[{"ParameterName": "timeout", "ParameterValue": "300"}]
    )
    assert world.parameters(Source="user") == {"maxmemory-policy": "allkeys-lru"}
    code, _ = refused(
        world.client.reset_cache_parameter_group, CacheParameterGroupName="default.redis7", ResetAllParameters=True
    )
    assert code == "InvalidCacheParameterGroupState"


def test_groups_that_are_in_use_stay(world: World) -> None:
    world.create(CacheParameterGroupName="lru")
    code, message = refused(world.client.delete_cache_parameter_group, CacheParameterGroupName="lru")
    assert (code, "one" in message) == ("InvalidCacheParameterGroupState", True)
    code, _ = refused(world.client.delete_cache_subnet_group, CacheSubnetGroupName="subnets")
    assert code == "CacheSubnetGroupInUse"
    code, _ = refused(
        world.client.modify_cache_subnet_group, CacheSubnetGroupName="subnets", SubnetIds=[world.subnets[1]]
    )
    assert code == "SubnetInUse"


def test_a_group_of_subnets_lists_them_with_their_zones(world: World) -> None:
    (group,) = world.client.describe_cache_subnet_groups(CacheSubnetGroupName="subnets")["CacheSubnetGroups"]
    assert group["VpcId"] == world.vpc
    assert [s["SubnetAvailabilityZone"]["Name"] for s in group["Subnets"]] == ["us-west-2a", "us-west-2b"]
    code, _ = refused(
        world.client.create_cache_subnet_group,
        CacheSubnetGroupName="other",
        CacheSubnetGroupDescription="d",
        SubnetIds=["subnet-00000000"],
    )
    assert code == "InvalidSubnet"


def test_a_node_type_waits_for_the_maintenance_window_unless_it_is_wanted_now(world: World) -> None:
    world.create()
    assert refused(world.client.modify_cache_cluster, CacheClusterId="one")[0] == "InvalidCacheClusterState"
    world.available()
    changed = world.client.modify_cache_cluster(CacheClusterId="one", CacheNodeType="cache.t3.small")["CacheCluster"]
    assert changed["CacheNodeType"] == "cache.t3.micro"
    assert changed["PendingModifiedValues"] == {"CacheNodeType": "cache.t3.small"}
    changed = world.client.modify_cache_cluster(CacheClusterId="one", ApplyImmediately=True)["CacheCluster"]
    assert changed["CacheNodeType"] == "cache.t3.small"
    assert changed["CacheClusterStatus"] == "modifying"
    allowed = world.client.list_allowed_node_type_modifications(CacheClusterId="one")
    assert "cache.t3.micro" in allowed["ScaleDownModifications"]
    assert "cache.t3.medium" in allowed["ScaleUpModifications"]


def test_an_older_version_is_not_gone_back_to(world: World) -> None:
    world.create(EngineVersion="7.1")
    world.available()
    code, _ = refused(world.client.modify_cache_cluster, CacheClusterId="one", EngineVersion="7.0")
    assert code == "InvalidParameterCombination"


def test_a_static_parameter_is_pending_until_the_reboot_that_is_asked_for(world: World) -> None:
    world.create(CacheParameterGroupName="lru")
    world.available()
    world.set(databases="4")
    assert world.describe()["CacheParameterGroup"] == {
        "CacheParameterGroupName": "lru",
        "ParameterApplyStatus": "pending-reboot",
        "CacheNodeIdsToReboot": ["0001"],
    }
    world.client.reboot_cache_cluster(CacheClusterId="one", CacheNodeIdsToReboot=["0001"])
    cluster = world.describe()
    assert cluster["CacheClusterStatus"] == "rebooting cluster nodes"
    assert cluster["CacheParameterGroup"]["ParameterApplyStatus"] == "applying"


def test_tags_are_added_replaced_and_removed(world: World) -> None:
    name = world.create()["ARN"]
    world.client.add_tags_to_resource(ResourceName=name, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    world.client.add_tags_to_resource(ResourceName=name, Tags=[{"Key": "a", "Value": "3"}])
    left = world.client.remove_tags_from_resource(ResourceName=name, TagKeys=["b"])["TagList"]
    assert left == [{"Key": "a", "Value": "3"}]
    assert refused(world.client.remove_tags_from_resource, ResourceName=name, TagKeys=["b"])[0] == "TagNotFound"
    assert refused(world.client.list_tags_for_resource, ResourceName=f"{name}x")[0] == "CacheClusterNotFound"
    assert refused(world.client.list_tags_for_resource, ResourceName="arn")[0] == "InvalidARN"


def test_what_does_not_exist_is_not_there(world: World) -> None:
    assert world.client.describe_replication_groups()["ReplicationGroups"] == []
    assert world.client.describe_snapshots()["Snapshots"] == []
    assert world.client.describe_update_actions()["UpdateActions"] == []
    assert (
        refused(world.client.describe_replication_groups, ReplicationGroupId="x")[0] == "ReplicationGroupNotFoundFault"
    )
    code, _ = refused(world.client.create_snapshot, CacheClusterId="one", SnapshotName="s")
    assert code == "UnsupportedOperation"


def test_a_deleted_cluster_is_deleting_until_its_node_has_ended(world: World) -> None:
    world.create()
    assert world.client.delete_cache_cluster(CacheClusterId="one")["CacheCluster"]["CacheClusterStatus"] == "deleting"
    assert world.describe()["CacheClusterStatus"] == "deleting"
    assert refused(world.client.delete_cache_cluster, CacheClusterId="one")[0] == "InvalidCacheClusterState"
