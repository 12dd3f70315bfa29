"""Target groups and their attributes."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta
from typing import Any

from miyabi.localcloud.control.elbv2.attributes import TARGET_GROUP, changed, defaults
from miyabi.localcloud.control.elbv2.fields import PORTS, is_port, number, pairs
from miyabi.localcloud.control.elbv2.nouns import NAME, as_pairs, invalid, new_id, page, unsupported
from miyabi.localcloud.control.elbv2.tags import Tags, asked_tags
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.model.load_balancing import TRAFFIC_PORT, HealthCheck, TargetGroup

_MATCHER = re.compile(r"[0-9]{3}(-[0-9]{3})?(,[0-9]{3}(-[0-9]{3})?)*")


class TargetGroups(Tags):
    """Operations on target groups."""

    def create_target_group(self, caller: Caller, params: Params) -> Result:
        """Create a target group; the same request again returns it."""
        row, tags = _asked(caller, params), asked_tags(params)
        for other in self.target_groups.list(caller.region):
            if other.name == row.name:
                if dataclasses.replace(row, arn=other.arn, attributes=other.attributes) != other:
                    raise ApiError(
                        "DuplicateTargetGroupName",
                        f"A target group with the same name '{row.name}' exists, but with different settings",
                    )
                return {"TargetGroups": [self._describe_group(caller.region, other)]}
        self.target_groups.put(caller.region, row.arn, row)
        self.put_tags(caller.region, row.arn, tags)
        return {"TargetGroups": [self._describe_group(caller.region, row)]}

    def describe_target_groups(self, caller: Caller, params: Params) -> Result:
        """Describe all target groups, or those named by ARN, name or load balancer."""
        arns, names = params.get("TargetGroupArns") or [], params.get("Names") or []
        rows = self.target_groups.list(caller.region)
        known = {row.arn for row in rows} | {row.name for row in rows}
        missing = [wanted for wanted in (*arns, *names) if wanted not in known]
        if missing:
            raise ApiError("TargetGroupNotFound", f"Target groups '[{', '.join(missing)}]' not found")
        if arns or names:
            rows = [row for row in rows if row.arn in arns or row.name in names]
        if balancer := params.get("LoadBalancerArn"):
            self.find_load_balancer(caller.region, balancer)
            used = self.load_balancer_of_group(caller.region)
            rows = [row for row in rows if used.get(row.arn) == balancer]
        found, marker = page(rows, params, lambda row: row.arn)
        result: Result = {"TargetGroups": [self._describe_group(caller.region, row) for row in found]}
        return result | ({"NextMarker": marker} if marker else {})

    def modify_target_group(self, caller: Caller, params: Params) -> Result:
        """Change the health check."""
        row = self.find_target_group(caller.region, params["TargetGroupArn"])
        row = dataclasses.replace(row, health_check=_health_check(params, row.health_check))
        self.target_groups.put(caller.region, row.arn, row)
        self.on_change()
        return {"TargetGroups": [self._describe_group(caller.region, row)]}

    def delete_target_group(self, caller: Caller, params: Params) -> Result:
        """Delete a target group that nothing uses; one that does not exist is deleted already."""
        arn = params["TargetGroupArn"]
        if arn in self.load_balancer_of_group(caller.region):
            raise ApiError("ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule")
        for target in self.targets_of(caller.region, arn):
            self.targets.delete(caller.region, target.key)
        self.target_groups.delete(caller.region, arn)
        self.tags.delete(caller.region, arn)
        self.on_change()
        return {}

    def describe_target_group_attributes(self, caller: Caller, params: Params) -> Result:
        """Describe every attribute."""
        row = self.find_target_group(caller.region, params["TargetGroupArn"])
        return {"Attributes": as_pairs(row.attributes)}

    def modify_target_group_attributes(self, caller: Caller, params: Params) -> Result:
        """Change the given attributes and return all."""
        row = self.find_target_group(caller.region, params["TargetGroupArn"])
        attributes = changed("Target group", TARGET_GROUP, row.attributes, pairs(params["Attributes"]))
        row = dataclasses.replace(row, attributes=attributes)
        self.target_groups.put(caller.region, row.arn, row)
        self.on_change()
        return {"Attributes": as_pairs(row.attributes)}

    def target_group(self, region: str, arn: str) -> TargetGroup | None:
        """Return the target group, or None."""
        return self.target_groups.get(region, arn)

    def _describe_group(self, region: str, row: TargetGroup) -> dict[str, Any]:
        balancer = self.load_balancer_of_group(region).get(row.arn)
        return _describe(row) | {"LoadBalancerArns": [balancer] if balancer else []}


def _asked(caller: Caller, params: Params) -> TargetGroup:
    name = params["Name"]
    if not NAME.fullmatch(name):
        raise invalid(
            f"Target group name '{name}' is not valid: up to 32 letters, digits and hyphens, no hyphen at either end"
        )
    target_type = params.get("TargetType") or "instance"
    if target_type != "ip":
        raise unsupported(f"the target type {target_type}: use ip, as tasks of Fargate need")
    for key in ("Protocol", "Port", "VpcId"):
        if params.get(key) in {None, ""}:
            raise invalid(f"A {key} must be specified")
    if params["Protocol"] != "HTTP" or (params.get("ProtocolVersion") or "HTTP1") != "HTTP1":
        asked = f"{params['Protocol']} {params.get('ProtocolVersion') or ''}".strip()
        raise unsupported(f"target groups of protocol {asked}: targets speak HTTP, version HTTP1")
    if (params.get("IpAddressType") or "ipv4") != "ipv4":
        raise unsupported(f"the IP address type {params['IpAddressType']}: targets are ipv4")
    return TargetGroup(
        arn=f"arn:aws:elasticloadbalancing:{caller.region}:{caller.account}:targetgroup/{name}/{new_id()}",
        name=name,
        vpc_id=params["VpcId"],
        port=number(params["Port"], "Port", PORTS),
        protocol="HTTP",
        protocol_version="HTTP1",
        target_type="ip",
        ip_address_type="ipv4",
        health_check=_health_check(params, HealthCheck()),
        attributes=defaults(TARGET_GROUP),
    )


def _health_check(params: Params, before: HealthCheck) -> HealthCheck:
    """Return the health check after the request's changes; ValidationError, UnsupportedOperation."""
    if (params.get("HealthCheckProtocol") or "HTTP") != "HTTP":
        raise unsupported(f"health checks of protocol {params['HealthCheckProtocol']}: only HTTP")
    if params.get("HealthCheckEnabled") is False:
        raise invalid("Health check enabled must be true for target groups with target type 'ip'")
    check = HealthCheck(
        path=params.get("HealthCheckPath") or before.path,
        port=params.get("HealthCheckPort") or before.port,
        interval=_seconds(params, "HealthCheckIntervalSeconds", before.interval, 5, 300),
        timeout=_seconds(params, "HealthCheckTimeoutSeconds", before.timeout, 2, 120),
        healthy_threshold=_threshold(params, "HealthyThresholdCount", before.healthy_threshold),
        unhealthy_threshold=_threshold(params, "UnhealthyThresholdCount", before.unhealthy_threshold),
        matcher=_matcher((params.get("Matcher") or {}).get("HttpCode") or before.matcher),
    )
    if check.timeout >= check.interval:
        timeout, interval = (int(duration.total_seconds()) for duration in (check.timeout, check.interval))
        raise invalid(f"Health check timeout '{timeout}' must be smaller than the interval '{interval}'")
    if not check.path.startswith("/") or len(check.path) > 1024 or not check.path.isprintable() or " " in check.path:
        raise invalid(f"Health check path '{check.path}' must begin with a '/' and hold at most 1024 characters")
    if check.port != TRAFFIC_PORT and not is_port(check.port):
        raise invalid(f"Health check port '{check.port}' must be '{TRAFFIC_PORT}' or a port number")
    return check


