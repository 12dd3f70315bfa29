"""Operations on metrics: putting samples in, listing, and statistics of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from miyabi.localcloud.control.cloudwatch import asked
from miyabi.localcloud.control.cloudwatch.asked import combination, invalid
from miyabi.localcloud.control.cloudwatch.database import MetricDatabase, Series, sorted_dimensions
from miyabi.localcloud.control.cloudwatch.paging import page, page_start
from miyabi.localcloud.control.cloudwatch.reading import MetricReader, TooMuchData
from miyabi.localcloud.control.service import ApiError, Caller, LiveService, Params, Result
from miyabi.model.alarms import MetricQuery, MetricStat
from miyabi.model.metrics import Kind, Measurement, Sample
from miyabi.policy.custom_metrics import takes_namespace
from miyabi.policy.embedded_metrics import MARK, embedded_metrics
from miyabi.policy.metric_math import BadExpression
from miyabi.policy.metric_math.values import Line, Value
from miyabi.policy.tempo import Tempo

_MOST_DATA = 1000
_MOST_DATAPOINTS = 1440
_PAGE = 500
_MOST_RETURNED = 100_800
_MOST_VALUES = 3_000_000
"""About five seconds of the worker's time."""
_KEPT, _FINE = timedelta(days=455), timedelta(hours=3)
_OLDEST, _NEWEST = timedelta(weeks=2), timedelta(hours=2)
_LISTED = timedelta(weeks=2)
_ACTIVE = timedelta(hours=3)
_TOO_MUCH = "The request reads too much data at once. Ask for a shorter time range or for fewer metrics."
_ROUNDINGS = ((timedelta(days=63), 3600), (timedelta(days=15), 300), (timedelta(), 60))


@dataclass(frozen=True, slots=True)
class Datum:
    """A sample on its way into a public series."""

    region: str
    namespace: str
    name: str
    dimensions: Mapping[str, str]
    unit: str
    at: datetime
    sample: Sample
    width: int = 60


