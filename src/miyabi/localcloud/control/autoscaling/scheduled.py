"""Scheduled actions, the activities that they leave, and the loop that runs what is due."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from miyabi.localcloud.control.autoscaling.paging import page
from miyabi.localcloud.control.autoscaling.targets import NAMESPACE, Targets, invalid, require_namespace
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.model.scaling import NotScaled, ScalableTarget, ScalingActivity, ScheduledAction
from miyabi.policy.schedule import At, BadSchedule, next_due, parse_schedule

_KEPT = timedelta(weeks=6)
"""How long activities are shown; a little later they are deleted."""
_FORGOTTEN_EVERY = timedelta(hours=1)


class ScheduledActions(Targets):
    """Operations on scheduled actions and scaling activities."""

    def put_scheduled_action(self, caller: Caller, params: Params) -> Result:
        """Create a scheduled action, or change what is given of one."""
        target = self.find_target(caller, params)
        name = params["ScheduledActionName"]
        found = self.scheduled.get(caller.region, f"{target.key}|{name}")
        row = _changed(found or _new(caller, target, name), params)
        _check(row, caller.now)
        row = dataclasses.replace(row, next_due=_due(row, caller.now))
        if isinstance(parse_schedule(row.schedule), At) and row.next_due is None:
            raise invalid(f"The schedule {row.schedule} is in the past")
        self.scheduled.put(caller.region, row.key, row)
        self._on_change()
        return {}

    def describe_scheduled_actions(self, caller: Caller, params: Params) -> Result:
        """Describe scheduled actions, by name, resource and dimension where they are given."""
        require_namespace(params)
        names = params.get("ScheduledActionNames")
        rows = [
            row
            for row in self.scheduled.list(caller.region)
            if (not names or row.name in names)
            and params.get("ResourceId") in {None, "", row.resource_id}
            and params.get("ScalableDimension") in {None, "", row.dimension}
        ]
        shown, token = page(rows, params)
        return {"ScheduledActions": [_describe(row) for row in shown], **token}

    def delete_scheduled_action(self, caller: Caller, params: Params) -> Result:
        """Delete a scheduled action; ObjectNotFoundException."""
        resource, dimension = self.resource(params)
        key = f"{resource}|{dimension}|{params['ScheduledActionName']}"
        if self.scheduled.get(caller.region, key) is None:
            raise ApiError(
                "ObjectNotFoundException",
                f"No scheduled action found for service namespace: {NAMESPACE}, resource ID: {resource}, "
                f"scalable dimension: {dimension}, scheduled action name: {params['ScheduledActionName']}",
            )
        self.scheduled.delete(caller.region, key)
        self._on_change()
        return {}

    def describe_scaling_activities(self, caller: Caller, params: Params) -> Result:
        """Describe the activities of the last six weeks, newest first."""
        require_namespace(params)
        rows = [
            row
            for row in self.capacity.activities.list(caller.region)
            if caller.now - row.started_at < _KEPT
            and (row.not_scaled is None or params.get("IncludeNotScaledActivities"))
            and params.get("ResourceId") in {None, "", row.resource_id}
            and params.get("ScalableDimension") in {None, "", row.dimension}
        ]
        rows.sort(key=lambda row: row.started_at, reverse=True)
        shown, token = page(rows, params)
        return {"ScalingActivities": [_describe_activity(row) for row in shown], **token}

    def run_due(self, now: datetime) -> timedelta | None:
        """Run every scheduled action that is due; return the time until the next one, if there is one."""
        waits = []
        for region in self.scheduled.regions():
            for row in self.scheduled.list(region):
                due = row.next_due
                if due is not None and due <= now:
                    self._run(region, row, now)
                    due = _due(row, now)
                    self.scheduled.put(region, row.key, dataclasses.replace(row, next_due=due))
                if due is not None:
                    waits.append(due - now)
        return min(waits, default=None)

    def _run(self, region: str, row: ScheduledAction, now: datetime) -> None:
        """Change the bounds as asked. What falls into a suspension is not made up for afterwards."""
        target = self.targets.get(region, f"{row.resource_id}|{row.dimension}")
        if target is None or target.suspended.scheduled:
            return
        low = target.min_capacity if row.min_capacity is None else row.min_capacity
        high = target.max_capacity if row.max_capacity is None else row.max_capacity
        # With one bound given, the other gives way.
        low, high = (min(low, high), high) if row.min_capacity is None else (low, max(low, high))
        target = dataclasses.replace(target, min_capacity=low, max_capacity=high)
        self.targets.put(region, target.key, target)
        self.capacity.note_bounds(region, target, now, f"scheduled action name {row.name} was triggered")
        self.capacity.fit(region, target, now)
        self._on_change()


class ScheduleLoop:
    """Runs scheduled actions when they are due, closes activities when their tasks run and deletes old ones."""

    name = "scheduled-actions"

    def __init__(
        self, engine: Engine, service: ScheduledActions, *, interval: timedelta = timedelta(minutes=1)
    ) -> None:
        self._engine = engine
        self._service = service
        self._interval = interval
        self._forgot_at: datetime | None = None

    async def step(self) -> timedelta:
        """Run what is due; look again when the next one is, and soon while an activity is open."""
        return await self._engine.run(self._look)

    def _look(self) -> timedelta:
        now = self._engine.clock()
        waits = [self._interval]
        wait = self._service.run_due(now)
        if wait is not None:
            waits.append(wait)
        if self._forgot_at is None or now >= self._forgot_at + _FORGOTTEN_EVERY:
            self._service.capacity.forget(now - _KEPT)
            self._forgot_at = now
        if self._service.capacity.settle(now):
            waits.append(timedelta(seconds=1))
        return max(min(waits), timedelta())


def _new(caller: Caller, target: ScalableTarget, name: str) -> ScheduledAction:
    return ScheduledAction(
        arn=f"arn:aws:autoscaling:{caller.region}:{caller.account}:scheduledAction:{uuid.uuid4()}:"
        f"resource/{NAMESPACE}/{target.resource_id}:scheduledActionName/{name}",
        name=name,
        resource_id=target.resource_id,
        dimension=target.dimension,
        schedule="",
        timezone="UTC",
        created_at=caller.now,
    )


def _changed(row: ScheduledAction, params: Params) -> ScheduledAction:
    action = params.get("ScalableTargetAction")
    bounds = (
        {} if action is None else {"min_capacity": action.get("MinCapacity"), "max_capacity": action.get("MaxCapacity")}
    )
    return dataclasses.replace(
        row,
        schedule=params.get("Schedule") or row.schedule,
        timezone=params.get("Timezone") or row.timezone,
        # AWS: where no times are given, the old ones are deleted.
        start=_instant(params.get("StartTime")),
        end=_instant(params.get("EndTime")),
        **bounds,
    )


def _instant(given: datetime | None) -> datetime | None:
    """Return an instant of a request, which moto's parser gives without its zone: UTC."""
    return given.replace(tzinfo=UTC) if given is not None and given.tzinfo is None else given


