"""Nouns of CloudWatch's alarms: what they watch, when they go off, what they then do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from miyabi.model.metrics import AlarmRule, AlarmState


@dataclass(frozen=True, slots=True)
class MetricStat:
    """A statistic of one metric over periods."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    period_seconds: int
    statistic: str
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """A metric or an expression over others, under an id that expressions use."""

    id: str
    stat: MetricStat | None = None
    expression: str | None = None
    label: str | None = None
    period_seconds: int | None = None
    """Of an expression."""
    return_data: bool = True


@dataclass(frozen=True, slots=True)
class Actions:
    """ARNs that hear of a transition, by the state that is entered."""

    ok: tuple[str, ...] = ()
    alarm: tuple[str, ...] = ()
    insufficient_data: tuple[str, ...] = ()

    def on(self, state: AlarmState) -> tuple[str, ...]:
        """Return those of a state."""
        return {AlarmState.OK: self.ok, AlarmState.ALARM: self.alarm}.get(state, self.insufficient_data)


@dataclass(frozen=True, slots=True)
class Standing:
    """The state that an alarm is in, and since when."""

    state: AlarmState
    reason: str
    data: str
    """StateReasonData: JSON, empty where there is none."""
    updated_at: datetime
    transitioned_at: datetime


@dataclass(frozen=True, slots=True)
class MetricAlarm:
    """An alarm on a metric or on an expression."""

    name: str
    arn: str
    description: str | None
    actions_enabled: bool
    actions: Actions
    queries: tuple[MetricQuery, ...]
    """One without an expression, or as they were given."""
    simple: bool
    """Whether it was given as one metric, and not as queries."""
    rule: AlarmRule
    asked: Mapping[str, object]
    """What of the request is only shown: DatapointsToAlarm and TreatMissingData where they were given."""
    standing: Standing
    configured_at: datetime
    tags: Mapping[str, str] = field(default_factory=dict)
    muted_from: AlarmState | None = None
    """The state before a transition whose actions a mute rule holds back."""

    @property
    def watched(self) -> MetricQuery:
        """The query whose values are held against the threshold."""
        return next(query for query in self.queries if query.return_data)

    @property
    def period_seconds(self) -> int:
        """Length of a datapoint's period: of an expression the shortest of what it is made of."""
        given = self.watched.stat.period_seconds if self.watched.stat else self.watched.period_seconds
        return given or min((one.stat.period_seconds for one in self.queries if one.stat), default=60)


@dataclass(frozen=True, slots=True)
class CompositeAlarm:
    """An alarm on the states of others."""

    name: str
    arn: str
    description: str | None
    actions_enabled: bool
    actions: Actions
    expression: str
    standing: Standing
    configured_at: datetime
    suppressor: str | None = None
    wait_seconds: int = 0
    extension_seconds: int = 0
    suppressed_by: str | None = None
    """`WaitPeriod`, `ExtensionPeriod` or `Alarm` while its actions are held back."""
    suppressed_reason: str | None = None
    acted_on: AlarmState | None = None
    """Of rows written before there was `unacted_from`: the state whose actions were taken last."""
    unacted_from: AlarmState | None = None
    """The state before a transition whose actions were not taken yet."""
    suppressor_ended_at: datetime | None = None
    """When the suppressor that held back those actions left ALARM."""
    set_against: datetime | None = None
    """What the newest change under it was when a caller set its state: that stays until there is another."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MuteRule:
    """When alarms change their state without acting on it."""

    name: str
    arn: str
    description: str | None
    expression: str
    """`at(2026-01-05T14:00)` or `cron(0 2 * * SUN)`"""
    duration: str
    """`PT30M`"""
    timezone: str
    alarms: tuple[str, ...]
    updated_at: datetime
    begins_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """A line of an alarm's history."""

    alarm: str
    alarm_type: str
    """`MetricAlarm` or `CompositeAlarm`"""
    at: datetime
    number: int
    """Tells apart what happened at one instant."""
    type: str
    """`ConfigurationUpdate`, `StateUpdate` or `Action`"""
    summary: str
    data: str

    @property
    def key(self) -> str:
        """Key of the row: they sort by time."""
        return f"{self.at.isoformat()}|{self.number:06d}|{self.alarm}"
