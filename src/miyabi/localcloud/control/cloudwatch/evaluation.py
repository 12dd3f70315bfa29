"""One look at every alarm: the datapoints of its periods, its next state, what follows from it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from miyabi.localcloud.control.cloudwatch.alarms import CloudWatch
from miyabi.localcloud.control.cloudwatch.described import json_time
from miyabi.localcloud.control.cloudwatch.reading import MetricReader
from miyabi.localcloud.control.cloudwatch.tables import Alarm
from miyabi.model.alarms import CompositeAlarm, MetricAlarm
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
        self._broken: dict[tuple[str, str, str], str] = {}
        """What cannot be done with an alarm, and why: it is logged once."""
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
                    with self._apart(region, alarm, "evaluated"):
                        self._evaluate(region, alarm, reader, boundary, now)

    def compose(self, now: datetime) -> bool:
        """Bring composite alarms to what their rules say now, and take actions that were held back and are due.

        Returns whether some are held back still.
        """
        tables = self._cloudwatch.alarms
        held_back = False
        for region in tables.metric.regions():
            for alarm in tables.metric.list(region):
                if alarm.muted_from is None:
                    continue
                held_back = True
                with self._apart(region, alarm, "unmuted"):
                    self._cloudwatch.transitions.unmute(region, alarm, now)
        for region in tables.composite.regions():
            stopped = self._cloudwatch.composites.on_cycles(region)
            for _ in range(_PASSES):
                composites = [alarm for alarm in tables.composite.list(region) if alarm.name not in stopped]
                changed = [self._compose(region, alarm, now) for alarm in composites]
                if not any(changed):
                    break
            for composite in tables.composite.list(region):
                with self._apart(region, composite, "acted on"):
                    held_back = self._cloudwatch.composites.act(region, composite, now) or held_back
        return held_back

    @contextlib.contextmanager
    def _apart(self, region: str, alarm: Alarm, done: str) -> Iterator[None]:
        """Let a failure inside concern this alarm alone: what was written for it is taken back."""
        key, store = (region, alarm.name, done), self._cloudwatch.alarms.store
        try:
            with store.savepoint():
                yield
        except Exception as error:
            if isinstance(error, sqlite3.Error) and not store.connection.in_transaction:
                raise  # a full disk has ended what the others wrote too
            text = f"{type(error).__name__}: {error}"
            if self._broken.get(key) != text:
                known = isinstance(error, BadExpression)
                log.warning("the alarm %s cannot be %s: %s", alarm.name, done, text, exc_info=None if known else error)
            self._broken[key] = text
        else:
            self._broken.pop(key, None)

    def _evaluate(self, region: str, alarm: MetricAlarm, reader: MetricReader, boundary: int, now: datetime) -> None:
        self.newest.pop((region, alarm.name), None)
        points = datapoints(alarm, reader, boundary)
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
        with self._apart(region, alarm, "evaluated"):
            return self._cloudwatch.composites.evaluate(region, alarm, now)
        return False


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
