"""Bringing a service's desired count between the bounds of its scalable target, and writing down why."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import datetime

from miyabi.localcloud.control.ecs.tables import EcsTables
from miyabi.localcloud.control.store import Store, Table
from miyabi.model.scaling import NotScaled, ScalableTarget, ScalingActivity
from miyabi.policy.target_tracking import Capacity as SeenCapacity
from miyabi.policy.target_tracking import Refusal

_WAITING = "Successfully set desired count to {}. Waiting for change to be fulfilled by ecs."
_FULFILLED = "Successfully set desired count to {}. Change successfully fulfilled by ecs."


class Capacity:
    """What Application Auto Scaling does to ECS, and its activities."""

    def __init__(self, store: Store, ecs: EcsTables) -> None:
        self.activities = Table(store, "autoscaling.activity", ScalingActivity)
        self._ecs = ecs
        self._open: set[tuple[str, str]] | None = None
        """Region and key of the activities that may be open; None: nobody has looked yet."""

    def fit(self, region: str, target: ScalableTarget, now: datetime) -> bool:
        """Set the desired count to the bound that it is beyond; return whether it was.

        Suspensions do not matter: they are of what policies and scheduled actions set off.
        """
        cluster, name = target.cluster_and_service
        service = self._ecs.services.get(region, f"{cluster}/{name}")
        if service is None or service.status != "ACTIVE":
            return False
        if service.desired_count < target.min_capacity:
            wanted, cause = target.min_capacity, f"minimum capacity was set to {target.min_capacity}"
        elif service.desired_count > target.max_capacity:
            wanted, cause = target.max_capacity, f"maximum capacity was set to {target.max_capacity}"
        else:
            return False
        self.set(region, target, wanted, cause, now)
        return True

    def set(self, region: str, target: ScalableTarget, wanted: int, cause: str, now: datetime) -> None:
        """Set the desired count of a service that is there, and write down why."""
        cluster, name = target.cluster_and_service
        service = self._ecs.services.get(region, f"{cluster}/{name}")
        if service is None:
            return
        primary = dataclasses.replace(service.primary, desired_count=wanted, updated_at=now)
        self._ecs.put_service(
            region,
            dataclasses.replace(
                service, desired_count=wanted, deployments=[primary, *service.deployments[1:]], steady=False
            ),
        )
        self._note(region, target, now, f"Setting desired count to {wanted}.", cause, desired_count=wanted)

    def note_refusal(
        self, region: str, target: ScalableTarget, seen: SeenCapacity, refusal: Refusal, now: datetime
    ) -> None:
        """Write down that a policy wanted to scale and did not, and why."""
        row = ScalingActivity(
            id=str(uuid.uuid4()),
            resource_id=target.resource_id,
            dimension=target.dimension,
            description="Attempting to scale due to alarm triggered",
            cause=f"policy {refusal.policy}: {refusal.reason}",
            started_at=now,
            ended_at=now,
            status="Failed",
            message=f"Not scaled: {refusal.code}",
            not_scaled=NotScaled(refusal.code, seen.minimum, seen.maximum, seen.desired),
        )
        self.activities.put(region, row.key, row)

    def note_bounds(self, region: str, target: ScalableTarget, now: datetime, cause: str) -> None:
        """Write down that the bounds were changed by a scheduled action."""
        bounds = f"min capacity to {target.min_capacity} and max capacity to {target.max_capacity}"
        self._note(region, target, now, f"Setting {bounds}", cause, message=f"Successfully set {bounds}")

    def settle(self, now: datetime) -> bool:
        """Close the activities whose tasks run; return whether any is still open."""
        if self._open is None:
            self._open = {
                (region, row.key) for region in self.activities.regions() for row in self.activities.list(region)
            }
        open_ = False
        for region, key in tuple(self._open):
            row = self.activities.get(region, key)
            if row is None or row.status != "InProgress":
                self._open.discard((region, key))
            else:
                open_ = not self._settle(region, row, now) or open_
        return open_

    def forget(self, until: datetime) -> None:
        """Delete the activities that began before."""
        for region in self.activities.regions():
            for row in self.activities.list(region):
                if row.started_at <= until:
                    self.activities.delete(region, row.key)

    def _settle(self, region: str, row: ScalingActivity, now: datetime) -> bool:
        _, cluster, name = row.resource_id.split("/")
        service = self._ecs.services.get(region, f"{cluster}/{name}")
        wanted = row.desired_count
        if service is None or service.status != "ACTIVE":
            status, message = "Unfulfilled", "The service was deleted."
        elif service.desired_count != wanted:
            status, message = "Overridden", f"The desired count was set to another value than {wanted}."
        elif service.steady:
            status, message = "Successful", _FULFILLED.format(wanted)
        else:
            return False
        done = dataclasses.replace(row, status=status, message=message, ended_at=now)
        self.activities.put(region, row.key, done)
        return True

    def _note(
        self,
        region: str,
        target: ScalableTarget,
        now: datetime,
        description: str,
        cause: str,
        *,
        message: str | None = None,
        desired_count: int | None = None,
    ) -> None:
        row = ScalingActivity(
            id=str(uuid.uuid4()),
            resource_id=target.resource_id,
            dimension=target.dimension,
            description=description,
            cause=cause,
            started_at=now,
            ended_at=None if message is None else now,
            status="InProgress" if message is None else "Successful",
            message=message or _WAITING.format(desired_count),
            desired_count=desired_count,
        )
        self.activities.put(region, row.key, row)
        if self._open is not None and row.ended_at is None:
            self._open.add((region, row.key))
