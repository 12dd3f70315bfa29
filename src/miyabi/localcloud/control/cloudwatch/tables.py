"""The rows of alarms, and how names and ARNs find them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from miyabi.localcloud.control.service import ApiError
from miyabi.localcloud.control.store import Store, Table
from miyabi.model.alarms import CompositeAlarm, HistoryItem, MetricAlarm
from miyabi.model.metrics import AlarmState
from miyabi.policy.alarm_rule import BadRule, alarms_in, parse_rule

Alarm = MetricAlarm | CompositeAlarm
HISTORY_KEPT = timedelta(days=30)


class AlarmTables:
    """Alarms of both kinds, which share their names, and their history."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.metric = Table(store, "cloudwatch.alarm", MetricAlarm)
        self.composite = Table(store, "cloudwatch.composite_alarm", CompositeAlarm)
        self.history = Table(store, "cloudwatch.alarm_history", HistoryItem)
        self._numbers = itertools.count()

    def find(self, region: str, name_or_arn: str) -> Alarm | None:
        """Return the alarm, or None."""
        name = name_of(name_or_arn)
        return self.metric.get(region, name) or self.composite.get(region, name)

    def require(self, region: str, name_or_arn: str) -> Alarm:
        """Return the alarm; `ApiError` ResourceNotFound."""
        found = self.find(region, name_or_arn)
        if found is None:
            raise ApiError("ResourceNotFound", f"Unknown alarm {name_or_arn}")
        return found

    def state_of(self, region: str, name_or_arn: str) -> AlarmState:
        """Return an alarm's state; of one that is gone nothing is known."""
        found = self.find(region, name_or_arn)
        return AlarmState.INSUFFICIENT_DATA if found is None else found.standing.state

    def all(self, region: str) -> Iterator[Alarm]:
        """Yield metric alarms, then composite ones, by name."""
        yield from self.metric.list(region)
        yield from self.composite.list(region)

    def put(self, region: str, alarm: Alarm) -> None:
        """Keep an alarm's row."""
        if isinstance(alarm, MetricAlarm):
            self.metric.put(region, alarm.name, alarm)
        else:
            self.composite.put(region, alarm.name, alarm)

    def delete(self, region: str, alarm: Alarm) -> None:
        """Remove an alarm's row; its history stays."""
        (self.metric if isinstance(alarm, MetricAlarm) else self.composite).delete(region, alarm.name)

    def note(self, region: str, alarm: Alarm, now: datetime, kind: str, summary: str, data: object) -> None:
        """Write a line of an alarm's history."""
        item = HistoryItem(
            alarm=alarm.name,
            alarm_type=type_of(alarm),
            at=now,
            number=next(self._numbers) % 1_000_000,
            type=kind,
            summary=summary,
            data=msgspec.json.encode(data).decode(),
        )
        self.history.put(region, item.key, item)

    def forget_history(self, now: datetime) -> None:
        """Remove lines that are older than a history shows."""
        for region in self.history.regions():
            for item in self.history.list(region):
                if item.at >= now - HISTORY_KEPT:
                    break
                self.history.delete(region, item.key)


def name_of(name_or_arn: str) -> str:
    """Return an alarm's name."""
    return name_or_arn.partition(":alarm:")[2] if name_or_arn.startswith("arn:") else name_or_arn


def children_of(alarm: CompositeAlarm) -> set[str]:
    """Return the names of the alarms that a rule is on; none where it cannot be read."""
    try:
        return {name_of(one) for one in alarms_in(parse_rule(alarm.expression))}
    except BadRule:
        return set()


def type_of(alarm: Alarm) -> str:
    """Return `MetricAlarm` or `CompositeAlarm`."""
    return "MetricAlarm" if isinstance(alarm, MetricAlarm) else "CompositeAlarm"
