"""What the live services need to know of EC2, which stock moto records."""

from __future__ import annotations

from dataclasses import dataclass

from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends

from miyabi.localcloud.control.service import ApiError


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet as the live services see it."""

    subnet_id: str
    vpc_id: str
    zone: str
    zone_id: str
    cidr: str


def subnet(account: str, region: str, subnet_id: str) -> Subnet:
    """Return the subnet; `ApiError` SubnetNotFound where there is none (callers translate the code)."""
    try:
        found = ec2_backends[account][region].get_subnet(subnet_id)
    except ServiceException as error:
        raise ApiError("SubnetNotFound", f"The subnet ID '{subnet_id}' is not valid") from error
    zone_id = found._availability_zone.zone_id  # noqa: SLF001 - moto has no other way to it
    return Subnet(subnet_id, found.vpc_id, found.availability_zone, zone_id, found.cidr_block)


def security_group_exists(account: str, region: str, group_id: str) -> bool:
    """Say whether the security group exists."""
    return ec2_backends[account][region].get_security_group_from_id(group_id) is not None
