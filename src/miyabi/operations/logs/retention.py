"""`logs retention`: how long a log group keeps its events."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from miyabi.aws.errors import translated
from miyabi.model.errors import Failed, InvalidInput, NotFound
from miyabi.model.logs import RETENTION_DAYS
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import LogGroupTypeDef


@dataclass(frozen=True, slots=True)
class RetentionParams:
    """Which group."""

    group: str | None = param("Another log group than the service's", default=None)


@dataclass(frozen=True, slots=True)
class SetRetentionParams:
    """How long, and which group."""

    days: int = param("Days that events are kept: 1, 3, 5, 7, 14, 30, … 3653", argument=True)
    shorten: bool = param("Allow fewer days than now: older events are deleted for good", default=False)
    group: str | None = param("Another log group than the service's", default=None)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long a log group keeps its events."""

    log_group: str
    retention_days: int | None
    """None: for ever."""
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class RetentionSet:
    """What was changed."""

    log_group: str
    retention_days: int
    before_days: int | None
    """None: for ever."""


@operation("logs.retention", effect=Effect.READ, permissions=("logs:DescribeLogGroups",))
def show_retention(run: Run, params: RetentionParams) -> Retention:
    """Say how long the log group keeps its events."""
    name = params.group or run.environment.log_group
    found = _find(run, name)
    return Retention(name, found.get("retentionInDays"), found.get("storedBytes", 0))


def _verify(run: Run, params: SetRetentionParams, result: RetentionSet) -> RetentionSet:
    seen = _find(run, result.log_group).get("retentionInDays")
    if seen != params.days:
        raise Failed(
            f"log group '{result.log_group}' keeps its events for {_days(seen)}, not {_days(params.days)}",
            hint="Somebody else changed it meanwhile: run the command again.",
        )
    return result


@operation(
    "logs.set-retention",
    effect=Effect.CHANGE,
    permissions=("logs:DescribeLogGroups", "logs:PutRetentionPolicy"),
    verify=_verify,
)
def set_retention(run: Run, params: SetRetentionParams) -> RetentionSet:
    """Say how long the log group keeps its events from now on.

    Only what CloudWatch Logs offers can be set. Fewer days than now delete older events, so that wants --shorten.
    """
    if params.days not in RETENTION_DAYS:
        raise InvalidInput(f"{params.days} days cannot be set", hint=_near(params.days))
    name = params.group or run.environment.log_group
    before = _find(run, name).get("retentionInDays")
    if (before is None or params.days < before) and not params.shorten:
        raise InvalidInput(
            f"log group '{name}' keeps its events for {_days(before)}: those older than {_days(params.days)} would be "
            "deleted for good",
            hint="--shorten allows it.",
        )
    run.step(f"setting the retention of '{name}' to {_days(params.days)}")
    with translated(f"setting the retention of log group '{name}'"):
        run.cloud.client("logs").put_retention_policy(logGroupName=name, retentionInDays=params.days)
    if name == run.environment.log_group:
        run.warn(
            f"where Terraform keeps this group its next apply puts back its own: set log_retention_days = {params.days}"
            " in the environment's variables in miyabi.toml too"
        )
    return RetentionSet(name, params.days, before)


def _find(run: Run, name: str) -> LogGroupTypeDef:
    with translated(f"describing log group '{name}'"):
        pages = run.cloud.client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
        for page in pages:
            for group in page["logGroups"]:
                if group.get("logGroupName") == name:
                    return group
    raise NotFound(
        f"log group '{name}' not found in {run.cloud.region}",
        hint="Terraform makes it; `log_group` in miyabi.toml or --group names another.",
    )


def _near(days: int) -> str:
    at = bisect_left(RETENTION_DAYS, days)
    near = RETENTION_DAYS[max(at - 1, 0) : at + 1]
    return f"CloudWatch Logs offers {' or '.join(str(one) for one in near)} days."


def _days(days: int | None) -> str:
    if days is None:
        return "ever"
    return "1 day" if days == 1 else f"{days} days"
