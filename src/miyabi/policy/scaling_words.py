"""What a service's scaling settings mean, and where they contradict each other, in words for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_PER_TARGET = "ALBRequestCountPerTarget"


@dataclass(frozen=True, slots=True)
class Watch:
    """An alarm on a metric that a policy keeps at a target, too."""

    name: str
    metric: str
    threshold: float
    seconds: int
    """For how long the metric must be over it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A target tracking policy: what it keeps at which value."""

    policy: str
    kind: str
    """`ECSServiceAverageCPUUtilization`"""
    metric: str
    """`CPUUtilization`"""
    target: float


def contradictions(policies: Sequence[Kept], alarms: Sequence[Watch], *, minimum: int, maximum: int) -> tuple[str, ...]:
    """Return a sentence for each pair of settings that do not fit."""
    found = []
    for policy in policies:
        if policy.kind.startswith(_PER_TARGET):
            per_second = policy.target / 60
            found.append(
                f"{policy.policy}: {policy.target:g} requests a target and minute are {per_second:.1f} a second, so "
                f"{maximum} tasks are enough for {per_second * maximum:.0f} requests a second; 100 a second ask for "
                f"{-(-100 // per_second):.0f}"
            )
        found += [
            f"{alarm.name} goes off above {alarm.threshold:g} after {alarm.seconds // 60} minutes, and "
            f"{policy.policy} lets {policy.metric} come up to {policy.target:g} before it scales out: it pages on "
            "scaling that works"
            for alarm in alarms
            if alarm.metric == policy.metric and alarm.threshold <= policy.target
        ]
    if minimum == maximum and policies:
        found.append(f"minimum and maximum are both {minimum}: no policy can change anything")
    return tuple(found)
