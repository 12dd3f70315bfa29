"""What happens next to a DB instance: its way from creating to deleted.

Source: docs.aws.amazon.com, "Viewing Amazon RDS DB instance status" and "Stopping an Amazon RDS DB instance".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from miyabi.model.rds import DbInstance, InstanceStatus, ParameterGroup
from miyabi.policy.database_parameters import at_boot, while_running
from miyabi.policy.maintenance import in_window

LONGEST_STOP = timedelta(days=7)
"""RDS starts an instance that was stopped this long."""
_SHUTDOWN = timedelta(seconds=60)
"""How long a server may take to write everything down before it is stopped at once. Ours."""
_QUIT = timedelta(seconds=5)
"""How long one that was stopped at once may take to end. Ours."""
_HOPELESS = 3
"""After how many failed starts in a row an instance has failed. Ours."""
_PATIENCE = timedelta(minutes=2)
"""How long a server may start without answering before the instance has failed. Ours."""
_SOON = timedelta(milliseconds=40)
_STARTING = timedelta(milliseconds=100)
_LATER = timedelta(seconds=5)


class Step(Enum):
    """One action on an instance."""

    INITIALISE = auto()
    """Make its data directory."""
    START = auto()
    """Write the configuration that its next start takes, and start the server."""
    STOP = auto()
    """Let the server end its sessions, write everything down and end."""
    KILL = auto()
    """End the server at once; its next start recovers."""
    DESTROY = auto()
    """End the server by SIGKILL: it hangs."""
    PREPARE = auto()
    """Make users and database, set the password."""
    RELOAD = auto()
    """Give the running server the parameters that apply immediately."""
    MAINTAIN = auto()
    """Make the changes that waited for the maintenance window."""
    SETTLE = auto()
    """Report the status that was observed."""
    REMOVE = auto()
    """Remove everything of it."""
    WAIT = auto()


@dataclass(frozen=True, slots=True)
class Seen:
    """An instance as one look found it."""

    initialised: bool
    """Its data directory is there, whole."""
    running: bool = False
    restarting: bool = False
    """It ended by itself, and whoever keeps it running starts it again."""
    started_at: datetime | None = None
    """When the running server was started."""
    answering: bool = False
    """The server answered a query."""
    silent_since: datetime | None = None
    """Since when it does not; None where it answers or does not run."""
    failed_starts: int = 0
    """How often in a row the server ended before it ever answered."""
    last_words: str = ""
    """Why it ended, as it said itself."""
    stop_asked_at: datetime | None = None
    """When the running server was asked to stop."""
    crashed: bool = False
    """The server before the running one ended unasked, and the instance may still be reported available."""
    hangs: str | None = None
    """Why the running server counts as hung; None where it does not."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """The action, its reason, and when to look again where it is a wait."""

    step: Step
    reason: str = ""
    look_again: timedelta = _SOON
    status: InstanceStatus | None = None
    """With SETTLE: what to report."""


def next_step(instance: DbInstance, seen: Seen, group: ParameterGroup, *, now: datetime) -> NextStep:
    """Return what to do with the instance. group: its DB parameter group."""
    match instance.status:
        case InstanceStatus.DELETING:
            return _stopping(seen, now) if seen.running else NextStep(Step.REMOVE, "it is being deleted")
        case InstanceStatus.STOPPING:
            return _stopping(seen, now) if seen.running else _settle(InstanceStatus.STOPPED, "the server has ended")
        case InstanceStatus.STOPPED:
            return _stopped(instance, seen, now)
        case _ if seen.initialised:
            return _serving(instance, seen, group, now)
        case InstanceStatus.CREATING:
            return NextStep(Step.INITIALISE, "it has no data yet")
        case _:
            return _failed(instance, "its data directory is missing")


def _serving(instance: DbInstance, seen: Seen, group: ParameterGroup, now: datetime) -> NextStep:
    if seen.failed_starts >= _HOPELESS and not seen.answering:
        return _hopeless(instance, seen, group)
    if not seen.running and not seen.restarting:
        return NextStep(Step.START, "the server does not run")
    if seen.running and _restart_due(instance, seen):
        return _stopping(seen, now)
    unnoticed = seen.crashed and instance.status is InstanceStatus.AVAILABLE
    if unnoticed or seen.hangs is not None or not seen.answering:
        return _silent(instance, seen, now)
    return _answering(instance, group, now)


def _stopping(seen: Seen, now: datetime) -> NextStep:
    if seen.stop_asked_at is None:
        return NextStep(Step.STOP, "the server has to end")
    if now - seen.stop_asked_at >= _SHUTDOWN + _QUIT:
        return NextStep(Step.DESTROY, f"it did not even end at once within {_QUIT.total_seconds():.0f} s")
    if now - seen.stop_asked_at >= _SHUTDOWN:
        return NextStep(Step.KILL, f"it did not stop within {_SHUTDOWN.total_seconds():.0f} s")
    return NextStep(Step.WAIT, "stopping")


def _stopped(instance: DbInstance, seen: Seen, now: datetime) -> NextStep:
    if seen.running:
        return _stopping(seen, now)
    if instance.stopped_at is not None and now - instance.stopped_at >= LONGEST_STOP:
        return _settle(InstanceStatus.STARTING, "it was stopped for seven days")
    return NextStep(Step.WAIT, look_again=_LATER)


def _restart_due(instance: DbInstance, seen: Seen) -> bool:
    asked = instance.restart_requested_at
    return asked is not None and seen.started_at is not None and seen.started_at < asked


def _silent(instance: DbInstance, seen: Seen, now: datetime) -> NextStep:
    if instance.status is InstanceStatus.AVAILABLE:  # first, so that it is not reported while the server is away
        why = "has ended and is started again" if seen.crashed else "does not answer"
        return _settle(InstanceStatus.STARTING, f"the server {why}")
    if seen.hangs is not None:
        return NextStep(Step.DESTROY, seen.hangs)
    if seen.silent_since is not None and now - seen.silent_since >= _PATIENCE:
        return _failed(instance, f"the server has not answered for {_PATIENCE.total_seconds():.0f} s")
    return NextStep(Step.WAIT, "the server starts", _STARTING)


def _hopeless(instance: DbInstance, seen: Seen, group: ParameterGroup) -> NextStep:
    if at_boot(group) != instance.running:
        return NextStep(Step.START, "its parameters have changed")
    named = instance.running is not None and any(name in seen.last_words for name in instance.running.parameters)
    status = InstanceStatus.INCOMPATIBLE_PARAMETERS if named else InstanceStatus.FAILED
    return _failed(instance, f"the server ends at its start: {seen.last_words}", status)


def _answering(instance: DbInstance, group: ParameterGroup, now: datetime) -> NextStep:
    if instance.verifier is not None:
        return NextStep(Step.PREPARE, "it has a new password")
    if instance.running is not None and while_running(instance.running, group) != instance.running:
        return NextStep(Step.RELOAD, "its parameters have changed")
    if instance.pending and in_window(instance.settings["PreferredMaintenanceWindow"], now):
        return NextStep(Step.MAINTAIN, "changes waited for the maintenance window")
    if instance.status is not InstanceStatus.AVAILABLE:
        return _settle(InstanceStatus.AVAILABLE, "the server answers")
    return NextStep(Step.WAIT, look_again=_LATER)


def _failed(instance: DbInstance, reason: str, status: InstanceStatus = InstanceStatus.FAILED) -> NextStep:
    if (instance.status, instance.reason) == (status, reason):
        return NextStep(Step.WAIT, look_again=_LATER)
    return _settle(status, reason)


def _settle(status: InstanceStatus, reason: str) -> NextStep:
    return NextStep(Step.SETTLE, reason, status=status)
