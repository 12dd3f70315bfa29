"""What the parts of live ECS share: callers, tags, paging, names, networks."""

from __future__ import annotations

import re
from collections.abc import Callable

from miyabi.localcloud.control import network
from miyabi.localcloud.control.credentials import Keys
from miyabi.localcloud.control.ecs.tables import EcsTables
from miyabi.localcloud.control.service import ApiError, Caller, LiveService, Params

_PAGE = 100
NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
"""What clusters, services, families and containers may be called."""


def invalid(message: str) -> ApiError:
    """Return ECS's answer to a parameter that it does not take."""
    return ApiError("InvalidParameterException", message)


def tags_in(params: Params) -> dict[str, str]:
    """Return a request's tags as a mapping."""
    return {tag["key"]: tag.get("value", "") for tag in params.get("tags") or [] if tag.get("key")}


def tags_out(tags: dict[str, str]) -> list[dict[str, str]]:
    """Return tags in ECS's shape."""
    return [{"key": key, "value": value} for key, value in tags.items()]


def page(rows: list[str], params: Params) -> tuple[list[str], str | None]:
    """Return a page of ARNs and the token of the next one."""
    size, token = params.get("maxResults"), params.get("nextToken")
    if size is None:
        size = _PAGE
    if not isinstance(size, int) or not 1 <= size <= _PAGE:
        raise invalid(f"maxResults must be between 1 and {_PAGE}.")
    if token and not (isinstance(token, str) and token.isascii() and token.isdigit() and int(token) <= len(rows)):
        raise invalid("Invalid token.")
    start = int(token or 0)
    end = start + size
    return rows[start:end], str(end) if end < len(rows) else None


class EcsPart(LiveService):
    """What the parts of live ECS share."""

    name = "ecs"

    def __init__(self, tables: EcsTables, keys: Keys, ensure_network: Callable[[str], None]) -> None:
        self.tables = tables
        self.keys = keys
        self.ensure_network = ensure_network
        """Makes sure that EC2 knows a region before its subnets are looked up."""

    def principal(self, caller: Caller) -> str:
        """Return the ARN of the caller."""
        return self.keys.holder(caller.access_key).arn

    def check_network(self, caller: Caller, configuration: Params) -> None:
        """Refuse subnets and security groups that do not exist."""
        given = configuration.get("awsvpcConfiguration")
        if not given or not given.get("subnets"):
            raise invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
        self.ensure_network(caller.region)
        for subnet_id in given["subnets"]:
            try:
                network.subnet(caller.account, caller.region, subnet_id)
            except ApiError as error:
                raise invalid(f"Error retrieving subnet information for [{subnet_id}]: {error.message}") from error
        for group_id in given.get("securityGroups") or []:
            if not network.security_group_exists(caller.account, caller.region, group_id):
                raise invalid(
                    f"Error retrieving security group information for [{group_id}]: "
                    f"The security group '{group_id}' does not exist"
                )
