"""Scaling policies, and Application Auto Scaling as one service."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from miyabi.localcloud.control.autoscaling.scheduled import ScheduledActions
from miyabi.localcloud.control.autoscaling.targets import NAMESPACE, invalid, require_namespace
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.model.scaling import ScalableTarget, ScalingPolicy, TrackingAlarm
from miyabi.policy.tracking_alarms import UnknownMetric, alarms_of, is_high_resolution

_CONFIGURATIONS = {
    "TargetTrackingScaling": "TargetTrackingScalingPolicyConfiguration",
    "StepScaling": "StepScalingPolicyConfiguration",
}


class ApplicationAutoScaling(ScheduledActions):
    """Application Auto Scaling for ECS services.

    on_change: called after a change that a loop should look at.
    """

    def put_scaling_policy(self, caller: Caller, params: Params) -> Result:
        """Create a policy or replace its configuration; target tracking makes its alarms."""
        target = self.find_target(caller, params)
        name = params["PolicyName"]
        found = self.policies.get(caller.region, f"{target.key}|{name}")
        kind = params.get("PolicyType") or (found.type if found else "StepScaling")
        if kind not in _CONFIGURATIONS:
            raise ApiError("UnsupportedOperation", f"The local cloud does not offer policies of type {kind}.")
        configuration = params.get(_CONFIGURATIONS[kind]) or (found.configuration if found else None)
        if not configuration:
            raise invalid(f"{_CONFIGURATIONS[kind]} is needed for a policy of type {kind}")
        if found is not None and found.type != kind:
            raise invalid(f"The type of the policy {name} cannot be changed from {found.type} to {kind}")
        alarms = _tracking_alarms(target, name, configuration) if kind == "TargetTrackingScaling" else ()
        policy = ScalingPolicy(
            arn=found.arn if found else _new_arn(caller, target, name),
            name=name,
            resource_id=target.resource_id,
            dimension=target.dimension,
            type=kind,
            created_at=found.created_at if found else caller.now,
            configuration=configuration,
            alarms=tuple(alarm.name for alarm in alarms),
        )
        for alarm in alarms:
            self.put_alarm(caller, alarm, policy.arn)
        if found is not None:
            self.delete_alarms(caller, tuple(old for old in found.alarms if old not in policy.alarms))
        self.policies.put(caller.region, policy.key, policy)
        self._on_change()
        return {"PolicyARN": policy.arn, "Alarms": _alarms(caller, policy)}

    def describe_scaling_policies(self, caller: Caller, params: Params) -> Result:
        """Describe policies, by name, resource and dimension where they are given."""
        require_namespace(params)
        names = params.get("PolicyNames")
        rows = [
            row
            for row in self.policies.list(caller.region)
            if (not names or row.name in names or row.arn in names)
            and params.get("ResourceId") in {None, "", row.resource_id}
            and params.get("ScalableDimension") in {None, "", row.dimension}
        ]
        return {"ScalingPolicies": [_describe(caller, row) for row in rows]}

    def high_resolution_services(self) -> set[tuple[str, str, str]]:
        """Return region, cluster and service of those that a policy looks at every 20 seconds."""
        return {
            (region, *policy.resource_id.split("/")[1:3])  # type: ignore[misc]
            for region in self.policies.regions()
            for policy in self.policies.list(region)
            if policy.type == "TargetTrackingScaling" and is_high_resolution(policy.configuration)
        }

    def delete_scaling_policy(self, caller: Caller, params: Params) -> Result:
        """Delete a policy with its alarms; ObjectNotFoundException."""
        target = self.find_target(caller, params)
        policy = self.policies.get(caller.region, f"{target.key}|{params['PolicyName']}")
        if policy is None:
            raise ApiError(
                "ObjectNotFoundException",
                f"No scaling policy found for service namespace: {NAMESPACE}, resource ID: {target.resource_id}, "
                f"scalable dimension: {target.dimension}: {params['PolicyName']}",
            )
        self.remove_policy(caller, policy)
        self._on_change()
        return {}


def _tracking_alarms(target: ScalableTarget, name: str, configuration: Mapping[str, Any]) -> tuple[TrackingAlarm, ...]:
    try:
        return alarms_of(target, name, configuration)
    except UnknownMetric as error:
        raise invalid(f"The policy {name} cannot track its target: {error}") from error


def _new_arn(caller: Caller, target: ScalableTarget, name: str) -> str:
    return (
        f"arn:aws:autoscaling:{caller.region}:{caller.account}:scalingPolicy:{uuid.uuid4()}:"
        f"resource/{NAMESPACE}/{target.resource_id}:policyName/{name}"
    )


def _alarms(caller: Caller, policy: ScalingPolicy) -> list[dict[str, str]]:
    return [
        {"AlarmName": name, "AlarmARN": f"arn:aws:cloudwatch:{caller.region}:{caller.account}:alarm:{name}"}
        for name in policy.alarms
    ]


def _describe(caller: Caller, policy: ScalingPolicy) -> dict[str, Any]:
    return {
        "PolicyARN": policy.arn,
        "PolicyName": policy.name,
        "ServiceNamespace": NAMESPACE,
        "ResourceId": policy.resource_id,
        "ScalableDimension": policy.dimension,
        "PolicyType": policy.type,
        _CONFIGURATIONS[policy.type]: policy.configuration,
        "Alarms": _alarms(caller, policy),
        "CreationTime": policy.created_at,
    }
