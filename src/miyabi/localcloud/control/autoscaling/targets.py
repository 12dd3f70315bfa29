"""Scalable targets and their tags."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from miyabi.localcloud.control.autoscaling.capacity import Capacity
from miyabi.localcloud.control.ecs.tables import EcsTables
from miyabi.localcloud.control.service import ApiError, Caller, LiveService, Params, Result
from miyabi.localcloud.control.store import Store, Table
from miyabi.model.scaling import ScalableTarget, ScalingPolicy, ScheduledAction, Suspended, TrackingAlarm

NAMESPACE = "ecs"
DIMENSION = "ecs:service:DesiredCount"
_SUSPENDED = {
    "DynamicScalingInSuspended": "dynamic_in",
    "DynamicScalingOutSuspended": "dynamic_out",
    "ScheduledScalingSuspended": "scheduled",
}


class Alarms(Protocol):
    """The part of CloudWatch that policies speak to."""

    def put(self, caller: Caller, alarm: TrackingAlarm, description: str, action: str) -> None: ...

    def delete(self, caller: Caller, names: tuple[str, ...]) -> None: ...


class Targets(LiveService):
    """Operations on scalable targets."""

    name: ClassVar[str] = "application-autoscaling"

    def __init__(self, store: Store, ecs: EcsTables, alarms: Alarms, on_change: Callable[[], None]) -> None:
        self.targets = Table(store, "autoscaling.target", ScalableTarget)
        self.policies = Table(store, "autoscaling.policy", ScalingPolicy)
        self.tags: Table[dict[str, str]] = Table(store, "autoscaling.tags", dict[str, str])
        self.scheduled = Table(store, "autoscaling.scheduled_action", ScheduledAction)
        self.capacity = Capacity(store, ecs)
        self._ecs = ecs
        self._alarms = alarms
        self._on_change = on_change

    def register_scalable_target(self, caller: Caller, params: Params) -> Result:
        """Register a service, or change what is given of a registered one.

        Whatever is given, a count outside the bounds is brought inside. Source: docs.aws.amazon.com,
        "RegisterScalableTarget".
        """
        resource, dimension = self.resource(params)
        row = self.targets.get(caller.region, f"{resource}|{dimension}")
        if row is None:
            self._require_service(caller, resource)
            if params.get("MinCapacity") is None or params.get("MaxCapacity") is None:
                raise invalid("MinCapacity and MaxCapacity are needed to register a scalable target")
            row = _new_target(caller, resource, dimension)
            if params.get("Tags"):
                self.tags.put(caller.region, row.arn, dict(params["Tags"]))
        elif params.get("Tags"):
            raise invalid("Tags can only be given when a scalable target is registered; use TagResource")
        row = _changed(row, params)
        self.targets.put(caller.region, row.key, row)
        self.capacity.fit(caller.region, row, caller.now)
        self._on_change()
        return {"ScalableTargetARN": row.arn}

    def describe_scalable_targets(self, caller: Caller, params: Params) -> Result:
        """Describe scalable targets, by resource and dimension where they are given."""
        require_namespace(params)
        wanted = params.get("ResourceIds")
        rows = [
            row
            for row in self.targets.list(caller.region)
            if (not wanted or row.resource_id in wanted)
            and params.get("ScalableDimension") in {None, "", row.dimension}
        ]
        return {"ScalableTargets": [_describe(row) for row in rows]}

    def deregister_scalable_target(self, caller: Caller, params: Params) -> Result:
        """Deregister a service: its policies, their alarms and its scheduled actions go too."""
        row = self.find_target(caller, params)
        for policy in self.policies_of(caller, row):
            self.remove_policy(caller, policy)
        for action in self.scheduled.list(caller.region, prefix=f"{row.key}|"):
            self.scheduled.delete(caller.region, action.key)
        self.targets.delete(caller.region, row.key)
        self.tags.delete(caller.region, row.arn)
        self._on_change()
        return {}

    def tag_resource(self, caller: Caller, params: Params) -> Result:
        """Add tags to a scalable target or replace their values."""
        arn = self._require_arn(caller, params)
        tags = (self.tags.get(caller.region, arn) or {}) | dict(params["Tags"])
        if len(tags) > 50:
            raise ApiError("TooManyTagsException", "A scalable target may have 50 tags.")
        self.tags.put(caller.region, arn, tags)
        return {}

    def untag_resource(self, caller: Caller, params: Params) -> Result:
        """Remove tags; keys that are not there are no error."""
        arn = self._require_arn(caller, params)
        held = self.tags.get(caller.region, arn) or {}
        self.tags.put(caller.region, arn, {k: v for k, v in held.items() if k not in params["TagKeys"]})
        return {}

    def list_tags_for_resource(self, caller: Caller, params: Params) -> Result:
        """List a scalable target's tags."""
        return {"Tags": self.tags.get(caller.region, self._require_arn(caller, params)) or {}}

    def find_target(self, caller: Caller, params: Params) -> ScalableTarget:
        """Return the scalable target; ObjectNotFoundException."""
        resource, dimension = self.resource(params)
        row = self.targets.get(caller.region, f"{resource}|{dimension}")
        if row is None:
            raise ApiError(
                "ObjectNotFoundException",
                f"No scalable target found for service namespace: {NAMESPACE}, resource ID: {resource}, "
                f"scalable dimension: {dimension}",
            )
        return row

    def policies_of(self, caller: Caller, target: ScalableTarget) -> list[ScalingPolicy]:
        """Return a target's policies by name."""
        return self.policies.list(caller.region, prefix=f"{target.key}|")

    def remove_policy(self, caller: Caller, policy: ScalingPolicy) -> None:
        """Remove a policy with its alarms."""
        self.delete_alarms(caller, policy.alarms)
        self.policies.delete(caller.region, policy.key)

    def delete_alarms(self, caller: Caller, names: tuple[str, ...]) -> None:
        """Remove alarms that a policy made."""
        if names:
            self._alarms.delete(caller, names)

    def put_alarm(self, caller: Caller, alarm: TrackingAlarm, policy_arn: str) -> None:
        """Make or replace a policy's alarm."""
        description = f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy_arn}."
        self._alarms.put(caller, alarm, description, policy_arn)

    def resource(self, params: Params) -> tuple[str, str]:
        """Return resource id and dimension; ValidationException."""
        require_namespace(params)
        resource, dimension = params["ResourceId"], params["ScalableDimension"]
        if dimension != DIMENSION:
            raise invalid(f"Unsupported service namespace, resource type or scalable dimension: {dimension}")
        parts = resource.split("/")
        if len(parts) != 3 or parts[0] != "service" or not all(parts):
            raise invalid(f"The resource ID {resource} is not of the form service/<cluster>/<service>")
        return resource, dimension

    def _require_service(self, caller: Caller, resource: str) -> None:
        _, cluster, name = resource.split("/")
        service = self._ecs.services.get(caller.region, f"{cluster}/{name}")
        if service is None or service.status == "INACTIVE":
            raise invalid(f"ECS service doesn't exist: {resource}")

    def _require_arn(self, caller: Caller, params: Params) -> str:
        arn: str = params["ResourceARN"]
        if all(row.arn != arn for row in self.targets.list(caller.region)):
            raise ApiError("ResourceNotFoundException", f"The resource {arn} does not exist.")
        return arn


