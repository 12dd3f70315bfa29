"""What HAProxy should be, read from the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from miyabi.localcloud.control.elbv2.nouns import Nouns
from miyabi.localcloud.data.haproxy_config import Backend, Config, Frontend, ServerState
from miyabi.model.load_balancing import LoadBalancer, Target, TargetGroup, TargetState
from miyabi.policy.target_health import routable

_ALGORITHMS = {"round_robin": "roundrobin", "least_outstanding_requests": "leastconn"}


@dataclass(frozen=True, slots=True)
class Draining:
    """A target that gets no new request, and when it is cut off at the latest."""

    region: str
    key: str
    backend: str
    server: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Balancer:
    """A load balancer and the frontends that it is served by."""

    region: str
    row: LoadBalancer
    frontends: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Desired:
    """Everything that the sync loop has to bring about."""

    balancers: tuple[Balancer, ...]
    config: Config
    draining: tuple[Draining, ...]


def desired(rows: Nouns) -> Desired:
    """Read the rows of all regions."""
    balancers: list[Balancer] = []
    frontends: list[Frontend] = []
    backends: list[Backend] = []
    names: dict[str, str] = {}
    draining: list[Draining] = []
    for region in rows.load_balancers.regions():
        by_arn = {row.arn: row for row in rows.load_balancers.list(region)}
        for arn, balancer_arn in rows.load_balancer_of_group(region).items():
            group = rows.target_groups.get(region, arn)
            if group is None:
                continue
            backend = _backend(group, by_arn[balancer_arn], rows.targets_of(region, arn))
            names[arn] = backend.name
            backends.append(backend)
        for row in by_arn.values():
            mine = _frontends(rows, region, row)
            frontends += mine
            balancers.append(Balancer(region, row, tuple(frontend.name for frontend in mine)))
    for region in rows.targets.regions():
        draining += _draining(rows, region, names)
    backends.sort(key=lambda backend: backend.name)
    return Desired(tuple(balancers), Config(tuple(frontends), tuple(backends), names), tuple(draining))


def backend_name(group: TargetGroup) -> str:
    """Return `name.id`, unique over regions."""
    return f"{group.name}.{group.arn.rsplit('/', 1)[-1]}"


def _backend(group: TargetGroup, balancer: LoadBalancer, targets: list[Target]) -> Backend:
    chosen = routable({target.key: target.health.state for target in targets}, minimum_healthy=group.minimum_healthy)
    return Backend(
        backend_name(group),
        _ALGORITHMS[group.attributes["load_balancing.algorithm.type"]],
        balancer.idle_timeout,
        {_server(target): _server_state(target, target.key in chosen) for target in targets},
    )


def _server(target: Target) -> str:
    return f"{target.address}:{target.port}"


def _server_state(target: Target, chosen: bool) -> ServerState:  # noqa: FBT001 - private
    if chosen:
        return ServerState.READY
    # An unhealthy target too may finish what it has begun.
    return ServerState.MAINT if target.health.state is TargetState.INITIAL else ServerState.DRAIN


def _frontends(rows: Nouns, region: str, balancer: LoadBalancer) -> list[Frontend]:
    return [
        Frontend(
            address=balancer.address,
            port=balancer.bound_port(listener.port),
            listener_port=listener.port,
            idle_timeout=balancer.idle_timeout,
            rules=tuple(rows.rules_of(region, listener.arn)),
            attributes={**balancer.attributes, **listener.attributes},
        )
        for listener in rows.listeners_of(region, balancer.arn)
    ]


def _draining(rows: Nouns, region: str, names: Mapping[str, str]) -> list[Draining]:
    found = []
    for target in rows.targets.list(region):
        group = rows.target_groups.get(region, target.target_group_arn)
        if group is not None and target.draining_since is not None:
            until = target.draining_since + group.deregistration_delay
            found.append(Draining(region, target.key, names.get(group.arn, ""), _server(target), until))
    return found