class Metrics(LiveService):
    """The metrics of CloudWatch. Stock moto answers what is not defined here: dashboards above all."""

    name: ClassVar[str] = "cloudwatch"
    whole: ClassVar[bool] = False
    large: ClassVar[bool] = True

    def __init__(self, database: MetricDatabase, tempo: Tempo, clock: Callable[[], datetime]) -> None:
        self.database = database
        self.tempo = tempo
        self.clock = clock

    def put_metric_data(self, caller: Caller, params: Params) -> Result:
        """Take samples of the caller's own metrics."""
        namespace = params["Namespace"]
        if not takes_namespace(namespace):
            raise invalid(f"The value {namespace} for parameter Namespace is invalid.")
        data = list(params.get("MetricData") or [])
        for entity in params.get("EntityMetricData") or []:
            data += entity.get("MetricData") or []
        if not data:
            raise ApiError("MissingParameter", "The parameter MetricData is required.")
        if len(data) > _MOST_DATA:
            raise invalid(f"The collection MetricData must not have a size greater than {_MOST_DATA}.")
        self.record([_datum(caller, namespace, one) for one in data])
        return {}

    def list_metrics(self, caller: Caller, params: Params) -> Result:
        """List the metrics that had a sample in the last two weeks, or in the last three hours."""
        span = _ACTIVE if params.get("RecentlyActive") else _LISTED
        since = int((caller.now - span).timestamp())
        wanted = params.get("Dimensions") or []
        found: dict[tuple[str, str, tuple[tuple[str, str], ...]], None] = {}
        for one in self.database.listed(caller.region, params.get("Namespace"), params.get("MetricName"), since):
            held = dict(one.dimensions)
            if all(_has(held, each) for each in wanted):
                found[one.namespace, one.name, one.dimensions] = None
        shown, token = page(list(found), params.get("NextToken"), _PAGE)
        metrics = [
            {"Namespace": space, "MetricName": name, "Dimensions": [{"Name": k, "Value": v} for k, v in held]}
            for space, name, held in shown
        ]
        return {"Metrics": metrics, **token}

    def get_metric_statistics(self, caller: Caller, params: Params) -> Result:
        """Return statistics of one metric; its periods are counted from the start time, rounded down."""
        period = asked.period(params["Period"])
        names = [*(params.get("Statistics") or ()), *(params.get("ExtendedStatistics") or ())]
        if not names:
            raise ApiError("MissingParameter", "Either Statistics or ExtendedStatistics is required.")
        begin, end = asked.instant(params["StartTime"]), asked.instant(params["EndTime"])
        if begin >= end:
            raise combination("The parameter StartTime must be less than the parameter EndTime.")
        first = _rounded_start(begin, period, caller.now)
        last = math.ceil(end.timestamp())
        count = math.ceil((last - first) / period)
        if count > _MOST_DATAPOINTS:
            raise combination(
                f"You have requested up to {count} datapoints, which exceeds the limit of {_MOST_DATAPOINTS}. "
                "You may reduce the datapoints requested by increasing Period, or decreasing the time range."
            )
        held = asked.dimensions(params.get("Dimensions"))
        reader = self._reader(caller)
        named = MetricStat(params["Namespace"], params["MetricName"], held, period, "Average", params.get("Unit"))
        points: list[Params] = []
        try:
            for unit in dict.fromkeys(series.unit for series in reader.series(named)):
                lines = {
                    name: reader.line(
                        dataclasses.replace(named, statistic=asked.statistic_name(name), unit=unit), first, last
                    )
                    for name in names
                }
                points += _datapoints(lines, unit)
        except TooMuchData as error:
            raise combination(_TOO_MUCH) from error
        return {"Label": params["MetricName"], "Datapoints": points}

    def get_metric_data(self, caller: Caller, params: Params) -> Result:
        """Return metrics and expressions over them; more than the allowed datapoints come with a token."""
        queries = asked.queries(params["MetricDataQueries"])
        begin, end = asked.instant(params["StartTime"]), asked.instant(params["EndTime"])
        if begin >= end:
            raise ApiError("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
        begin = max(begin, caller.now - _KEPT)
        reader = self._reader(caller)
        try:
            values = reader.values(queries, int(begin.timestamp()), math.ceil(end.timestamp()), 60)
        except TooMuchData as error:
            raise ApiError("ValidationError", _TOO_MUCH) from error
        except BadExpression as error:
            raise ApiError("ValidationError", f"Error in expression: {error}") from error
        newest_first = params.get("ScanBy") != "TimestampAscending"
        results = [
            (query.id, line.label, sorted(line.points.items(), reverse=newest_first))
            for query in queries
            if query.return_data
            for line in _lines(query, values[query.id])
        ]
        most = min(params.get("MaxDatapoints") or _MOST_RETURNED, _MOST_RETURNED)
        skipped = page_start(params.get("NextToken"), sum(len(points) for _, _, points in results))
        shown, token = _cut(results, skipped, most)
        return {"MetricDataResults": shown, "Messages": [], **token}

    def _reader(self, caller: Caller) -> MetricReader:
        fine_since = int((caller.now - _FINE).timestamp())
        return MetricReader(self.database, caller.region, most_values=_MOST_VALUES, fine_since=fine_since)

    def record(self, data: Iterable[Datum]) -> None:
        """Store samples in their public series, and where loops run faster in the evaluator's own."""
        given = list(data)
        points = [(_series(one), _floor(one.at.timestamp(), one.width), one.width, one.sample) for one in given]
        if self.tempo.speed > 1:
            points += [
                (
                    _series(one, own=True),
                    _floor(self.tempo.seconds(one.at), one.width),
                    one.width,
                    self._weighted(one.sample),
                )
                for one in given
            ]
        self.database.write(points)

    def heard(self, region: str, messages: Iterable[str]) -> None:
        """Take the metrics that log events carry in the embedded metric format."""
        now = self.clock()
        found = [one for message in messages if MARK in message for one in embedded_metrics(message, now=now)]
        if found:
            self.record(
                Datum(region, one.namespace, one.name, one.dimensions, one.unit, one.at, one.sample, one.width)
                for one in found
            )

    def measured(self, measurements: Iterable[Measurement], began: int, width: int) -> None:
        """Store what samplers found in a period.

        began: its first second, in the loops' own time. width: 60, or 1 for what is kept once a second.
        """
        found = list(measurements)
        at = int(self.tempo.instant(began).timestamp())
        points = [(_series(one), _floor(at, width), width, one.sample) for one in found]
        if self.tempo.speed > 1:
            points += [(_series(one, own=True), began, width, self._scaled(one)) for one in found]
        self.database.write(points)

    def _scaled(self, measured: Measurement) -> Sample:
        match measured.kind:
            case Kind.SPREAD:
                return self._weighted(measured.sample)
            case Kind.COUNT:
                one, speed = measured.sample, self.tempo.speed
                values = tuple((value * speed, count) for value, count in one.values)
                return Sample(one.count, one.total * speed, one.minimum * speed, one.maximum * speed, values)
        return measured.sample

    def _weighted(self, one: Sample) -> Sample:
        speed = self.tempo.speed
        values = tuple((value, count * speed) for value, count in one.values)
        return Sample(one.count * speed, one.total * speed, one.minimum, one.maximum, values)


def _has(held: Mapping[str, str], wanted: Params) -> bool:
    """Say whether dimensions have one of a name, and of a value where that is given."""
    value = held.get(wanted["Name"])
    return value is not None and (wanted.get("Value") or value) == value


def _series(one: Datum | Measurement, *, own: bool = False) -> Series:
    return Series(one.region, one.namespace, one.name, sorted_dimensions(one.dimensions), one.unit, own)


def _floor(seconds: float, width: int) -> int:
    return int(seconds // width) * width


def _datum(caller: Caller, namespace: str, given: Params) -> Datum:
    at = asked.instant(given["Timestamp"]) if given.get("Timestamp") else caller.now
    if not caller.now - _OLDEST <= at <= caller.now + _NEWEST:
        raise invalid(f"The parameter MetricData.member.Timestamp must be within the last two weeks: {at.isoformat()}.")
    width = given.get("StorageResolution") or 60
    if width not in {1, 60}:
        raise invalid("The parameter StorageResolution must be 1 or 60.")
    held = asked.dimensions(given.get("Dimensions"))
    return Datum(
        caller.region, namespace, given["MetricName"], held, given.get("Unit") or "None", at, asked.sample(given), width
    )


def _rounded_start(begin: datetime, period: int, now: datetime) -> int:
    """Return the start time rounded down: to the minute, and to more where only coarser data is kept."""
    seconds = int(begin.timestamp())
    if period < 60:
        return seconds - seconds % period
    step = next(step for age, step in _ROUNDINGS if now - begin >= age or step == 60)
    return seconds - seconds % step


def _datapoints(lines: Mapping[str, Mapping[int, float]], unit: str) -> Iterator[Params]:
    for at in sorted(set().union(*lines.values())):
        point: Params = {"Timestamp": datetime.fromtimestamp(at, UTC)}
        extended = {}
        for name, line in lines.items():
            if at not in line:
                continue
            if name.startswith("p"):
                extended[name] = line[at]
            else:
                point[name] = line[at]
        yield point | ({"ExtendedStatistics": extended} if extended else {}) | {"Unit": unit}


def _lines(query: MetricQuery, value: Value) -> Sequence[Line]:
    if isinstance(value, Line):
        return [Line(query.label or value.label, value.points)]
    if isinstance(value, list):
        return value
    raise ApiError("ValidationError", f"The expression '{query.id}' is a number: only time series can be returned.")


_Result = tuple[str, str, list[tuple[int, float]]]


def _cut(results: Sequence[_Result], skipped: int, most: int) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return a page of datapoints, and the token for the next where there is one."""
    shown, seen = [], 0
    for name, label, points in results:
        begin = max(skipped - seen, 0)
        end = skipped + most - seen
        seen += len(points)
        part = points[begin : max(end, begin)]
        if part or (not points and not skipped):
            shown.append(
                {
                    "Id": name,
                    "Label": label,
                    "Timestamps": [datetime.fromtimestamp(at, UTC) for at, _ in part],
                    "Values": [value for _, value in part],
                    "StatusCode": "Complete" if end >= len(points) else "PartialData",
                }
            )
    return shown, {"NextToken": str(skipped + most)} if seen > skipped + most else {}