def _new_target(caller: Caller, resource: str, dimension: str) -> ScalableTarget:
    account = caller.account
    return ScalableTarget(
        arn=f"arn:aws:application-autoscaling:{caller.region}:{account}:scalable-target/0ec5{secrets.token_hex(14)}",
        resource_id=resource,
        dimension=dimension,
        min_capacity=0,
        max_capacity=0,
        # Whatever role is given, ECS services are scaled by the service-linked one.
        role_arn=f"arn:aws:iam::{account}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
        "AWSServiceRoleForApplicationAutoScaling_ECSService",
        created_at=caller.now,
    )


def _changed(row: ScalableTarget, params: Params) -> ScalableTarget:
    low = row.min_capacity if params.get("MinCapacity") is None else int(params["MinCapacity"])
    high = row.max_capacity if params.get("MaxCapacity") is None else int(params["MaxCapacity"])
    if low < 0 or high < 0:
        raise invalid("MinCapacity and MaxCapacity must not be negative")
    if low > high:
        raise invalid(f"Maximum capacity cannot be less than minimum capacity: {high} < {low}")
    given = params.get("SuspendedState") or {}
    suspended = {field: given[name] for name, field in _SUSPENDED.items() if given.get(name) is not None}
    return dataclasses.replace(
        row, min_capacity=low, max_capacity=high, suspended=dataclasses.replace(row.suspended, **suspended)
    )


def _describe(row: ScalableTarget) -> dict[str, Any]:
    return {
        "ServiceNamespace": NAMESPACE,
        "ResourceId": row.resource_id,
        "ScalableDimension": row.dimension,
        "MinCapacity": row.min_capacity,
        "MaxCapacity": row.max_capacity,
        "RoleARN": row.role_arn,
        "CreationTime": row.created_at,
        "SuspendedState": _suspended(row.suspended),
        "ScalableTargetARN": row.arn,
    }


def _suspended(state: Suspended) -> dict[str, bool]:
    return {name: getattr(state, field) for name, field in _SUSPENDED.items()}


def invalid(message: str) -> ApiError:
    """Return a ValidationException."""
    return ApiError("ValidationException", message)


def require_namespace(params: Params) -> None:
    """Raise where something other than an ECS service is meant."""
    if params["ServiceNamespace"] != NAMESPACE:
        raise ApiError(
            "UnsupportedOperation", f"The local cloud scales ECS services only, not {params['ServiceNamespace']}."
        )
