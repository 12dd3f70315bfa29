"""The one way in which operations are carried out.

validate → authorise → lock → open the audit record → run → verify → close the record → release. A READ is validated
and run, nothing else. A dry run is validated, authorised and run against a cloud that collects changing calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from miyabi.aws.calls import Call
from miyabi.aws.clients import Cloud
from miyabi.environment.config import Environment
from miyabi.model.errors import InvalidInput
from miyabi.operations.execution.calls import CallWatch
from miyabi.operations.execution.declaration import Effect, Operation
from miyabi.operations.execution.parameters import read_params
from miyabi.operations.execution.run import DryRunEnds, Reporter, Run, Silent

PERMISSIONS = ("dynamodb:GetItem", "dynamodb:UpdateItem", "logs:CreateLogStream", "logs:PutLogEvents")
"""What the executor itself calls for an operation that is locked and audited; GetCallerIdentity needs none."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What all runs of one caller share.

    account: the one that must answer. audit_directory: this writer's spool, for one environment of one cloud.
    """

    cloud: Cloud
    environment: Environment
    account: str
    audit_directory: Path
    reporter: Reporter = field(default_factory=Silent)
    caller: str = ""
    lease: timedelta = timedelta(seconds=60)
    """How long a lock outlives a process that dies with it."""
    renewal: timedelta = timedelta(seconds=20)
    """How often the lease is renewed."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended well."""

    operation: str
    result: Any
    """None in a dry run that ended before its result was known."""
    dry_run: bool = False
    calls: tuple[Call, ...] = ()
    """The changing calls: sent, or in a dry run collected."""
    then: str | None = None
    """What a dry run would have waited for."""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    fence: int | None = None


def execute(
    operation: Operation,
    values: Mapping[str, object],
    settings: Settings,
    *,
    dry_run: bool = False,
    typed: str | None = None,
) -> Outcome:
    """Carry out an operation.

    values: parameters by their JSON keys, as `read_params` takes them. typed: the name that DESTROY wants typed.
    Raises the error tree of model/errors.py; `Interrupted`, which says what is left, for Ctrl-C.
    """
    params = read_params(operation.params, values)
    begun = settings.clock()
    if dry_run:
        if operation.effect is Effect.READ:
            raise InvalidInput(f"{operation.name} changes nothing: there is nothing to try")
        return _rehearse(operation, params, settings)
    if operation.destroys is not None:
        _check_typed(operation, operation.destroys(settings.environment, params), typed)
    if not operation.audited and not operation.locked:
        run = new_run(settings, settings.cloud)
        result = call(operation, run, params)
        return Outcome(operation.name, result, warnings=tuple(run.warnings), seconds=settings.clock() - begun)
    from miyabi.operations.execution.guarded import Guarded  # noqa: PLC0415 - reading needs none of it

    return Guarded(operation, params, settings).execute()


def new_run(settings: Settings, cloud: Cloud, *, dry: bool = False) -> Run:
    """Return what an operation's function gets."""
    return Run(
        cloud=cloud,
        environment=settings.environment,
        audit_directory=settings.audit_directory,
        reporter=settings.reporter,
        dry=dry,
        clock=settings.clock,
        sleep=settings.sleep,
        now=settings.now,
    )


def call(operation: Operation, run: Run, params: Any) -> Any:
    """Run and verify an operation, and return its result."""
    result = operation.function(run, params)
    if operation.verify is not None and not run.dry:
        result = operation.verify(run, params, result)
    return result


def _rehearse(operation: Operation, params: Any, settings: Settings) -> Outcome:
    from miyabi.operations.execution.guarded import authorise  # noqa: PLC0415

    authorise(settings)
    watch = CallWatch(collect=True)
    run = new_run(settings, settings.cloud.observed(watch), dry=True)
    result, then = None, None
    begun = settings.clock()
    try:
        result = call(operation, run, params)
    except DryRunEnds as end:
        then = end.what
    return Outcome(
        operation.name,
        result,
        dry_run=True,
        calls=watch.changes,
        then=then,
        warnings=tuple(run.warnings),
        seconds=settings.clock() - begun,
    )


def _check_typed(operation: Operation, name: str, typed: str | None) -> None:
    if typed != name:
        given = "it was not typed" if typed is None else f"'{typed}' was typed"
        raise InvalidInput(
            f"{operation.name} destroys '{name}': its name must be typed, and {given}", hint=f"--yes {name}"
        )
