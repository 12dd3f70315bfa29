"""How many tasks a step scaling policy asks for.

Source: docs.aws.amazon.com, "How step scaling for Application Auto Scaling works"; for the running count as the base,
and for a count outside the bounds, "Automatically scale your Amazon ECS service".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from miyabi.policy.target_tracking import Capacity, Cooldowns, Decision, Refusal, ScaledOut


@dataclass(frozen=True, slots=True)
class Step:
    """An adjustment for metrics that are so far beyond the alarm's threshold: from low to below high, both optional."""

    low: float | None
    high: float | None
    adjustment: int

    def covers(self, beyond: float) -> bool:
        """Say whether a distance from the threshold falls into this step."""
        if self.low is not None and self.low >= 0:
            return self.low <= beyond < (math.inf if self.high is None else self.high)
        # Below the threshold the lower bound is open and the upper one belongs to the step.
        low = -math.inf if self.low is None else self.low
        return low < beyond <= (math.inf if self.high is None else self.high)


@dataclass(frozen=True, slots=True)
class Stepping:
    """A step scaling policy whose alarm is in ALARM."""

    name: str
    alarm: str
    beyond: float
    """The metric minus the alarm's threshold."""
    adjustment_type: str
    """`ChangeInCapacity`, `PercentChangeInCapacity` or `ExactCapacity`."""
    steps: Sequence[Step]
    minimum_magnitude: int = 0
    cooldown: timedelta = timedelta(seconds=300)


def plan_step(seen: Capacity, policy: Stepping, cooldowns: Cooldowns, *, now: datetime) -> Decision:
    """Return the desired count that the policy asks for, with its cause.

    During the cooldown of a scale-out only a larger step from the capacity before it counts; during that of a scale-in
    there is no other, but a scale-out goes at once.
    """
    unchanged = Decision(None, cooldowns=cooldowns)
    step = next((one for one in policy.steps if one.covers(policy.beyond)), None)
    if step is None:
        return unchanged
    direction = _direction(seen, policy, step)
    last = cooldowns.out.get(policy.name)
    cooling = direction > 0 and last is not None and now < last.at + policy.cooldown
    base = last.previous if last is not None and cooling else seen.running
    wanted = _adjusted(policy, step, base)
    clamped = min(max(wanted, seen.minimum), seen.maximum)
    reckoned = (
        f"{policy.beyond:+g} from the threshold: {policy.adjustment_type} {step.adjustment:+d}, {base} to {wanted}"
    )
    if (clamped - seen.desired) * direction <= 0:
        code, why = _at_rest(seen, wanted, direction)
    else:
        code, why = _refused(seen, policy, cooldowns, now, out=direction > 0)
    if code:
        return replace(unchanged, refusals=(Refusal(policy.name, code, f"{reckoned}; {why}"),))
    if direction > 0:
        kept = Cooldowns(out={**cooldowns.out, policy.name: ScaledOut(now, base)})
    else:
        kept = replace(cooldowns, into={**cooldowns.into, policy.name: now})
    within = "" if clamped == wanted else f", within {seen.minimum} to {seen.maximum}: {clamped}"
    cause = f"monitor alarm {policy.alarm} in state ALARM triggered policy {policy.name} ({reckoned}{within})"
    return Decision(clamped, policy.name, cause, (), kept)


def _direction(seen: Capacity, policy: Stepping, step: Step) -> int:
    """Say which way a step goes: above 0 out, below in. It never moves the count the other way, whatever the bounds."""
    return step.adjustment - (seen.desired if policy.adjustment_type == "ExactCapacity" else 0)


def _at_rest(seen: Capacity, wanted: int, direction: int) -> tuple[str, str]:
    """Say why nothing is to be changed."""
    if direction > 0 and wanted > seen.maximum:
        return "AlreadyAtMaxCapacity", f"the maximum is {seen.maximum}."
    if direction < 0 and wanted < seen.minimum:
        return "AlreadyAtMinCapacity", f"the minimum is {seen.minimum}."
    return "AlreadyAtDesiredCapacity", f"{seen.desired} are already asked for."


def _refused(seen: Capacity, policy: Stepping, cooldowns: Cooldowns, now: datetime, *, out: bool) -> tuple[str, str]:
    """Say why a change must not be made; empty where it may."""
    if out:
        return ("DynamicScalingOutSuspended", "scaling out is suspended.") if seen.suspended.dynamic_out else ("", "")
    if seen.suspended.dynamic_in:
        return "DynamicScalingInSuspended", "scaling in is suspended."
    if seen.deploying:
        return "DeploymentInProgress", "there is no scaling in during a deployment."
    since = cooldowns.into.get(policy.name)
    if since is not None and now < since + policy.cooldown:
        return "ScaleInCooldown", f"the cooldown ends at {since + policy.cooldown:%H:%M:%S}."
    return "", ""


def _adjusted(policy: Stepping, step: Step, base: int) -> int:
    """Return the capacity after an adjustment; a percentage moves by one at least, away from nothing."""
    match policy.adjustment_type:
        case "ExactCapacity":
            return step.adjustment
        case "PercentChangeInCapacity":
            share = base * step.adjustment / 100
            size = math.floor(abs(share)) if abs(share) >= 1 else math.ceil(abs(share))
            change = max(size, policy.minimum_magnitude) if step.adjustment else 0
            return max(base + int(math.copysign(change, step.adjustment)), 0)
    return max(base + step.adjustment, 0)
