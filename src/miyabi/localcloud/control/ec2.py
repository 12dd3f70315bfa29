"""moto's EC2 backend, made to keep what Terraform reads back.

Stock moto drops the description of a security group's rule whose source is another group.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from moto.ec2 import urls
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.security_groups import SecurityGroup, SecurityGroupRule

Authorized = tuple[list[SecurityGroupRule], SecurityGroup]


class DescribedRules(EC2Backend):
    """EC2 with descriptions on every rule."""

    @property
    def _url_module(self) -> ModuleType:
        return urls  # moto derives it from the name of the backend's module

    def authorize_security_group_ingress(self, *arguments: Any, **named: Any) -> Authorized:
        """Add rules, each with the description of its source."""
        return _described(super().authorize_security_group_ingress(*arguments, **named), named)

    def authorize_security_group_egress(self, *arguments: Any, **named: Any) -> Authorized:
        """Add rules, each with the description of its destination."""
        return _described(super().authorize_security_group_egress(*arguments, **named), named)


def install_ec2() -> None:
    """Make moto's EC2 use this backend. Call it before EC2 is used for the first time."""
    if ec2_backends:
        raise RuntimeError("EC2 is in use already")
    ec2_backends.backend = DescribedRules


def _described(authorized: Authorized, named: dict[str, Any]) -> Authorized:
    descriptions = {
        source["GroupId"]: source["Description"]
        for source in named.get("source_groups") or []
        if source.get("GroupId") and source.get("Description")
    }
    for rule in authorized[0]:
        group = (rule.source_group or {}).get("GroupId")
        if group in descriptions:
            rule.ip_range["Description"] = descriptions[group]
    return authorized
