"""What the loop writes down: every function runs on the worker thread, in a transaction.

The row may have changed since the loop looked: each function changes only what still is as it was seen.
"""

from __future__ import annotations

from datetime import datetime

from miyabi.localcloud.control.rds.instance_changes import apply_changes
from miyabi.localcloud.control.rds.instances import address_owner
from miyabi.localcloud.control.rds.service import Rds
from miyabi.model.rds import DbInstance, InstanceStatus, Running

_BAD = {InstanceStatus.FAILED, InstanceStatus.INCOMPATIBLE_PARAMETERS}
_UNVERIFIED = "not asked yet since the local cloud started"
_ARRIVED = {
    InstanceStatus.CREATING: ("creation", "DB instance created"),
    InstanceStatus.MODIFYING: ("configuration change", "Finished applying modification to the DB instance"),
    InstanceStatus.REBOOTING: ("availability", "DB instance restarted"),
    InstanceStatus.STARTING: ("notification", "DB instance started"),
    InstanceStatus.FAILED: ("recovery", "DB instance is available again"),
    InstanceStatus.INCOMPATIBLE_PARAMETERS: ("recovery", "DB instance is available again"),
}


def doubt(service: Rds) -> None:
    """Report nothing available before its server was asked: the control plane has just started."""
    for region in service.instances.regions():
        for row in service.instances.list(region):
            if row.status is InstanceStatus.AVAILABLE:
                service.change_instance(region, row.resource_id, status=InstanceStatus.STARTING, reason=_UNVERIFIED)


def settled(service: Rds, region: str, seen: DbInstance, status: InstanceStatus, reason: str, now: datetime) -> None:
    """Report a status, with an event where it is another one."""
    row = service.instances.get(region, seen.resource_id)
    if row is None or row != seen:
        return
    bad = status in _BAD
    stopped_at = now if status is InstanceStatus.STOPPED else None
    service.change_instance(
        region, row.resource_id, status=status, reason=reason if bad else None, stopped_at=stopped_at
    )
    if bad:
        if (status, reason) != (row.status, row.reason):
            service.note(region, row, now, "failure", f"DB instance is {status}: {reason}")
    elif status is InstanceStatus.AVAILABLE and row.status in _ARRIVED and row.reason != _UNVERIFIED:
        service.note(region, row, now, *_ARRIVED[row.status])
    elif status is InstanceStatus.STOPPED:
        service.note(region, row, now, "notification", "DB instance stopped")
    elif status is InstanceStatus.STARTING:
        service.note(region, row, now, "availability", f"DB instance is starting: {reason}")


def booting(service: Rds, region: str, seen: DbInstance, running: Running, version: str) -> None:
    """Note with what the server is about to be started."""
    service.change_instance(region, seen.resource_id, running=running, engine_version=version)


def prepared(service: Rds, region: str, seen: DbInstance) -> None:
    """Forget the password's verifier, unless another password was asked for meanwhile."""
    row = service.instances.get(region, seen.resource_id)
    if row is not None and row.verifier == seen.verifier:
        service.change_instance(region, row.resource_id, verifier=None)


def maintain(service: Rds, region: str, seen: DbInstance, now: datetime) -> None:
    """Make the changes that waited for the maintenance window."""
    row = service.instances.get(region, seen.resource_id)
    if row is not None and row == seen:
        changed = apply_changes(row, row.pending, now)
        service.put_instance(region, changed)
        service.change_instance(region, row.resource_id, status=InstanceStatus.MODIFYING)
        service.note(region, changed, now, "maintenance", "Applying modifications in the maintenance window")


def removed(service: Rds, region: str, seen: DbInstance, now: datetime) -> None:
    """Drop the row of an instance of which nothing is left, and give its address back."""
    service.instances.delete(region, seen.resource_id)
    service.addresses.release(address_owner(seen))
    service.note(region, seen, now, "deletion", "DB instance deleted")
