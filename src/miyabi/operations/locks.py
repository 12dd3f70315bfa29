"""Operations on the environment's lock itself: who holds it; take it from a holder that is gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from miyabi.model.errors import Conflict
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.lock import LockTable
from miyabi.operations.execution.run import Run


@dataclass(frozen=True, slots=True)
class ShowParams:
    """Nothing: an environment has one lock."""


@dataclass(frozen=True, slots=True)
class LockShown:
    """The lock as it stands."""

    lock: str
    state: str
    """free, held, or expired (the next operation takes it over)."""
    owner: str | None = None
    operation: str | None = None
    since: datetime | None = None
    lease_until: datetime | None = None
    fence: int | None = None


@operation("lock.show", effect=Effect.READ, permissions=("dynamodb:GetItem",))
def show_lock(run: Run, params: ShowParams) -> LockShown:  # noqa: ARG001 - it takes nothing
    """Show who holds the environment's lock, for what, since when and until when unless it is renewed."""
    table = lock_of(run)
    held = table.read()
    if held is None:
        return LockShown(table.lock_id, "free")
    state = "expired" if held.expired(run.now()) else "held"
    return LockShown(table.lock_id, state, held.owner, held.operation, held.since, held.lease_until, held.fence)


@dataclass(frozen=True, slots=True)
class BreakParams:
    """Nothing: an environment has one lock."""


@dataclass(frozen=True, slots=True)
class LockBroken:
    """Whom the lock was taken from."""

    lock: str
    owner: str
    operation: str
    since: datetime
    expired: bool


@operation(
    "lock.break",
    effect=Effect.CHANGE,
    permissions=("dynamodb:GetItem", "dynamodb:UpdateItem"),
    locked=False,
)
def break_lock(run: Run, params: BreakParams) -> LockBroken:  # noqa: ARG001 - it takes nothing
    """Take the environment's lock from its holder, in an emergency.

    A holder that still works stops before its next change and says that it lost the lock. What it began may be half
    done: look at it before you go on.
    """
    table = lock_of(run)
    held = table.read()
    if held is None:
        raise Conflict(f"the lock of {table.lock_id} is free: there is nothing to break", hint="Go on.")
    run.step(f"breaking the lock of {held.owner} for {held.operation}")
    table.release(held.token)  # of this holder, not of one that came just now
    run.warn(f"the lock of {held.owner} was broken; {held.operation} may be half done: `miyabi service status`")
    return LockBroken(table.lock_id, held.owner, held.operation, held.since, held.expired(run.now()))


def lock_of(run: Run) -> LockTable:
    """Return the lock of the run's environment."""
    names = run.environment
    return LockTable(run.cloud, names.lock_table, names.lock_id)
