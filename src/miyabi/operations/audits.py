"""Operations on the audit: what was done, and whether the records still are what was written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from miyabi.model.errors import Failed
from miyabi.operations.execution.audit import Audit
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run
from miyabi.operations.execution.spool import Spool
from miyabi.policy.audit_chain import Head, Record, breaks


@dataclass(frozen=True, slots=True)
class ListParams:
    """How far back, and how many."""

    since: timedelta = param("How far back", default=timedelta(days=7), minimum=1, maximum=366 * 10 * 86400)
    limit: int = param("How many runs, latest last", default=20, minimum=1, maximum=10000, short="n")


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One run of an operation."""

    at: datetime
    operation: str
    outcome: str
    """succeeded, failed, interrupted; open: it still runs, or its process died."""
    seconds: float | None
    caller: str
    principal: str
    params: dict[str, Any]
    fence: int | None
    detail: str | None
    run: str


@dataclass(frozen=True, slots=True)
class AuditList:
    """Runs, oldest first."""

    runs: tuple[AuditRow, ...]
    waiting: int
    """Records of this machine that AWS has not taken yet; they are among the runs."""


_READING = ("logs:CreateLogStream", "logs:FilterLogEvents", "logs:PutLogEvents")


@operation("audit.list", effect=Effect.READ, permissions=_READING)
def list_audit(run: Run, params: ListParams) -> AuditList:
    """List who did what, when, and how it ended; the latest last."""
    audit = _audit(run)
    waiting = _flush(run, audit)
    records = [*audit.read(since=run.now() - params.since), *waiting]
    return AuditList(_runs(records)[-params.limit :], len(waiting))


@dataclass(frozen=True, slots=True)
class VerifyParams:
    """Nothing: every record is looked at."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Chains that hold."""

    writers: int
    records: int
    first_at: datetime | None
    last_at: datetime | None
    waiting: int


@operation("audit.verify", effect=Effect.READ, permissions=_READING)
def verify_audit(run: Run, params: VerifyParams) -> Verified:  # noqa: ARG001 - it takes nothing
    """Check that no record of the audit was changed, removed or inserted.

    Exit code 1 names every place where a chain is broken. The newest records of another machine can be removed without
    a trace in the others; those of this one cannot, it remembers how far it came.
    """
    audit = _audit(run)
    waiting = _flush(run, audit)
    writers: dict[str, dict[str, Record]] = {}
    head = audit.spool.head()
    for record in [*audit.read(), *waiting]:
        key = f"{record['sequence']} {record.get('hash')}"
        writers.setdefault(str(record["writer"]), {})[key] = record
    if head is not None:
        writers.setdefault(head.writer, {})
    found = [one for writer, ours in writers.items() for one in breaks(list(ours.values()), head=_head(writer, head))]
    if found:
        places = "\n".join(f"    writer {one.writer}: {one.what}" for one in found)
        many = "in 1 place" if len(found) == 1 else f"in {len(found)} places"
        raise Failed(f"the audit {run.environment.audit_log_group} is broken {many}", hint=f"the places:\n{places}")
    every = sorted(str(record["at"]) for ours in writers.values() for record in ours.values())
    return Verified(
        writers=len(writers),
        records=len(every),
        first_at=datetime.fromisoformat(every[0]) if every else None,
        last_at=datetime.fromisoformat(every[-1]) if every else None,
        waiting=len(waiting),
    )


def _audit(run: Run) -> Audit:
    return Audit(run.cloud, run.environment.audit_log_group, Spool(run.audit_directory))


def _flush(run: Run, audit: Audit) -> tuple[Record, ...]:
    """Send what waits on this machine; return what still does."""
    kept = audit.flush()
    if kept:
        run.warn(kept)
    return audit.spool.waiting()


def _head(writer: str, head: Head | None) -> Head | None:
    return head if head is not None and head.writer == writer else None


def _runs(records: Iterable[Record]) -> tuple[AuditRow, ...]:
    runs: dict[str, Record] = {}
    for record in records:
        if "run" in record and (record["run"] not in runs or record.get("phase") == "closed"):
            runs[record["run"]] = record
    return tuple(sorted((_row(record) for record in runs.values()), key=lambda row: row.at))


def _row(record: Record) -> AuditRow:
    return AuditRow(
        at=datetime.fromisoformat(record["at"]),
        operation=record["operation"],
        outcome=record.get("outcome") or "open",
        seconds=record.get("seconds"),
        caller=record["caller"],
        principal=record["principal"],
        params=dict(record["params"]),
        fence=record.get("fence"),
        detail=record.get("detail"),
        run=record["run"],
    )
