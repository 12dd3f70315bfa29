"""How many tasks target tracking asks for.

Source: docs.aws.amazon.com, "How target tracking scaling for Application Auto Scaling works" and "Scaling cooldowns";
for the first task, "Automatically scale your Amazon ECS service".
AWS publishes no formula for the new capacity ("proportional, rounded conservatively"). Ours: the running count times
metric over target, rounded up, in both directions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from miyabi.model.metrics import AlarmState
from miyabi.model.scaling import Suspended

_ROUNDING: Final = 1e-9
"""What a float's error may add to a number of tasks."""
_NOTHING: Final = Suspended()


@dataclass(frozen=True, slots=True)
class Tracking:
    """A target tracking policy, as seen now."""

    name: str
    target_value: float
    metric: float | None
    """Newest datapoint; None = missing."""
    high: AlarmState
    low: AlarmState
    high_alarm: str
    low_alarm: str
    scale_out_cooldown: timedelta = timedelta(seconds=300)
    scale_in_cooldown: timedelta = timedelta(seconds=300)
    disable_scale_in: bool = False


@dataclass(frozen=True, slots=True)
class Capacity:
    """A scalable target, as seen now."""

    minimum: int
    maximum: int
    desired: int
    running: int
    deploying: bool = False
    suspended: Suspended = _NOTHING


@dataclass(frozen=True, slots=True)
class ScaledOut:
    """When a policy scaled out, and from how many tasks."""

    at: datetime
    previous: int


@dataclass(frozen=True, slots=True)
class Cooldowns:
    """The activities, by policy, from which cooldowns are counted."""

    out: Mapping[str, ScaledOut] = field(default_factory=dict)
    into: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a policy that wanted to scale did not: a code as in NotScaledReasons, or ours where AWS has none."""

    policy: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now."""

    capacity: int | None
    """The desired count to set; None = leave it."""
    policy: str = ""
    cause: str = ""
    """As in DescribeScalingActivities, and how the capacity was reckoned."""
    refusals: tuple[Refusal, ...] = ()
    cooldowns: Cooldowns = Cooldowns()
    """To be kept, once the capacity is set."""


@dataclass(frozen=True, slots=True)
class _Wish:
    policy: Tracking
    capacity: int
    reckoned: str


def plan_capacity(seen: Capacity, policies: Sequence[Tracking], cooldowns: Cooldowns, *, now: datetime) -> Decision:
    """Return the desired count that the policies of one scalable target ask for, with its cause.

    Out if any policy wants it, in only if all that may want it, and then to the largest capacity that one asks for.
    A missing metric asks for nothing, so it also keeps the others from scaling in.
    """
    out = [wish for one in policies if _is_high(one) and (wish := _wish_out(one, seen))]
    if out:
        return _scale_out(seen, out, cooldowns, now)
    return _scale_in(seen, [one for one in policies if not one.disable_scale_in], cooldowns, now)


def _scale_out(seen: Capacity, wishes: Sequence[_Wish], cooldowns: Cooldowns, now: datetime) -> Decision:
    refusals: list[Refusal] = []
    allowed: list[_Wish] = []
    for wish in wishes:
        refusal = _refused_out(seen, wish, cooldowns, now)
        if refusal is None:
            allowed.append(wish)
        else:
            refusals.append(refusal)
    if not allowed:
        return Decision(None, refusals=tuple(refusals), cooldowns=cooldowns)
    best = max(allowed, key=lambda wish: wish.capacity)
    kept = Cooldowns(out={**cooldowns.out, best.policy.name: ScaledOut(now, seen.desired)})
    return _decided(seen, best, best.policy.high_alarm, refusals, kept)


