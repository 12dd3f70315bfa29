"""What the operations of every noun share: the rows, finding one or saying that it is not there, paging."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar, TypeVar

from miyabi.localcloud.control.addresses import AddressBook
from miyabi.localcloud.control.elasticache.catalogue import FAMILIES
from miyabi.localcloud.control.service import ApiError, Caller, LiveService, Params
from miyabi.localcloud.control.store import Store, Table
from miyabi.localcloud.data.cache_servers import CacheServer
from miyabi.model.elasticache import CacheCluster, CacheParameterGroup, CacheSubnetGroup

Row = TypeVar("Row")
_PAGE = 100


def _nothing(_: str) -> None:
    """Stand in where the network exists already."""


class Nouns(LiveService):
    """Base of the mixins: tables and what they have in common."""

    name: ClassVar[str] = "elasticache"

    def __init__(
        self,
        store: Store,
        addresses: AddressBook,
        servers: Sequence[CacheServer],
        on_change: Callable[[], None],
        ensure_network: Callable[[str], None] = _nothing,
    ) -> None:
        self.clusters = Table(store, "elasticache.cluster", CacheCluster)
        self.parameter_groups = Table(store, "elasticache.parameter_group", CacheParameterGroup)
        self.subnet_groups = Table(store, "elasticache.subnet_group", CacheSubnetGroup)
        self.tags: Table[dict[str, str]] = Table(store, "elasticache.tags", dict[str, str])
        self.addresses = addresses
        self.servers = tuple(servers)
        self.on_change = on_change
        self.ensure_network = ensure_network

    def find_cluster(self, region: str, cluster_id: str) -> CacheCluster:
        """Return the cluster; CacheClusterNotFound."""
        found = self.clusters.get(region, cluster_id.lower())
        if found is None:
            raise ApiError("CacheClusterNotFound", f"CacheCluster not found: {cluster_id}")
        return found

    def find_parameter_group(self, region: str, name: str) -> CacheParameterGroup:
        """Return the parameter group, also a family's default one; CacheParameterGroupNotFound."""
        name = name.lower()
        family = name.removeprefix("default.")
        if name != family and family in FAMILIES:
            return CacheParameterGroup(name, family, f"Default parameter group for {family}")
        found = self.parameter_groups.get(region, name)
        if found is None:
            raise ApiError("CacheParameterGroupNotFound", f"CacheParameterGroup {name} not found.")
        return found

    def find_subnet_group(self, region: str, name: str) -> CacheSubnetGroup:
        """Return the subnet group; CacheSubnetGroupNotFoundFault."""
        found = self.subnet_groups.get(region, name.lower())
        if found is None:
            raise ApiError("CacheSubnetGroupNotFoundFault", f"Cache Subnet Group {name} does not exist.")
        return found

    def put_tags(self, region: str, resource_arn: str, tags: Mapping[str, str]) -> None:
        """Set a resource's tags; TagQuotaPerResourceExceeded, InvalidParameterValue."""
        if len(tags) > 50:
            raise ApiError("TagQuotaPerResourceExceeded", "A resource may have 50 tags.")
        if any(key.lower().startswith("aws:") for key in tags):
            raise invalid("Tag keys may not begin with 'aws:'.")
        self.tags.put(region, resource_arn, dict(tags))


def arn(caller: Caller, kind: str, name: str) -> str:
    """Return an ElastiCache ARN: kind is cluster, parametergroup or subnetgroup."""
    return f"arn:aws:elasticache:{caller.region}:{caller.account}:{kind}:{name}"


def invalid(message: str) -> ApiError:
    """Return an InvalidParameterValue."""
    return ApiError("InvalidParameterValue", message)


def combination(message: str) -> ApiError:
    """Return an InvalidParameterCombination."""
    return ApiError("InvalidParameterCombination", message)


def pairs(entries: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Return a list of Key and Value as a dict."""
    return {entry["Key"]: entry.get("Value") or "" for entry in entries or ()}


def page(rows: Sequence[Row], params: Params, key: Callable[[Row], str]) -> tuple[list[Row], dict[str, str]]:
    """Return one page of rows, and the Marker of the next: the key of its first row."""
    size = params.get("MaxRecords") or _PAGE
    if not 20 <= size <= _PAGE:
        raise invalid(f"MaxRecords must be between 20 and {_PAGE}.")
    start = 0
    if params.get("Marker"):
        keys = [key(row) for row in rows]
        if params["Marker"] not in keys:
            raise invalid(f"Marker {params['Marker']} is not valid.")
        start = keys.index(params["Marker"])
    following = rows[start + size :]
    return list(rows[start : start + size]), ({"Marker": key(following[0])} if following else {})
