"""Composite alarms: their states by their rules, and whether they act on them."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

from miyabi.localcloud.control.cloudwatch.tables import AlarmTables, children_of
from miyabi.localcloud.control.cloudwatch.transitions import Transitions
from miyabi.model.alarms import CompositeAlarm
from miyabi.model.metrics import AlarmState
from miyabi.policy.action_suppression import Suppressor, judge_actions
from miyabi.policy.alarm_rule import holds, on_cycles, parse_rule
from miyabi.policy.tempo import Tempo


class Composites:
    """Brings composite alarms to what their rules say, and takes their actions."""

    def __init__(self, tables: AlarmTables, transitions: Transitions, tempo: Tempo) -> None:
        self._tables = tables
        self._transitions = transitions
        self._tempo = tempo

    def on_cycles(self, region: str) -> set[str]:
        """Return the names of those that depend on each other in a circle: they are not evaluated, as on AWS."""
        return on_cycles({alarm.name: children_of(alarm) for alarm in self._tables.composite.list(region)})

    def evaluate(self, region: str, alarm: CompositeAlarm, now: datetime) -> bool:
        """Bring it to what its rule says; return whether its state changed."""
        rule = parse_rule(alarm.expression)
        if alarm.set_against is not None:
            if alarm.set_against == self._newest_change(region, alarm):
                return False
            alarm = dataclasses.replace(alarm, set_against=None)
            self._tables.put(region, alarm)
        holding = holds(rule, lambda name: self._tables.state_of(region, name))
        state = AlarmState.ALARM if holding else AlarmState.OK
        if state is alarm.standing.state:
            return False
        reason = f"The alarm rule {alarm.expression} is {'true' if holding else 'false'}."
        self._transitions.enter(region, alarm, state, reason, "", now)
        return True

    def set_state(
        self, region: str, alarm: CompositeAlarm, state: AlarmState, reason: str, data: str, now: datetime
    ) -> None:
        """Set its state as a caller asks: it stays until something under it changes."""
        alarm = dataclasses.replace(alarm, set_against=self._newest_change(region, alarm))
        self._tables.put(region, alarm)
        self._transitions.enter(region, alarm, state, reason, data, now)
        entered = self._tables.composite.get(region, alarm.name)
        if entered is not None:
            self.act(region, entered, now)

    def act(self, region: str, alarm: CompositeAlarm, now: datetime) -> bool:
        """Take the actions that are due; return whether some are held back until later."""
        if alarm.acted_on is not None:
            alarm = _taken_over(alarm)
            self._tables.put(region, alarm)
        if alarm.unacted_from is None:
            return False
        if self._transitions.mutes.muted_until(region, alarm.name, now) is not None:
            made_up_for = alarm.standing.state is AlarmState.ALARM
            if not made_up_for:
                self._tables.put(region, _acted(alarm))
            return made_up_for
        suppressor = self._suppressor(region, alarm, now)
        verdict = judge_actions(alarm.standing.transitioned_at, suppressor, now=now)
        if verdict.act:
            after = _acted(alarm)
            self._tables.put(region, after)
            self._transitions.act(region, after, alarm.unacted_from, now)
            return False
        after = dataclasses.replace(
            alarm,
            suppressed_by=verdict.suppressed_by,
            suppressed_reason=verdict.reason,
            suppressor_ended_at=suppressor.ended_at if suppressor else None,
        )
        if after != alarm:
            self._tables.put(region, after)
        return verdict.suppressed_by != "Alarm"

    def _suppressor(self, region: str, alarm: CompositeAlarm, now: datetime) -> Suppressor | None:
        if alarm.suppressor is None:
            return None
        found = self._tables.find(region, alarm.suppressor)
        in_alarm = found is not None and found.standing.state is AlarmState.ALARM
        ended_at = alarm.suppressor_ended_at
        if alarm.suppressed_by == "Alarm" and not in_alarm:
            ended_at = found.standing.transitioned_at if found is not None else now
        wait, extension = (timedelta(seconds=one) for one in (alarm.wait_seconds, alarm.extension_seconds))
        return Suppressor(in_alarm, ended_at, self._tempo.shortened(wait), self._tempo.shortened(extension))

    def _newest_change(self, region: str, alarm: CompositeAlarm) -> datetime:
        """Return when the alarm's settings, or the state of an alarm that its rule names, changed last."""
        children = (self._tables.find(region, name) for name in children_of(alarm))
        return max([alarm.configured_at, *(child.standing.transitioned_at for child in children if child)])


def _taken_over(alarm: CompositeAlarm) -> CompositeAlarm:
    pending = alarm.acted_on if alarm.acted_on is not alarm.standing.state else None
    return dataclasses.replace(alarm if pending else _acted(alarm), acted_on=None, unacted_from=pending)


def _acted(alarm: CompositeAlarm) -> CompositeAlarm:
    return dataclasses.replace(
        alarm, unacted_from=None, suppressed_by=None, suppressed_reason=None, suppressor_ended_at=None
    )
