"""What the operations of every noun share: the rows, finding one or saying that it is not there, paging."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from miyabi.localcloud.control.addresses import AddressBook
from miyabi.localcloud.control.service import ApiError, LiveService, Params
from miyabi.localcloud.control.store import Store, Table
from miyabi.model.load_balancing import Listener, LoadBalancer, Rule, Target, TargetGroup, TargetState
from miyabi.policy.target_health import REGISTERED, UNUSED

Row = TypeVar("Row")
_PAGE = 400
NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,32}(?<!-)")
"""What a load balancer or target group may be called."""


def _nothing(_: str) -> None:
    """Stand in where the network exists already."""


class Nouns(LiveService):
    """Base of the mixins: tables and what they have in common."""

    name: ClassVar[str] = "elbv2"

    def __init__(
        self,
        store: Store,
        addresses: AddressBook,
        on_change: Callable[[], None],
        ensure_network: Callable[[str], None] = _nothing,
    ) -> None:
        self.load_balancers = Table(store, "elbv2.load_balancer", LoadBalancer)
        self.target_groups = Table(store, "elbv2.target_group", TargetGroup)
        self.listeners = Table(store, "elbv2.listener", Listener)
        self.rules = Table(store, "elbv2.rule", Rule)
        self.targets = Table(store, "elbv2.target", Target)
        self.tags: Table[dict[str, str]] = Table(store, "elbv2.tags", dict[str, str])
        self.addresses = addresses
        self.on_change = on_change
        self.ensure_network = ensure_network

    def find_load_balancer(self, region: str, arn: str) -> LoadBalancer:
        """Return the load balancer; LoadBalancerNotFound."""
        found = self.load_balancers.get(region, arn)
        if found is None:
            raise ApiError("LoadBalancerNotFound", f"Load balancer '{arn}' not found")
        return found

    def find_target_group(self, region: str, arn: str) -> TargetGroup:
        """Return the target group; TargetGroupNotFound."""
        found = self.target_groups.get(region, arn)
        if found is None:
            raise ApiError("TargetGroupNotFound", f"Target groups '{arn}' not found")
        return found

    def find_listener(self, region: str, arn: str) -> Listener:
        """Return the listener; ListenerNotFound."""
        found = self.listeners.get(region, arn)
        if found is None:
            raise ApiError("ListenerNotFound", f"One or more listeners not found: '{arn}'")
        return found

    def listeners_of(self, region: str, load_balancer_arn: str) -> list[Listener]:
        """Return a load balancer's listeners by port."""
        prefix = load_balancer_arn.replace(":loadbalancer/", ":listener/") + "/"
        return sorted(self.listeners.list(region, prefix=prefix), key=lambda listener: listener.port)

    def rules_of(self, region: str, listener_arn: str) -> list[Rule]:
        """Return a listener's rules in the order in which they are tried."""
        prefix = listener_arn.replace(":listener/", ":listener-rule/") + "/"
        found = self.rules.list(region, prefix=prefix)
        return sorted(found, key=lambda rule: (rule.priority is None, rule.priority or 0))

    def targets_of(self, region: str, target_group_arn: str) -> list[Target]:
        """Return a target group's targets."""
        return self.targets.list(region, prefix=f"{target_group_arn}|")

    def load_balancer_of_group(self, region: str) -> dict[str, str]:
        """Return which load balancer uses a target group: group ARN → load balancer ARN."""
        listeners = {listener.arn: listener.load_balancer_arn for listener in self.listeners.list(region)}
        return {
            group.target_group_arn: listeners[rule.listener_arn]
            for rule in self.rules.list(region)
            for group in rule.action.forward
        }

    def refresh_use(self, region: str) -> None:
        """Let targets be unused where no load balancer uses their group, and start as initial where one does."""
        used = self.load_balancer_of_group(region)
        for target in self.targets.list(region):
            state, in_use = target.health.state, target.target_group_arn in used
            if state is TargetState.UNUSED and in_use:
                self.targets.put(region, target.key, with_health(target, REGISTERED))
            elif state not in {TargetState.UNUSED, TargetState.DRAINING} and not in_use:
                self.targets.put(region, target.key, with_health(target, UNUSED))


def with_health(target: Target, health: Any) -> Target:
    """Return the target with this health."""
    return Target(target.target_group_arn, target.address, target.port, target.zone, health, target.draining_since)


def new_id() -> str:
    """Return sixteen random hex digits, as in AWS's ARNs."""
    return secrets.token_hex(8)


def invalid(message: str) -> ApiError:
    """Return a ValidationError."""
    return ApiError("ValidationError", message)


def unsupported(what: str) -> ApiError:
    """Return the answer to what the local cloud does not do, rather than pretend."""
    return ApiError("UnsupportedOperation", f"The local cloud does not offer {what}.")


def as_pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return a dict as a list of Key and Value."""
    return [{"Key": key, "Value": value} for key, value in values.items()]


def page(rows: Sequence[Row], params: Params, key: Callable[[Row], str]) -> tuple[list[Row], str | None]:
    """Return one page of rows and the marker of the next: the key of its first row."""
    size = _PAGE if params.get("PageSize") is None else params["PageSize"]
    if not isinstance(size, int) or not 1 <= size <= _PAGE:
        raise invalid(f"1 validation error detected: PageSize must be between 1 and {_PAGE}.")
    start = 0
    if params.get("Marker"):
        keys = [key(row) for row in rows]
        if params["Marker"] not in keys:
            raise invalid(f"Marker '{params['Marker']}' is not valid.")
        start = keys.index(params["Marker"])
    following = rows[start + size :]
    return list(rows[start : start + size]), (key(following[0]) if following else None)
