"""One look at every alarm: the datapoints of its periods, its next state, what follows from it."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from miyabi.localcloud.control.cloudwatch.alarms import CloudWatch
from miyabi.localcloud.control.cloudwatch.described import json_time
from miyabi.localcloud.control.cloudwatch.reading import MetricReader
from miyabi.model.alarms import CompositeAlarm, MetricAlarm
from miyabi.model.metrics import AlarmState
from miyabi.policy.action_suppression import Suppressor, judge_actions
from miyabi.policy.alarm_rule import holds, parse_rule
from miyabi.policy.alarm_state import evaluation_range, next_state
from miyabi.policy.metric_math import BadExpression
from miyabi.policy.metric_math.values import Line
from miyabi.policy.statistics import is_told_by_few

log = logging.getLogger(__name__)

MINUTE = 60
_PASSES = 5
"""How deep composite alarms may lie on each other and still be right within one look."""


class Evaluation:
    """Evaluates alarms at boundaries of their periods."""

    def __init__(self, cloudwatch: CloudWatch) -> None:
        self._cloudwatch = cloudwatch
        self._broken: set[tuple[str, str]] = set()
        self.newest: dict[tuple[str, str], float | None] = {}
        """The newest datapoint of each alarm, by region and name; None = missing."""

    def evaluate(self, cadence: int, boundary: int, now: datetime) -> None:
        """Evaluate the alarms of a cadence at a boundary: they look at the periods that end there.

        cadence: in seconds; alarms with a period of a minute or more are due each minute, others at each end of theirs.
        boundary: a second of the loops' own time.
        """
        tables = self._cloudwatch.alarms
        for region in tables.metric.regions():
            reader = MetricReader(self._cloudwatch.database, region, own=self._cloudwatch.tempo.speed > 1)
            for alarm in tables.metric.list(region):
                if cadence_of(alarm) == cadence:
                    self._evaluate(region, alarm, reader, boundary, now)

    def compose(self, now: datetime) -> bool:
        """Bring composite alarms to what their rules say now, and take actions that were held back and are due.

        Returns whether some are held back still.
        """
        tables = self._cloudwatch.alarms
        held_back = False
        for region in tables.metric.regions():
            for alarm in tables.metric.list(region):
                self._cloudwatch.transitions.unmute(region, alarm, now)
                held_back = held_back or alarm.muted_from is not None
        for region in tables.composite.regions():
            for _ in range(_PASSES):
                changed = [self._compose(region, alarm, now) for alarm in tables.composite.list(region)]
                if not any(changed):
                    break
            waiting = [self._act(region, alarm, now) for alarm in tables.composite.list(region)]
            held_back = held_back or any(waiting)
        return held_back

    def _evaluate(self, region: str, alarm: MetricAlarm, reader: MetricReader, boundary: int, now: datetime) -> None:
        try:
            points = datapoints(alarm, reader, boundary)
        except BadExpression as error:
            if (region, alarm.name) not in self._broken:
                log.warning("the alarm %s cannot be evaluated: %s", alarm.name, error)
                self._broken.add((region, alarm.name))
            return
        self._broken.discard((region, alarm.name))
        self.newest[region, alarm.name] = points[-1]
        if stays_with_few_samples(alarm, reader, boundary):
            return
        found = next_state(alarm.rule, points, current=alarm.standing.state)
        if found.state is alarm.standing.state:
            return
        data = reason_data(alarm, points, boundary, self._cloudwatch.tempo.instant)
        self._cloudwatch.transitions.enter(region, alarm, found.state, found.reason, data, now)

    def _compose(self, region: str, alarm: CompositeAlarm, now: datetime) -> bool:
        """Return whether its state changed."""
        tables = self._cloudwatch.alarms
        holding = holds(parse_rule(alarm.expression), lambda name: tables.state_of(region, name))
        state = AlarmState.ALARM if holding else AlarmState.OK
        if state is alarm.standing.state:
            return False
        reason = f"The alarm rule {alarm.expression} is {'true' if holding else 'false'}."
        self._cloudwatch.transitions.enter(region, alarm, state, reason, "", now)
        return True

    def _act(self, region: str, alarm: CompositeAlarm, now: datetime) -> bool:
        """Take the actions that are due; return whether some are held back until later."""
        tables, tempo = self._cloudwatch.alarms, self._cloudwatch.tempo
        suppressor = None
        ended_at = alarm.suppressor_ended_at
        if alarm.suppressor is not None:
            found = tables.find(region, alarm.suppressor)
            in_alarm = found is not None and found.standing.state is AlarmState.ALARM
            if alarm.suppressed_by == "Alarm" and not in_alarm:
                ended_at = found.standing.transitioned_at if found is not None else now
            wait, extension = (timedelta(seconds=one) for one in (alarm.wait_seconds, alarm.extension_seconds))
            suppressor = Suppressor(in_alarm, ended_at, tempo.shortened(wait), tempo.shortened(extension))
        standing = alarm.standing
        if self._cloudwatch.mutes.muted_until(region, alarm.name, now) is not None:
            return True
        verdict = judge_actions(standing.state, alarm.acted_on, standing.transitioned_at, suppressor, now=now)
        after = dataclasses.replace(
            alarm,
            suppressed_by=verdict.suppressed_by,
            suppressed_reason=verdict.reason,
            suppressor_ended_at=ended_at,
            acted_on=standing.state if verdict.act else alarm.acted_on,
        )
        if after != alarm:
            tables.put(region, after)
        if verdict.act:
            self._cloudwatch.transitions.act(region, after, alarm.acted_on, now)
        return verdict.suppressed_by in {"WaitPeriod", "ExtensionPeriod"}


def cadence_of(alarm: MetricAlarm) -> int:
    """Return how often an alarm is evaluated, in seconds."""
    return min(alarm.period_seconds, MINUTE)


def datapoints(alarm: MetricAlarm, reader: MetricReader, boundary: int) -> list[float | None]:
    """Return the values of the evaluation range, oldest first; None where there is none. BadExpression."""
    period = alarm.period_seconds
    begin = boundary - evaluation_range(alarm.rule) * period
    if alarm.watched.stat is not None:
        points = reader.line(alarm.watched.stat, begin, boundary)
    else:
        value = reader.values(alarm.queries, begin, boundary, period, aligned=False)[alarm.watched.id]
        if not isinstance(value, Line):
            raise BadExpression(f"the expression of {alarm.name} is not one time series")
        points = dict(value.points)
    return [points.get(at) for at in range(begin, boundary, period)]


def stays_with_few_samples(alarm: MetricAlarm, reader: MetricReader, boundary: int) -> bool:
    """Say whether the alarm ignores a percentile of so few samples; of none, its datapoints are missing."""
    stat = alarm.watched.stat
    if stat is None or alarm.asked.get("EvaluateLowSampleCountPercentile") != "ignore":
        return False
    begin = boundary - alarm.rule.evaluation_periods * stat.period_seconds
    counts = reader.line(dataclasses.replace(stat, statistic="SampleCount"), begin, boundary)
    return bool(counts) and is_told_by_few(stat.statistic, sum(counts.values()))


def reason_data(
    alarm: MetricAlarm,
    points: Sequence[float | None],
    boundary: int,
    instant: Callable[[float], datetime],
) -> str:
    """Return StateReasonData: what the state was told from."""
    stat = alarm.watched.stat
    recent = list(points[-alarm.rule.evaluation_periods :])
    first = boundary - len(recent) * alarm.period_seconds
    shape = {
        "version": "1.0",
        "queryDate": json_time(instant(boundary)),
        "startDate": json_time(instant(first)),
        **({"statistic": stat.statistic} if stat else {}),
        **({"unit": stat.unit} if stat and stat.unit else {}),
        "period": alarm.period_seconds,
        "recentDatapoints": [value for value in recent if value is not None],
        "threshold": alarm.rule.threshold,
        "evaluatedDatapoints": [
            {"timestamp": json_time(instant(first + number * alarm.period_seconds))}
            | ({} if value is None else {"value": value})
            for number, value in reversed(list(enumerate(recent)))
        ],
    }
    return json.dumps(shape)
