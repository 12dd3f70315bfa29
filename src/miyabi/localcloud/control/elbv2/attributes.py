"""The attributes of load balancers, target groups and listeners: defaults, what AWS allows, what is offered here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from miyabi.localcloud.control.elbv2.nouns import invalid, unsupported

_BOOLEAN = ("true", "false")
_NUMBER = re.compile("[0-9]{1,9}")
_HEADER_VALUE = re.compile("([!-~]([ -~]{0,1022}[!-~])?)?")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute. `offered` are the values that the local cloud can do; None = all that are allowed."""

    default: str
    allowed: tuple[str, ...] | range | re.Pattern[str] | None = None
    offered: tuple[str, ...] | None = None

    def check(self, key: str, value: str) -> None:
        """Raise what AWS raises for a value that it does not know, or UnsupportedOperation."""
        if isinstance(self.allowed, range):
            if not (_NUMBER.fullmatch(value) and int(value) in self.allowed):
                bounds = f"between {self.allowed.start} and {self.allowed.stop - 1}"
                raise invalid(f"'{key}' value must be {bounds}")
        elif isinstance(self.allowed, re.Pattern):
            if not self.allowed.fullmatch(value):
                raise invalid(f"'{key}' value '{value}' is not valid")
        elif self.allowed is not None and value not in self.allowed:
            raise invalid(f"'{key}' value must be one of [{', '.join(self.allowed)}]")
        if self.offered is not None and value not in self.offered:
            raise unsupported(f"the attribute {key} with the value '{value}'")


Attributes = Mapping[str, Attribute]

LOAD_BALANCER: Attributes = {
    "access_logs.s3.enabled": Attribute("false", _BOOLEAN, ("false",)),
    "access_logs.s3.bucket": Attribute(""),
    "access_logs.s3.prefix": Attribute(""),
    "idle_timeout.timeout_seconds": Attribute("60", range(1, 4001)),
    "deletion_protection.enabled": Attribute("false", _BOOLEAN),
    "routing.http2.enabled": Attribute("true", _BOOLEAN),
    "routing.http.drop_invalid_header_fields.enabled": Attribute("false", _BOOLEAN),
    "routing.http.xff_client_port.enabled": Attribute("false", _BOOLEAN),
    "routing.http.preserve_host_header.enabled": Attribute("false", _BOOLEAN),
    "routing.http.xff_header_processing.mode": Attribute("append", ("append", "preserve", "remove")),
    "load_balancing.cross_zone.enabled": Attribute("true", ("true",)),
    "routing.http.desync_mitigation_mode": Attribute("defensive", ("monitor", "defensive", "strictest")),
    "client_keep_alive.seconds": Attribute("3600", range(60, 604801)),
    "waf.fail_open.enabled": Attribute("false", _BOOLEAN),
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": Attribute("false", _BOOLEAN),
    "zonal_shift.config.enabled": Attribute("false", _BOOLEAN),
    "connection_logs.s3.enabled": Attribute("false", _BOOLEAN, ("false",)),
    "connection_logs.s3.bucket": Attribute(""),
    "connection_logs.s3.prefix": Attribute(""),
}

_HEALTH = "target_group_health"
TARGET_GROUP: Attributes = {
    "deregistration_delay.timeout_seconds": Attribute("300", range(3601)),
    "stickiness.enabled": Attribute("false", _BOOLEAN, ("false",)),
    "stickiness.type": Attribute("lb_cookie", ("lb_cookie", "app_cookie")),
    "stickiness.lb_cookie.duration_seconds": Attribute("86400", range(1, 604801)),
    "stickiness.app_cookie.cookie_name": Attribute(""),
    "stickiness.app_cookie.duration_seconds": Attribute("86400", range(1, 604801)),
    "slow_start.duration_seconds": Attribute("0", range(901), ("0",)),
    "load_balancing.algorithm.type": Attribute(
        "round_robin",
        ("round_robin", "least_outstanding_requests", "weighted_random"),
        ("round_robin", "least_outstanding_requests"),
    ),
    "load_balancing.algorithm.anomaly_mitigation": Attribute("off", ("on", "off"), ("off",)),
    "load_balancing.cross_zone.enabled": Attribute(
        "use_load_balancer_configuration",
        ("true", "false", "use_load_balancer_configuration"),
        ("true", "use_load_balancer_configuration"),
    ),
    f"{_HEALTH}.dns_failover.minimum_healthy_targets.count": Attribute("1"),
    f"{_HEALTH}.dns_failover.minimum_healthy_targets.percentage": Attribute("off"),
    f"{_HEALTH}.unhealthy_state_routing.minimum_healthy_targets.count": Attribute("1", range(1, 1001)),
    f"{_HEALTH}.unhealthy_state_routing.minimum_healthy_targets.percentage": Attribute("off", None, ("off",)),
}

LISTENER: Attributes = {
    "routing.http.response.server.enabled": Attribute("true", _BOOLEAN),
    **{
        f"routing.http.response.{header}.header_value": Attribute("", _HEADER_VALUE)
        for header in (
            "strict_transport_security",
            "access_control_allow_origin",
            "access_control_allow_methods",
            "access_control_allow_headers",
            "access_control_allow_credentials",
            "access_control_expose_headers",
            "access_control_max_age",
            "content_security_policy",
            "x_content_type_options",
            "x_frame_options",
        )
    },
}


def defaults(attributes: Attributes) -> dict[str, str]:
    """Return every attribute with its default."""
    return {key: attribute.default for key, attribute in attributes.items()}


def changed(
    noun: str, attributes: Attributes, current: Mapping[str, str], changes: Mapping[str, str]
) -> dict[str, str]:
    """Return the attributes after the changes; ValidationError, UnsupportedOperation."""
    for key, value in changes.items():
        attribute = attributes.get(key)
        if attribute is None:
            raise invalid(f"{noun} attribute key '{key}' is not recognized")
        attribute.check(key, value)
    return {**current, **changes}
