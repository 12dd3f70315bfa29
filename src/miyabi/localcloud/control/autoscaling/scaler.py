"""What alarms set off: scaling policies decide on a service's desired count, and write down why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from miyabi.localcloud.control.autoscaling.targets import Targets
from miyabi.localcloud.control.cloudwatch.evaluation import cadence_of
from miyabi.localcloud.control.cloudwatch.mutes import Mutes
from miyabi.localcloud.control.cloudwatch.tables import AlarmTables
from miyabi.localcloud.control.ecs.tables import EcsTables
from miyabi.localcloud.control.store import Store, Table
from miyabi.model.alarms import MetricAlarm
from miyabi.model.ecs import RolloutState, Service, TaskStatus
from miyabi.model.metrics import AlarmState
from miyabi.model.scaling import ScalableTarget, ScalingPolicy
from miyabi.policy.step_scaling import Step, Stepping, plan_step
from miyabi.policy.target_tracking import Capacity, Cooldowns, Decision, Refusal, Tracking, plan_capacity
from miyabi.policy.tempo import Tempo

_TRACKING = "TargetTrackingScaling"
_COOLDOWN = 300
_ROUNDED = timedelta(milliseconds=1)
"""Boundaries of a faster clock are no whole microseconds: a cooldown must not outlast the one at which it ends."""
_HOLDING = {"AlreadyAtMaxCapacity", "AlreadyAtDesiredCapacity", "ScaleOutCooldown"}
"""Codes of refusals by which a policy keeps the count: it wants no fewer tasks."""
Newest = Mapping[tuple[str, str], float | None]


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at a region found."""

    raised: Mapping[str, MetricAlarm]
    """Alarms in ALARM that are due and set off policies, by name."""
    running: Mapping[tuple[str, str | None], int]
    """Tasks that run, by cluster and service."""
    newest: Mapping[str, float | None]
    """The newest datapoint of each alarm that there is, by name."""
    now: datetime
    boundary: datetime
    """When the periods ended at which it looks: cooldowns count from there, not from when a look comes to it."""