def _seconds(params: Params, key: str, before: timedelta, low: int, high: int) -> timedelta:
    value = params.get(key)
    if value is None:
        return before
    return timedelta(seconds=number(value, key, range(low, high + 1)))


def _threshold(params: Params, key: str, before: int) -> int:
    value = params.get(key)
    return before if value is None else number(value, key, range(2, 11))


def _matcher(matcher: str) -> str:
    codes = re.findall("[0-9]{3}", matcher) if _MATCHER.fullmatch(matcher) else ["0"]
    if any(not 200 <= int(code) <= 499 for code in codes):
        raise invalid(f"Health check matcher HTTP code '{matcher}' must be within '200-499'")
    return matcher


def _describe(row: TargetGroup) -> dict[str, Any]:
    check = row.health_check
    return {
        "TargetGroupArn": row.arn,
        "TargetGroupName": row.name,
        "Protocol": row.protocol,
        "Port": row.port,
        "VpcId": row.vpc_id,
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": check.port,
        "HealthCheckEnabled": True,
        "HealthCheckIntervalSeconds": int(check.interval.total_seconds()),
        "HealthCheckTimeoutSeconds": int(check.timeout.total_seconds()),
        "HealthyThresholdCount": check.healthy_threshold,
        "UnhealthyThresholdCount": check.unhealthy_threshold,
        "HealthCheckPath": check.path,
        "Matcher": {"HttpCode": check.matcher},
        "TargetType": row.target_type,
        "ProtocolVersion": row.protocol_version,
        "IpAddressType": row.ip_address_type,
    }
