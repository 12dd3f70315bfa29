"""Targets: registering, draining, health; for the API, for ECS and for the loops."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from miyabi.localcloud.control.elbv2.fields import PORTS, number, optional_port, text
from miyabi.localcloud.control.elbv2.nouns import Nouns, with_health
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.model.load_balancing import (
    HealthCheck,
    Target,
    TargetGroup,
    TargetHealth,
    TargetState,
    target_key,
)
from miyabi.policy.target_health import DRAINING, REGISTERED, UNUSED, CheckResult, next_health

_LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
_NOT_REGISTERED = {
    "State": "unused",
    "Reason": "Target.NotRegistered",
    "Description": "Target is not registered to the target group",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """A target and how it is checked."""

    region: str
    target: Target
    check: HealthCheck


class Targets(Nouns):
    """Operations on targets."""

    def register_targets(self, caller: Caller, params: Params) -> Result:
        """Register targets by address; a draining one is registered anew."""
        group = self.find_target_group(caller.region, params["TargetGroupArn"])
        # All are read before one is registered: a refused request must leave nothing behind.
        asked = [
            (_address(text(entry, "Id")), optional_port(entry) or group.port, entry.get("AvailabilityZone"))
            for entry in params["Targets"]
        ]
        for address, port, zone in asked:
            self._register(caller.region, group, address, port, zone)
        self.on_change()
        return {}

    def deregister_targets(self, caller: Caller, params: Params) -> Result:
        """Let targets drain; without a port, every port of the address."""
        group = self.find_target_group(caller.region, params["TargetGroupArn"])
        held = self.targets_of(caller.region, group.arn)
        asked = [(text(entry, "Id"), optional_port(entry)) for entry in params["Targets"]]
        for address, port in asked:
            for target in held:
                if target.address == address and port in {None, target.port}:
                    self._drain(caller.region, target, caller.now)
        self.on_change()
        return {}

    def describe_target_health(self, caller: Caller, params: Params) -> Result:
        """Describe the health of all targets, or of those named."""
        group = self.find_target_group(caller.region, params["TargetGroupArn"])
        rows = self.targets_of(caller.region, group.arn)
        wanted = params.get("Targets")
        if not wanted:
            return {"TargetHealthDescriptions": [_describe(row, group) for row in rows]}
        described = []
        for entry in wanted:
            address, port = text(entry, "Id"), optional_port(entry) or group.port
            found = self.targets.get(caller.region, target_key(group.arn, address, port))
            missing = {
                "Target": {"Id": address, "Port": port},
                "TargetHealth": _NOT_REGISTERED,
            }
            described.append(missing if found is None else _describe(found, group))
        return {"TargetHealthDescriptions": described}

    def register(
        self,
        region: str,
        target_group_arn: str,
        address: str,
        port: int,
        zone: str,
        now: datetime,  # noqa: ARG002 - what callers of both know
    ) -> None:
        """Register a task's address; TargetGroupNotFound, ValidationError."""
        group = self.find_target_group(region, target_group_arn)
        self._register(region, group, _address(address), number(port, "Port", PORTS), zone)
        self.on_change()

    def deregister(self, region: str, target_group_arn: str, address: str, port: int, now: datetime) -> None:
        """Let a task's address drain; one that is not registered is no error."""
        target = self.targets.get(region, target_key(target_group_arn, address, port))
        if target is not None:
            self._drain(region, target, now)
            self.on_change()

    def target_health(self, region: str, target_group_arn: str, address: str, port: int) -> TargetHealth | None:
        """Return the target's health; None where it is not registered, or has finished draining."""
        target = self.targets.get(region, target_key(target_group_arn, address, port))
        return None if target is None else target.health

    def checked_targets(self) -> list[Checked]:
        """Return every target that is to be checked."""
        return [
            Checked(region, target, group.health_check)
            for region in self.targets.regions()
            for group in self.target_groups.list(region)
            for target in self.targets_of(region, group.arn)
            if target.health.state in {TargetState.INITIAL, TargetState.HEALTHY, TargetState.UNHEALTHY}
        ]

    def record_checks(self, results: Sequence[tuple[Checked, CheckResult]], now: datetime) -> None:
        """Apply the results of checks to the targets that are still registered."""
        states_changed = False
        for checked, result in results:
            target = self.targets.get(checked.region, checked.target.key)
            if target is None:
                continue
            health = next_health(target.health, result, checked.check, now=now)
            if health != target.health:
                self.targets.put(checked.region, target.key, with_health(target, health))
                states_changed = states_changed or health.state is not target.health.state
        if states_changed:
            self.on_change()

    def finish_draining(self, finished: Mapping[str, Sequence[str]]) -> None:
        """Remove targets that have drained: keys by region. One that was registered again meanwhile stays."""
        removed = False
        for region, keys in finished.items():
            for key in keys:
                target = self.targets.get(region, key)
                if target is not None and target.health.state is TargetState.DRAINING:
                    self.targets.delete(region, key)
                    removed = True
        if removed:
            self.on_change()

    def _register(self, region: str, group: TargetGroup, address: str, port: int, zone: str | None) -> None:
        key = target_key(group.arn, address, port)
        held = self.targets.get(region, key)
        if held is not None and held.health.state is not TargetState.DRAINING:
            return
        used = group.arn in self.load_balancer_of_group(region)
        target = Target(group.arn, address, port, zone, REGISTERED if used else UNUSED)
        self.targets.put(region, key, target)

    def _drain(self, region: str, target: Target, now: datetime) -> None:
        if target.health.state is TargetState.UNUSED:
            self.targets.delete(region, target.key)
        elif target.health.state is not TargetState.DRAINING:
            self.targets.put(region, target.key, dataclasses.replace(target, health=DRAINING, draining_since=now))


def _address(text: str) -> str:
    """Return the address; InvalidTarget unless it is one of this machine's own."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError as error:
        raise ApiError("ValidationError", f"The IP address '{text}' is not a valid IPv4 address") from error
    if address not in _LOOPBACK:
        raise ApiError(
            "InvalidTarget", f"The local cloud reaches addresses in {_LOOPBACK} only, so '{text}' cannot be a target"
        )
    return str(address)


def _describe(row: Target, group: TargetGroup) -> dict[str, Any]:
    target: dict[str, Any] = {"Id": row.address, "Port": row.port}
    target |= {"AvailabilityZone": row.zone} if row.zone else {}
    health = {"State": str(row.health.state)}
    health |= {"Reason": row.health.reason} if row.health.reason else {}
    health |= {"Description": row.health.description} if row.health.description else {}
    port = group.health_check.port
    checked = str(row.port) if port == "traffic-port" else port
    return {"Target": target, "HealthCheckPort": checked, "TargetHealth": health}
