"""What the operations of every noun share: the rows, finding one or saying that it is not there, filters, paging."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar, TypeVar

from miyabi.localcloud.control.addresses import AddressBook
from miyabi.localcloud.control.rds.catalogue import Versions
from miyabi.localcloud.control.service import ApiError, LiveService, Params, Result
from miyabi.localcloud.control.store import Store, Table
from miyabi.localcloud.data.server_certificate import Authority
from miyabi.model.rds import DbInstance, Event, InstanceStatus, ParameterGroup, SubnetGroup

Row = TypeVar("Row")
_PAGE = 100
_DEFAULT_GROUP = "default.postgres"


def _nothing(_: str) -> None:
    """Stand in where the network exists already."""


class Nouns(LiveService):
    """Base of the mixins: tables and what they have in common.

    on_change: called after a change that the loop should look at.
    ensure_network: called before EC2's records of a region are read.
    """

    name: ClassVar[str] = "rds"

    def __init__(
        self,
        store: Store,
        addresses: AddressBook,
        versions: Versions,
        authority: Authority,
        on_change: Callable[[], None],
        ensure_network: Callable[[str], None] = _nothing,
    ) -> None:
        self.instances = Table(store, "rds.instance", DbInstance)
        self.subnet_groups = Table(store, "rds.subnet_group", SubnetGroup)
        self.parameter_groups = Table(store, "rds.parameter_group", ParameterGroup)
        self.events = Table(store, "rds.event", Event)
        self.addresses = addresses
        self.versions = versions
        self.authority = authority
        self.on_change = on_change
        self.ensure_network = ensure_network

    def find_instance(self, region: str, identifier: str) -> DbInstance:
        """Return the instance of this identifier or ARN; DBInstanceNotFound."""
        name = identifier.rpartition(":")[2].lower()
        for row in self.instances.list(region):
            if row.identifier == name:
                return row
        raise ApiError("DBInstanceNotFound", f"DBInstance {name} not found.")

    def find_subnet_group(self, region: str, name: str) -> SubnetGroup:
        """Return the subnet group; DBSubnetGroupNotFoundFault."""
        found = self.subnet_groups.get(region, name.lower())
        if found is None:
            raise ApiError("DBSubnetGroupNotFoundFault", f"DB subnet group '{name}' does not exist.")
        return found

    def find_parameter_group(self, account: str, region: str, name: str) -> ParameterGroup:
        """Return the parameter group, also a family's default; DBParameterGroupNotFound."""
        found = self.parameter_groups.get(region, name.lower())
        if found is None and name.startswith(_DEFAULT_GROUP):
            family = name.removeprefix("default.")
            if any(family == f"postgres{each.major}" for each in self.versions.all):
                return default_group(account, region, family)
        if found is None:
            raise ApiError("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}")
        return found

    def group_of(self, account: str, region: str, row: DbInstance) -> ParameterGroup:
        """Return an instance's parameter group, also where this machine no longer has its version of PostgreSQL."""
        found = self.parameter_groups.get(region, row.parameter_group)
        return found or default_group(account, region, f"postgres{row.major}")

    def put_instance(self, region: str, row: DbInstance) -> None:
        """Keep the instance's row and let the loop look."""
        self.instances.put(region, row.resource_id, row)
        self.on_change()

    def change_instance(self, region: str, resource_id: str, **changes: object) -> DbInstance | None:
        """Change some of an instance's row, and return it; None where it is gone."""
        row = self.instances.get(region, resource_id)
        if row is None:
            return None
        row = dataclasses.replace(row, **changes)  # type: ignore[arg-type]
        self.instances.put(region, resource_id, row)
        return row

    def require_available(self, row: DbInstance) -> None:
        """Raise InvalidDBInstanceState where the instance is not available."""
        if row.status is not InstanceStatus.AVAILABLE:
            raise ApiError("InvalidDBInstanceState", f"Database instance is not in available state: {row.status}")


def default_group(account: str, region: str, family: str) -> ParameterGroup:
    """Return a family's default parameter group, which nobody makes and nobody can change."""
    name = f"default.{family}"
    return ParameterGroup(name, arn(account, region, "pg", name), family, f"Default parameter group for {family}")


def arn(account: str, region: str, kind: str, name: str) -> str:
    """Return the ARN of a `db`, `subgrp`, `pg` or `snapshot`."""
    return f"arn:aws:rds:{region}:{account}:{kind}:{name}"


def new_resource_id() -> str:
    """Return a `DbiResourceId` that no other instance has."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    return "db-" + "".join(secrets.choice(alphabet) for _ in range(26))


def pairs(entries: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Return a list of Key and Value as a dict."""
    return {entry["Key"]: entry.get("Value") or "" for entry in entries or ()}


def as_pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return a dict as a list of Key and Value."""
    return [{"Key": key, "Value": value} for key, value in values.items()]


def filters(params: Params, allowed: Sequence[str]) -> dict[str, list[str]]:
    """Return the request's filters by name; InvalidParameterValue for others than those allowed."""
    found = {each["Name"]: list(each.get("Values") or ()) for each in params.get("Filters") or ()}
    for name in found:
        if name not in allowed:
            raise ApiError("InvalidParameterValue", f"Unrecognized filter name: {name}")
    return found


def page(key: str, rows: Sequence[Row], params: Params) -> Result:
    """Return one page of rows under `key`, with the marker of the next."""
    size = params.get("MaxRecords") or _PAGE
    if not 20 <= size <= _PAGE:
        raise ApiError("InvalidParameterValue", f"Invalid value {size} for MaxRecords. Must be between 20 and {_PAGE}")
    marker = params.get("Marker") or "0"
    if not marker.isdigit():
        raise ApiError("InvalidParameterValue", f"Invalid marker: {marker}")
    start = int(marker)
    result: Result = {key: list(rows[start : start + size])}
    return result | ({"Marker": str(start + size)} if len(rows) > start + size else {})


def unsupported(what: str) -> ApiError:
    """Return the answer to what the local cloud does not do, rather than pretend."""
    return ApiError("UnsupportedOperation", f"The local cloud does not offer {what}.")
