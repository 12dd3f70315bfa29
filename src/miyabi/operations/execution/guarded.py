"""A run that changes something: authorised, under the lock, between its two audit records."""

from __future__ import annotations

import getpass
import os
import platform
import uuid
from dataclasses import replace
from datetime import UTC
from typing import Any

from miyabi.aws.identity import caller_identity
from miyabi.model.audit import AuditEntry, Ending
from miyabi.model.errors import Conflict, Interrupted, MiyabiError
from miyabi.operations.execution.audit import Audit
from miyabi.operations.execution.calls import CallWatch
from miyabi.operations.execution.declaration import Operation
from miyabi.operations.execution.executor import Outcome, Settings, call, new_run
from miyabi.operations.execution.interrupts import deferred_interrupts
from miyabi.operations.execution.lock import HeldLock, LockTable
from miyabi.operations.execution.parameters import shown_params
from miyabi.operations.execution.spool import Spool

_DETAIL = 2000
"""Characters of an error that a record keeps."""


def caller_name() -> str:
    """Return `user@host`: who says that they run this, for locks and audit."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return f"{user}@{platform.node() or 'unknown'}"


def authorise(settings: Settings) -> str:
    """Return the caller's ARN; Conflict where another account answers. What may be called, AWS decides."""
    identity = caller_identity(settings.cloud)
    if identity.account != settings.account:
        raise Conflict(
            f"account {identity.account} answers, but environment '{settings.environment.name}' is in "
            f"{settings.account}",
            hint="Use keys of that account (AWS_PROFILE, or `profile` in miyabi.toml), or mend `account`.",
        )
    return identity.arn


class Guarded:
    """One run under the lock, with its two audit records."""

    def __init__(self, operation: Operation, params: Any, settings: Settings) -> None:

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
            renewal=settings.renewal,
            now=settings.now,
            clock=settings.clock,
        )
        self._watch = CallWatch(guard=self._lock.check if operation.locked else lambda: None)
        self._run = new_run(settings, settings.cloud.observed(self._watch))
        self._entry: AuditEntry | None = None
        self._ended = False
        self._begun = settings.clock()

    def execute(self) -> Outcome:
        """Carry it out; whatever happens, the record is closed and the lock given back."""
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
        principal = authorise(self._settings)
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
        return call(self._operation, run, self._params)

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

    def _end(self, outcome: Ending, detail: str | None) -> None:
        """Close the record and give the lock back, once; neither may hide how the run itself ended."""
        if self._ended:
            return
        with deferred_interrupts(last=True):
            self._ended = True
            if self._entry is not None:
                seconds = round(self._settings.clock() - self._begun, 3)
                entry = replace(
                    self._entry,
                    phase="closed",
                    at=self._at(),
                    outcome=outcome,
                    detail=detail[:_DETAIL] if detail else None,
                    seconds=seconds,
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