def _check(row: ScheduledAction, now: datetime) -> None:
    if not row.schedule:
        raise invalid("Schedule is needed to create a scheduled action")
    try:
        parse_schedule(row.schedule)
    except BadSchedule as error:
        raise invalid(f"Invalid schedule expression: {error}") from error
    _zone(row)
    if row.min_capacity is None and row.max_capacity is None:
        raise invalid("ScalableTargetAction needs MinCapacity or MaxCapacity")
    if min(row.min_capacity or 0, row.max_capacity or 0) < 0:
        raise invalid("MinCapacity and MaxCapacity must not be negative")
    if row.min_capacity is not None and row.max_capacity is not None and row.min_capacity > row.max_capacity:
        raise invalid(f"Maximum capacity cannot be less than minimum capacity: {row.max_capacity} < {row.min_capacity}")
    if row.start is not None and row.end is not None and row.end <= row.start:
        raise invalid("EndTime must be after StartTime")
    if row.end is not None and row.end <= now:
        raise invalid("EndTime is in the past")


def _due(row: ScheduledAction, after: datetime) -> datetime | None:
    begin = row.start or row.created_at
    return next_due(parse_schedule(row.schedule), after=after, zone=_zone(row), begin=begin, end=row.end)


def _zone(row: ScheduledAction) -> Any:
    if row.timezone == "UTC":
        return UTC
    try:
        return ZoneInfo(row.timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise invalid(f"Unknown time zone: {row.timezone}") from error


def _describe(row: ScheduledAction) -> dict[str, Any]:
    bounds = {"MinCapacity": row.min_capacity, "MaxCapacity": row.max_capacity}
    shape = {
        "ScheduledActionName": row.name,
        "ScheduledActionARN": row.arn,
        "ServiceNamespace": NAMESPACE,
        "Schedule": row.schedule,
        "Timezone": row.timezone,
        "ResourceId": row.resource_id,
        "ScalableDimension": row.dimension,
        "StartTime": row.start,
        "EndTime": row.end,
        "ScalableTargetAction": {name: value for name, value in bounds.items() if value is not None},
        "CreationTime": row.created_at,
    }
    return {name: value for name, value in shape.items() if value is not None}


def _describe_reason(reason: NotScaled) -> dict[str, Any]:
    bounds = {"MaxCapacity": reason.maximum, "MinCapacity": reason.minimum, "CurrentCapacity": reason.current}
    return {"Code": reason.code, **bounds}


def _describe_activity(row: ScalingActivity) -> dict[str, Any]:
    shape = {
        "ActivityId": row.id,
        "ServiceNamespace": NAMESPACE,
        "ResourceId": row.resource_id,
        "ScalableDimension": row.dimension,
        "Description": row.description,
        "Cause": row.cause,
        "StartTime": row.started_at,
        "EndTime": row.ended_at,
        "StatusCode": row.status,
        "StatusMessage": row.message,
        "NotScaledReasons": None if row.not_scaled is None else [_describe_reason(row.not_scaled)],
    }
    return {name: value for name, value in shape.items() if value is not None}