class Scaler:
    """Looks at the policies whose alarms were evaluated just now."""

    def __init__(self, service: Targets, store: Store, ecs: EcsTables, alarms: AlarmTables, tempo: Tempo) -> None:
        self._service = service
        self._ecs = ecs
        self._alarms = alarms
        self._mutes = Mutes(store)
        self._tempo = tempo
        self._cooldowns = Table(store, "autoscaling.cooldowns", Cooldowns)
        self._refused: dict[tuple[str, str, str], str] = {}
        """By region, target and policy the code of the refusal that was written down last."""

    def act(self, cadences: Collection[int], newest: Newest, now: datetime) -> bool:
        """Scale what the alarms that are due ask for, again and again while they are in ALARM; return whether it did.

        cadences: those whose alarms were evaluated just now. An alarm acts at its own only, and all that are due at one
        boundary act together: the largest capacity wins.
        newest: the newest datapoint of each alarm, by region and name.
        """
        acted = False
        for region in self._service.targets.regions():
            alarms = self._alarms.metric.list(region)
            raised = {
                alarm.name: alarm
                for alarm in alarms
                if alarm.standing.state is AlarmState.ALARM
                and cadence_of(alarm) in cadences
                and alarm.actions_enabled
                and any(":autoscaling:" in arn for arn in alarm.actions.alarm)
                and self._mutes.muted_until(region, alarm.name, now) is None
            }
            if not raised:
                continue
            due = {arn for alarm in raised.values() for arn in alarm.actions.alarm}
            points = {alarm.name: newest.get((region, alarm.name)) for alarm in alarms}
            boundary = self._tempo.instant(self._tempo.last_boundary(now, min(cadences)))
            look = _Look(raised, self._running(region), points, now, boundary)
            for target in self._service.targets.list(region):
                policies = self._service.policies.list(region, prefix=f"{target.key}|")
                if any(policy.arn in due for policy in policies):
                    acted = self._scale(region, target, policies, look) or acted
        return acted

    def _scale(
        self,
        region: str,
        target: ScalableTarget,
        policies: Sequence[ScalingPolicy],
        look: _Look,
    ) -> bool:
        cluster, name = target.cluster_and_service
        service = self._ecs.services.get(region, f"{cluster}/{name}")
        if service is None or service.status != "ACTIVE":
            return False
        now, running = look.now, look.running.get((cluster, name), 0)
        seen = _seen(service, target, running)
        kept = self._cooldowns.get(region, target.key) or Cooldowns()
        tracking = [self._tracking(policy, look) for policy in policies if policy.type == _TRACKING]
        decisions = [plan_capacity(seen, tracking, kept, now=look.boundary)] if tracking else []
        for policy in policies:
            if policy.type != _TRACKING:
                stepping = self._stepping(policy, look)
                decisions += [plan_step(seen, stepping, kept, now=look.boundary)] if stepping else []
        for decision in decisions:
            for refusal in decision.refusals:
                self._note_refusal(region, target, seen, refusal, now)
        # The largest capacity that one asks for; one that cannot go further asks for the present one.
        wanted = [decision for decision in decisions if decision.capacity is not None]
        best = max(wanted, key=lambda one: one.capacity or 0, default=None)
        holds = any(refusal.code in _HOLDING for decision in decisions for refusal in decision.refusals)
        least = service.desired_count + 1 if holds else 0
        if best is None or best.capacity is None or best.capacity < least or best.capacity == service.desired_count:
            return False
        self._service.capacity.set(region, target, best.capacity, best.cause, now)
        self._cooldowns.put(region, target.key, best.cooldowns)
        self._refused = {key: code for key, code in self._refused.items() if key[:2] != (region, target.key)}
        self._note_actions(region, look.raised, best, policies, now)
        return True

    def _running(self, region: str) -> Counter[tuple[str, str | None]]:
        """Return how many tasks of each service run, by cluster and name."""
        return Counter(
            (task.cluster_name, task.service_name)
            for task in self._ecs.tasks.list(region)
            if task.last_status is TaskStatus.RUNNING and task.desired_status is TaskStatus.RUNNING
        )

    def _tracking(self, policy: ScalingPolicy, look: _Look) -> Tracking:
        given = policy.configuration
        high, low = (*policy.alarms, "")[:2]
        return Tracking(
            name=policy.name,
            target_value=float(given["TargetValue"]),
            metric=look.newest.get(high),
            high=AlarmState.ALARM if high in look.raised else AlarmState.OK,
            low=AlarmState.ALARM if low in look.raised else AlarmState.OK,
            high_alarm=high,
            low_alarm=low,
            scale_out_cooldown=self._shortened(given, "ScaleOutCooldown"),
            scale_in_cooldown=self._shortened(given, "ScaleInCooldown"),
            disable_scale_in=bool(given.get("DisableScaleIn")),
        )

    def _stepping(self, policy: ScalingPolicy, look: _Look) -> Stepping | None:
        """Return a step scaling policy and how far its metric is beyond its alarm's threshold; None: nothing to do."""
        for alarm in look.raised.values():
            value = look.newest.get(alarm.name)
            if policy.arn in alarm.actions.alarm and value is not None:
                given = policy.configuration
                return Stepping(
                    name=policy.name,
                    alarm=alarm.name,
                    beyond=value - alarm.rule.threshold,
                    adjustment_type=given.get("AdjustmentType") or "ChangeInCapacity",
                    steps=tuple(_step(one) for one in given.get("StepAdjustments") or ()),
                    minimum_magnitude=int(given.get("MinAdjustmentMagnitude") or 0),
                    cooldown=self._shortened(given, "Cooldown"),
                )
        return None

    def _shortened(self, given: Mapping[str, Any], name: str) -> timedelta:
        seconds = given.get(name)
        whole = self._tempo.shortened(timedelta(seconds=_COOLDOWN if seconds is None else int(seconds)))
        return max(whole - _ROUNDED, timedelta(0))

    def _note_refusal(
        self, region: str, target: ScalableTarget, seen: Capacity, refusal: Refusal, now: datetime
    ) -> None:
        key = (region, target.key, refusal.policy)
        if self._refused.get(key) != refusal.code:  # once, not each minute
            self._refused[key] = refusal.code
            self._service.capacity.note_refusal(region, target, seen, refusal, now)

    def _note_actions(
        self,
        region: str,
        raised: Mapping[str, MetricAlarm],
        decision: Decision,
        policies: Sequence[ScalingPolicy],
        now: datetime,
    ) -> None:
        arn = next(policy.arn for policy in policies if policy.name == decision.policy)
        for alarm in raised.values():
            if arn in alarm.actions.alarm and alarm.name in decision.cause:
                summary = f"Successfully executed action {arn}"
                self._alarms.note(region, alarm, now, "Action", summary, {"actionState": "Succeeded", "policy": arn})


def _seen(service: Service, target: ScalableTarget, running: int) -> Capacity:
    return Capacity(
        minimum=target.min_capacity,
        maximum=target.max_capacity,
        desired=service.desired_count,
        running=running,
        deploying=service.primary.rollout_state is RolloutState.IN_PROGRESS,
        suspended=target.suspended,
    )


def _step(given: Mapping[str, Any]) -> Step:
    bounds = (given.get("MetricIntervalLowerBound"), given.get("MetricIntervalUpperBound"))
    low, high = (None if one is None else float(one) for one in bounds)
    return Step(low, high, int(given["ScalingAdjustment"]))
