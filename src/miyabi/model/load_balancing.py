"""Nouns of Elastic Load Balancing: load balancer, listener, rule, target group, target, target health."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

TRAFFIC_PORT = "traffic-port"
"""A health-check port that means: the port on which the target takes traffic."""


class TargetState(StrEnum):
    """A target's state, as DescribeTargetHealth names it."""

    INITIAL = "initial"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNUSED = "unused"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """A target's health and the count that may change it."""

    state: TargetState
    reason: str | None = None
    """AWS's reason code, such as `Target.Timeout`; None where the target is healthy."""
    description: str | None = None
    streak: int = 0
    """Consecutive checks that speak against `state`: failures while initial or healthy, passes while unhealthy."""
    counted_at: datetime | None = None
    """When a failure was last counted while initial."""


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How a target group checks its targets."""

    path: str = "/"
    port: str = TRAFFIC_PORT
    interval: timedelta = timedelta(seconds=30)
    timeout: timedelta = timedelta(seconds=5)
    healthy_threshold: int = 5
    unhealthy_threshold: int = 2
    matcher: str = "200"
    """Status codes that pass: `200`, `200,302`, `200-299`."""


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """Targets that share a port, a health check and their attributes."""

    arn: str
    name: str
    vpc_id: str
    port: int
    protocol: str
    protocol_version: str
    target_type: str
    ip_address_type: str
    health_check: HealthCheck
    attributes: Mapping[str, str]

    @property
    def deregistration_delay(self) -> timedelta:
        """How long a target may finish what it has begun."""
        return timedelta(seconds=int(self.attributes["deregistration_delay.timeout_seconds"]))

    @property
    def minimum_healthy(self) -> int:
        """Below this number of healthy targets, requests go to unhealthy ones too."""
        return int(self.attributes["target_group_health.unhealthy_state_routing.minimum_healthy_targets.count"])


@dataclass(frozen=True, slots=True)
class Target:
    """An address and port that a target group sends requests to."""

    target_group_arn: str
    address: str
    port: int
    zone: str | None
    health: TargetHealth
    draining_since: datetime | None = None

    @property
    def key(self) -> str:
        """Unique in a region."""
        return target_key(self.target_group_arn, self.address, self.port)


def target_key(target_group_arn: str, address: str, port: int) -> str:
    """Return the key of a target's row; the targets of a group share its ARN and a bar as prefix."""
    return f"{target_group_arn}|{address}:{port}"


@dataclass(frozen=True, slots=True)
class ZoneMapping:
    """A subnet of a load balancer and the zone that it lies in."""

    zone: str
    subnet_id: str


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """An application load balancer."""

    arn: str
    name: str
    scheme: str
    vpc_id: str
    zones: tuple[ZoneMapping, ...]
    security_groups: tuple[str, ...]
    ip_address_type: str
    created_at: datetime
    attributes: Mapping[str, str]
    address: str
    """Its own loopback address."""
    low_port_offset: int = 0
    """Added to ports under 1024 where the user may not bind them."""
    state: str = "provisioning"
    state_reason: str | None = None

    def bound_port(self, port: int) -> int:
        """Return the port that is really bound for a listener's port."""
        return port + self.low_port_offset if port < 1024 else port

    @property
    def dns_name(self) -> str:
        """The address, with a port where the usual port 80 cannot be bound."""
        return f"{self.address}:{self.bound_port(80)}" if self.low_port_offset else self.address

    @property
    def idle_timeout(self) -> timedelta:
        """How long a connection may be silent."""
        return timedelta(seconds=int(self.attributes["idle_timeout.timeout_seconds"]))


@dataclass(frozen=True, slots=True)
class WeightedTargetGroup:
    """A target group and its share of a forward action's requests."""

    target_group_arn: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class FixedResponse:
    """An answer that the load balancer gives by itself."""

    status_code: int
    content_type: str
    body: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where to send the client; `#{protocol} #{host} #{port} #{path} #{query}` stand for the request's own."""

    protocol: str
    host: str
    port: str
    path: str
    query: str
    status_code: int


@dataclass(frozen=True, slots=True)
class Action:
    """What a rule does with a request: exactly one of the three."""

    forward: tuple[WeightedTargetGroup, ...] = ()
    fixed_response: FixedResponse | None = None
    redirect: Redirect | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a rule; it holds when one of its values matches."""

    field: str
    """`path-pattern`, `host-header`, `http-header`, `http-request-method`, `query-string`, `source-ip`."""
    values: tuple[str, ...]
    """Patterns with `*` and `?`; for query-string `key=value`, where the key may be missing."""
    header_name: str | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """A port of a load balancer."""

    arn: str
    load_balancer_arn: str
    port: int
    protocol: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a listener does with the requests that meet the rule's conditions."""

    arn: str
    listener_arn: str
    priority: int | None
    """Lowest first; None is the default rule, which comes last."""
    conditions: tuple[Condition, ...]
    action: Action