def _refused_out(seen: Capacity, wish: _Wish, cooldowns: Cooldowns, now: datetime) -> Refusal | None:
    policy, wanted = wish.policy, wish.capacity
    if seen.suspended.dynamic_out:
        return Refusal(policy.name, "DynamicScalingOutSuspended", "Scaling out is suspended.")
    if wanted <= seen.desired:
        return Refusal(
            policy.name, "AlreadyAtDesiredCapacity", f"{wish.reckoned}; {seen.desired} are already asked for."
        )
    if seen.desired >= seen.maximum:
        return Refusal(policy.name, "AlreadyAtMaxCapacity", f"{wish.reckoned}; the maximum is {seen.maximum}.")
    last = cooldowns.out.get(policy.name)
    if last is None or now >= last.at + policy.scale_out_cooldown:
        return None
    # The tasks just added count as if they had not been there: only a breach larger than the one that added them
    # is news.
    larger = _wish(policy, min(seen.running, last.previous))
    if larger is not None and larger.capacity > seen.desired:
        return None
    until = last.at + policy.scale_out_cooldown
    return Refusal(
        policy.name, "ScaleOutCooldown", f"{wish.reckoned}; the scale-out cooldown ends at {until:%H:%M:%S}."
    )


def _scale_in(seen: Capacity, policies: Sequence[Tracking], cooldowns: Cooldowns, now: datetime) -> Decision:
    low = [wish for one in policies if one.low is AlarmState.ALARM and (wish := _wish(one, seen.running))]
    unchanged = Decision(None, cooldowns=cooldowns)
    if not low:
        return unchanged
    best = max(low, key=lambda wish: wish.capacity)
    if seen.desired <= seen.minimum:
        refusal = Refusal(best.policy.name, "AlreadyAtMinCapacity", f"{best.reckoned}; the minimum is {seen.minimum}.")
        return replace(unchanged, refusals=(refusal,))
    if best.capacity >= seen.desired:
        return unchanged
    refusals = _refused_in(seen, policies, best, cooldowns, now)
    if refusals:
        return replace(unchanged, refusals=refusals)
    kept = replace(cooldowns, into={**cooldowns.into, **dict.fromkeys((one.policy.name for one in low), now)})
    return _decided(seen, best, best.policy.low_alarm, (), kept)


def _refused_in(
    seen: Capacity, policies: Sequence[Tracking], best: _Wish, cooldowns: Cooldowns, now: datetime
) -> tuple[Refusal, ...]:
    def refuse(code: str, reason: str) -> tuple[Refusal, ...]:
        return (Refusal(best.policy.name, code, f"{best.reckoned}; {reason}"),)

    if seen.suspended.dynamic_in:
        return refuse("DynamicScalingInSuspended", "scaling in is suspended.")
    if seen.deploying:
        return refuse("DeploymentInProgress", "there is no scaling in during a deployment.")
    against = [one.name for one in policies if one.low is not AlarmState.ALARM or one.metric is None]
    if against:
        return refuse("OtherPolicyAgainst", f"not below its target, or unknown: {', '.join(against)}.")
    ends = [cooldowns.into[one.name] + one.scale_in_cooldown for one in policies if one.name in cooldowns.into]
    if ends and max(ends) > now:
        return refuse("ScaleInCooldown", f"the scale-in cooldown ends at {max(ends):%H:%M:%S}.")
    return ()


def _is_high(policy: Tracking) -> bool:
    return policy.high is AlarmState.ALARM and policy.metric is not None and policy.metric > policy.target_value


def _wish_out(policy: Tracking, seen: Capacity) -> _Wish | None:
    if seen.desired == seen.running == 0:
        return _Wish(policy, 1, "nothing runs, 1 to start with")
    return _wish(policy, seen.running)


def _wish(policy: Tracking, running: int) -> _Wish | None:
    """Return how many tasks would bring the metric to its target, before bounds; None: it cannot be told."""
    if policy.metric is None or running <= 0 or policy.target_value <= 0:
        return None
    wanted = math.ceil(running * policy.metric / policy.target_value - _ROUNDING)
    reckoned = f"{running} running x {policy.metric:g} / {policy.target_value:g} = {wanted}"
    return _Wish(policy, max(wanted, 0), reckoned)


def _decided(seen: Capacity, wish: _Wish, alarm: str, refusals: Sequence[Refusal], cooldowns: Cooldowns) -> Decision:
    capacity = min(max(wish.capacity, seen.minimum), seen.maximum)
    clamped = "" if capacity == wish.capacity else f", within {seen.minimum} to {seen.maximum}: {capacity}"
    cause = f"monitor alarm {alarm} in state ALARM triggered policy {wish.policy.name} ({wish.reckoned}{clamped})"
    return Decision(capacity, wish.policy.name, cause, tuple(refusals), cooldowns)
