"""Load balancers: create, describe, delete."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from miyabi.localcloud.control.elbv2.attributes import LOAD_BALANCER, defaults
from miyabi.localcloud.control.elbv2.fields import text
from miyabi.localcloud.control.elbv2.listeners import Listeners
from miyabi.localcloud.control.elbv2.nouns import NAME, invalid, new_id, page, unsupported
from miyabi.localcloud.control.elbv2.ports import low_port_offset
from miyabi.localcloud.control.elbv2.tags import asked_tags
from miyabi.localcloud.control.network import security_group_exists, subnet
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.model.load_balancing import LoadBalancer, ZoneMapping

_HOSTED_ZONES = {
    "ap-northeast-1": "Z14GRHDCWA56QT",
    "ap-south-1": "ZP97RAFLXTNZK",
    "ap-southeast-1": "Z1LMS91P8CMLE5",
    "ap-southeast-2": "Z1GM3OXH4ZPM65",
    "ca-central-1": "ZQSVJUPU6J1EY",
    "eu-central-1": "Z215JYRZR1TBD5",
    "eu-north-1": "Z23TAZ6LKFMNIO",
    "eu-west-1": "Z32O12XQLNTSW2",
    "eu-west-2": "ZHURV8PSTC4K8",
    "eu-west-3": "Z3Q77PNBQS71R4",
    "sa-east-1": "Z2P70J7HTTTPLU",
    "us-east-1": "Z35SXDOTRQ7X7K",
    "us-east-2": "Z3AADJGX6KTTL2",
    "us-west-1": "Z368ELLRRE2KJ0",
    "us-west-2": "Z1H1FL5HABSF5",
}
"""Source: docs.aws.amazon.com, "Elastic Load Balancing endpoints and quotas"."""


class LoadBalancers(Listeners):
    """Operations on load balancers."""

    def create_load_balancer(self, caller: Caller, params: Params) -> Result:
        """Create an application load balancer with its own address; the same request again returns it."""
        row, tags = self._asked_load_balancer(caller, params), asked_tags(params)
        for other in self.load_balancers.list(caller.region):
            if other.name == row.name:
                if _settings(other) != _settings(row):
                    raise ApiError(
                        "DuplicateLoadBalancerName",
                        f"A load balancer with the same name '{row.name}' exists, but with different settings",
                    )
                return {"LoadBalancers": [_describe(other, caller.region)]}
        # Clients name the subnets in any order; the address should not depend on it.
        zone = min(row.zones, key=lambda zone: zone.zone)
        first = subnet(caller.account, caller.region, zone.subnet_id)
        address = self.addresses.lease(_owner(row.arn), first.cidr)
        row = _with_address(row, address)
        self.load_balancers.put(caller.region, row.arn, row)
        self.put_tags(caller.region, row.arn, tags)
        self.on_change()
        return {"LoadBalancers": [_describe(row, caller.region)]}

    def describe_load_balancers(self, caller: Caller, params: Params) -> Result:
        """Describe all load balancers, or those named by ARN or name."""
        arns, names = params.get("LoadBalancerArns") or [], params.get("Names") or []
        rows = self.load_balancers.list(caller.region)
        known = {row.arn for row in rows} | {row.name for row in rows}
        missing = [wanted for wanted in (*arns, *names) if wanted not in known]
        if missing:
            raise ApiError("LoadBalancerNotFound", f"Load balancers '[{', '.join(missing)}]' not found")
        if arns or names:
            rows = [row for row in rows if row.arn in arns or row.name in names]
        found, marker = page(rows, params, lambda row: row.arn)
        result: Result = {"LoadBalancers": [_describe(row, caller.region) for row in found]}
        return result | ({"NextMarker": marker} if marker else {})

    def delete_load_balancer(self, caller: Caller, params: Params) -> Result:
        """Delete a load balancer with its listeners; one that does not exist is deleted already."""
        row = self.load_balancers.get(caller.region, params["LoadBalancerArn"])
        if row is None:
            return {}
        if row.attributes["deletion_protection.enabled"] == "true":
            raise ApiError(
                "OperationNotPermitted",
                f"Load balancer '{row.arn}' cannot be deleted because deletion protection is enabled",
            )
        for listener in self.listeners_of(caller.region, row.arn):
            self.remove_listener(caller.region, listener)
        self.load_balancers.delete(caller.region, row.arn)
        self.tags.delete(caller.region, row.arn)
        self.addresses.release(_owner(row.arn))
        self.refresh_use(caller.region)
        self.on_change()
        return {}

    def _asked_load_balancer(self, caller: Caller, params: Params) -> LoadBalancer:
        name, kind = params["Name"], params.get("Type") or "application"
        if not NAME.fullmatch(name) or name.startswith("internal-"):
            raise invalid(
                f"The load balancer name '{name}' is not valid: up to 32 letters, digits and hyphens, no hyphen at"
                " either end, not beginning with 'internal-'"
            )
        if kind != "application":
            raise unsupported(f"load balancers of type {kind}: only application load balancers serve requests")
        if (params.get("IpAddressType") or "ipv4") != "ipv4":
            raise unsupported(f"the IP address type {params['IpAddressType']}: load balancers are ipv4")
        zones = self.zones(caller, params)
        groups = self.security_groups(caller, params.get("SecurityGroups") or [])
        return LoadBalancer(
            arn=f"arn:aws:elasticloadbalancing:{caller.region}:{caller.account}:loadbalancer/app/{name}/{new_id()}",
            name=name,
            scheme=params.get("Scheme") or "internet-facing",
            vpc_id=subnet(caller.account, caller.region, zones[0].subnet_id).vpc_id,
            zones=zones,
            security_groups=groups,
            ip_address_type="ipv4",
            created_at=caller.now,
            attributes=defaults(LOAD_BALANCER),
            address="",
        )

    def zones(self, caller: Caller, params: Params) -> tuple[ZoneMapping, ...]:
        """Return the zones of the subnets that a request names."""
        ids: Sequence[str] = params.get("Subnets") or [
            text(mapping, "SubnetId") for mapping in params.get("SubnetMappings") or []
        ]
        self.ensure_network(caller.region)
        found = [subnet(caller.account, caller.region, subnet_id) for subnet_id in dict.fromkeys(ids)]
        zones = {one.zone for one in found}
        if len(zones) < len(found):
            raise ApiError(
                "InvalidConfigurationRequest",
                "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
            )
        if len(zones) < 2:
            raise invalid("At least two subnets in two different Availability Zones must be specified")
        if len({one.vpc_id for one in found}) > 1:
            raise ApiError("InvalidConfigurationRequest", "All subnets must belong to the same VPC")
        return tuple(ZoneMapping(one.zone, one.subnet_id) for one in found)

    def security_groups(self, caller: Caller, ids: Sequence[str]) -> tuple[str, ...]:
        """Return the security groups after checking that they exist."""
        for group_id in ids:
            if not security_group_exists(caller.account, caller.region, group_id):
                raise ApiError("InvalidSecurityGroup", f"The security group ID '{group_id}' is not valid")
        return tuple(ids)


def _owner(arn: str) -> str:
    return f"elbv2/{arn}"


def _with_address(row: LoadBalancer, address: str) -> LoadBalancer:
    return dataclasses.replace(row, address=address, low_port_offset=low_port_offset(address))


def _settings(row: LoadBalancer) -> tuple[object, ...]:
    zones = frozenset(zone.subnet_id for zone in row.zones)
    return row.scheme, zones, frozenset(row.security_groups)


def describe_zones(row: LoadBalancer) -> list[dict[str, Any]]:
    """Return AvailabilityZones as AWS shows them."""
    return [{"ZoneName": zone.zone, "SubnetId": zone.subnet_id, "LoadBalancerAddresses": []} for zone in row.zones]


def _describe(row: LoadBalancer, region: str) -> dict[str, Any]:
    state = {"Code": row.state} | ({"Reason": row.state_reason} if row.state_reason else {})
    return {
        "LoadBalancerArn": row.arn,
        "DNSName": row.dns_name,
        "CanonicalHostedZoneId": _HOSTED_ZONES.get(region, "Z1H1FL5HABSF5"),
        "CreatedTime": row.created_at,
        "LoadBalancerName": row.name,
        "Scheme": row.scheme,
        "VpcId": row.vpc_id,
        "State": state,
        "Type": "application",
        "AvailabilityZones": describe_zones(row),
        "SecurityGroups": list(row.security_groups),
        "IpAddressType": row.ip_address_type,
    }
