"""The one way in which operations are carried out.

validate → authorise → lock → open the audit record → run → verify → close the record → release. A READ is validated
and run, nothing else. A dry run is validated, authorised and run against a cloud that collects changing calls.
"""

from __future__ import annotations

import getpass
import os
import platform
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from miyabi.aws.calls import Call
from miyabi.aws.clients import Cloud
from miyabi.environment.config import Environment
from miyabi.model.audit import AuditEntry
from miyabi.model.errors import Conflict, Interrupted, InvalidInput, MiyabiError
from miyabi.operations.execution.calls import CallWatch
from miyabi.operations.execution.declaration import Effect, Operation
from miyabi.operations.execution.interrupts import deferred_interrupts
from miyabi.operations.execution.lock import LEASE, HeldLock, LockTable
from miyabi.operations.execution.parameters import read_params, shown_params
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
    lease: timedelta = LEASE
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
        run = _new_run(settings, settings.cloud)
        result = _call(operation, run, params)
        return Outcome(operation.name, result, warnings=tuple(run.warnings), seconds=settings.clock() - begun)
    return _Guarded(operation, params, settings).execute()


def caller_name() -> str:
    """Return `user@host`: who says that they run this, for locks and audit."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return f"{user}@{platform.node() or 'unknown'}"


def _new_run(settings: Settings, cloud: Cloud, *, dry: bool = False) -> Run:
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


def _call(operation: Operation, run: Run, params: Any) -> Any:
    result = operation.function(run, params)
    if operation.verify is not None and not run.dry:
        result = operation.verify(run, params, result)
    return result


def _rehearse(operation: Operation, params: Any, settings: Settings) -> Outcome:
    _authorise(settings)
    watch = CallWatch(collect=True)
    run = _new_run(settings, settings.cloud.observed(watch), dry=True)
    result, then = None, None
    begun = settings.clock()
    try:
        result = _call(operation, run, params)
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


def _authorise(settings: Settings) -> str:
    """Return the caller's ARN; Conflict where another account answers. What may be called, AWS decides."""
    from miyabi.aws.identity import caller_identity  # noqa: PLC0415 - reading needs none of this

    identity = caller_identity(settings.cloud)
    if identity.account != settings.account:
        raise Conflict(
            f"account {identity.account} answers, but environment '{settings.environment.name}' is in "
            f"{settings.account}",
            hint="Use keys of that account (AWS_PROFILE, or `profile` in miyabi.toml), or mend `account`.",
        )
    return identity.arn


class _Guarded:
    """One run under the lock, with its two audit records."""

    def __init__(self, operation: Operation, params: Any, settings: Settings) -> None:
        from miyabi.operations.execution.audit import Audit  # noqa: PLC0415
        from miyabi.operations.execution.spool import Spool  # noqa: PLC0415

        self._operation = operation
        self._params = params
        self._settings = settings
        self._caller = settings.caller or caller_name()
        names = settings.environment
        self._audit = Audit(settings.cloud, names.audit_log_group, Spool(settings.audit_directory))
        self._lock = HeldLock(
            LockTable(settings.cloud, names.lock_table, names.lock_id),
            owner=f"{self._caller} (process {os.getpid()})",
            operation=operation.name,
            lease=settings.lease,
            now=settings.now,
            clock=settings.clock,
        )
        self._watch = CallWatch(guard=self._lock.check if operation.locked else lambda: None)
        self._run = _new_run(settings, settings.cloud.observed(self._watch))
        self._entry: AuditEntry | None = None
        self._ended = False
        self._begun = settings.clock()

    def execute(self) -> Outcome:
        try:
            result = self._execute()
            self._end("succeeded", None)
        except KeyboardInterrupt as error:
            left = self._watch.describe_changes()
            self._end("interrupted", f"while {self._run.phase}: {left}")
            raise Interrupted(
                f"{self._operation.name} interrupted while {self._run.phase}: {left}",
                hint="`miyabi service status` says how it stands; the lock is released, the audit says interrupted.",
            ) from error
        except MiyabiError as error:
            self._end("failed", f"{type(error).__name__}: {error.message}")
            raise
        except BaseException as error:
            self._end("failed", f"{type(error).__name__}: {error}")
            raise
        return Outcome(
            self._operation.name,
            result,
            calls=self._watch.changes,
            warnings=tuple(self._run.warnings),
            seconds=self._settings.clock() - self._begun,
            fence=self._lock.fence,
        )

    def _execute(self) -> Any:
        run = self._run
        run.phase = "asking who the caller is"
        principal = _authorise(self._settings)
        if self._operation.locked:
            run.phase = "taking the lock"
            self._lock.take()
            if self._lock.taken_from is not None:
                old = self._lock.taken_from
                run.warn(
                    f"took over the expired lock of {old.owner}: {old.operation}, since "
                    f"{old.since:%Y-%m-%d %H:%M:%S %Z}; what it began may be half done"
                )
        if self._operation.audited:
            run.phase = "opening the audit record"
            self._open(principal)
        run.phase = "beginning"
        return _call(self._operation, run, self._params)

    def _open(self, principal: str) -> None:
        entry = AuditEntry(
            run=str(uuid.uuid4()),
            phase="opened",
            at=self._at(),
            operation=self._operation.name,
            environment=self._settings.environment.name,
            principal=principal,
            caller=self._caller,
            params=shown_params(self._params),
            fence=self._lock.fence,
        )
        with deferred_interrupts():
            self._entry = entry
            kept = self._audit.write(entry)
        if kept:
            self._run.warn(kept)

    def _end(self, outcome: Any, detail: str | None) -> None:
        """Close the record and give the lock back, once; neither may hide how the run itself ended."""
        if self._ended:
            return
        with deferred_interrupts(last=True):
            self._ended = True
            if self._entry is not None:
                seconds = round(self._settings.clock() - self._begun, 3)
                entry = replace(
                    self._entry, phase="closed", at=self._at(), outcome=outcome, detail=detail, seconds=seconds
                )
                try:
                    kept = self._audit.write(entry)
                except MiyabiError as error:
                    kept = f"the audit record is kept in {self._settings.audit_directory}: {error.message}"
                if kept and kept not in self._run.warnings:
                    self._run.warn(kept)
            trouble = self._lock.release()
            if trouble:
                self._run.warn(trouble)

    def _at(self) -> str:
        return self._settings.now().astimezone(UTC).isoformat(timespec="microseconds")
