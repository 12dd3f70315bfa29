"""How autoscaling looks."""

from __future__ import annotations

from miyabi.cli.output import Output
from miyabi.cli.views import cell
from miyabi.operations.autoscaling import Activities, Limits, LimitsSet, PolicyStatus, ScalingStatus

_COLOURS = {"Successful": "green", "Failed": "red", "InProgress": "yellow", "Overridden": "yellow"}


def status(output: Output, result: ScalingStatus) -> None:
    """Counts and limits, a line a policy, and what does not fit."""
    output.line(
        f"service {result.service}: {result.running_count} of {result.desired_count} tasks run, "
        f"between {result.minimum} and {result.maximum}"
    )
    if result.suspended:
        output.line(output.colour(f"suspended: {', '.join(result.suspended)}", "yellow"))
    if result.override_until is not None:
        output.line(output.colour(f"an override holds until {cell(result.override_until)}", "yellow"))
    for one in result.policies:
        _policy(output, one)
    if not result.policies:
        output.line("no policy scales it")
    for line in result.scheduled:
        output.line(f"scheduled  {line}")
    for line in result.contradictions:
        output.line(f"{output.colour('note', 'yellow')}  {line}")


def _policy(output: Output, one: PolicyStatus) -> None:
    value = "no data" if one.value is None else f"{one.value:.4g}"
    target = "-" if one.target is None else f"{one.target:g}"
    output.line(f"policy {one.name}: {one.metric}")
    cooldown = f"{one.out_cooldown_seconds} s out, {one.in_cooldown_seconds} s in"
    output.line(f"    now {value}, target {target}; cooldown {cooldown}")
    output.line(f"    alarm to scale out: {one.high or '-'}; to scale in: {one.low or '-'}")


def activities(output: Output, result: Activities) -> None:
    """Two lines an activity: what, and why."""
    for one in result.activities:
        taken = "" if one.seconds is None or one.not_scaled else f"  {one.seconds:.1f} s"
        state = output.colour(f"{one.status:<11}", _COLOURS.get(one.status, "dim"))
        reasons = f"  ({', '.join(one.not_scaled)})" if one.not_scaled else ""
        output.line(f"{cell(one.at)}  {state}{one.description}{reasons}{taken}")
        output.line(f"    {one.cause}")
    if not result.activities:
        output.line("nothing was scaled in that time")


def limits(output: Output, result: Limits) -> None:
    """One line."""
    output.line(
        f"service {result.service} is scaled between {result.minimum} and {result.maximum} tasks; "
        f"{result.desired_count} are asked for"
    )
    if result.override_until is not None:
        output.line(f"an override holds until {cell(result.override_until)}")


def set_limits(output: Output, result: LimitsSet) -> None:
    """What was, and what is."""
    output.line(
        f"service {result.service} is scaled between {result.minimum} and {result.maximum} tasks "
        f"(before: {result.previous_minimum} and {result.previous_maximum}); {result.effect}"
    )
