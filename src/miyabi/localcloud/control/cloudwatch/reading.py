"""Statistics of stored metrics, by period."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from miyabi.localcloud.control.cloudwatch.database import MetricDatabase, Row, Series, sorted_dimensions
from miyabi.model.alarms import MetricQuery, MetricStat
from miyabi.model.metrics import Sample
from miyabi.policy.metric_math import BadExpression, Frame, evaluate, names_in, parse
from miyabi.policy.metric_math.values import Line, Value
from miyabi.policy.statistics import statistic

_PLAIN = {"SampleCount", "Average", "Sum", "Minimum", "Maximum"}
_MINUTE = 60
_ROW_COSTS = 3
"""A row, or a datapoint, costs as much time as so many values in one."""
_QUOTED = re.compile(r'"([^"]*)"|(\S+)')


class TooMuchData(Exception):
    """Reading all that was asked for would keep the control plane from its other work."""


class MetricReader:
    """Reads the public series of a region, or with `own` those of the evaluator."""

    def __init__(
        self,
        database: MetricDatabase,
        region: str,
        *,
        own: bool = False,
        most_values: float = math.inf,
        fine_since: int = 0,
    ) -> None:
        """Read on.

        most_values: how many samples' values all that is read may have; beyond that `TooMuchData`.
        fine_since: the second from which on periods shorter than a minute are told.
        """
        self._database = database
        self._region = region
        self._own = own
        self._left = most_values
        self._fine_since = fine_since

    def line(self, stat: MetricStat, begin: int, end: int) -> dict[int, float]:
        """Return a statistic by the beginning of its periods, counted from begin; what has no data is left out.

        Without a unit the samples of all units count together.
        """
        return self._line(self.series(stat), stat.statistic, stat.period_seconds, begin, end)

    def series(self, stat: MetricStat) -> list[Series]:
        """Return the series of a metric, one for each of its units."""
        dimensions = sorted_dimensions(stat.dimensions)
        named = Series(self._region, stat.namespace, stat.name, dimensions, stat.unit or "", self._own)
        return [named] if stat.unit else self._database.units(named)

    def values(
        self, queries: Sequence[MetricQuery], begin: int, end: int, period: int, *, aligned: bool = True
    ) -> dict[str, Value]:
        """Return what each query is worth, by its id. BadExpression.

        period: of expressions that have none of their own and are made of no metric. aligned: periods are counted from
        1970, not from begin.
        """
        metrics: dict[str, Line] = {}
        for query in queries:
            if query.stat is not None:
                first = begin - (begin % query.stat.period_seconds if aligned else 0)
                metrics[query.id] = Line(query.label or query.stat.name, self.line(query.stat, first, end))
        values: dict[str, Value] = dict(metrics)
        periods = {query.id: query.stat.period_seconds for query in queries if query.stat is not None}
        waiting = {query.id: query for query in queries if query.expression is not None}
        trees = {name: parse(query.expression or "") for name, query in waiting.items()}
        for name in _in_order(trees):
            query = waiting[name]
            used = [periods[one] for one in names_in(trees[name]) if one in periods] or list(periods.values())
            periods[name] = query.period_seconds or min(used, default=period)
            frame = Frame(
                begin - (begin % periods[name] if aligned else 0),
                end,
                periods[name],
                metrics,
                values,
                periods,
                lambda text, named, every: self._search(text, named, every, begin, end),
            )
            value = values[name] = _labelled(evaluate(trees[name], frame), query.label or query.id)
            self._spend(_ROW_COSTS * sum(len(one.points) for one in _lines(value)))
        return values

    def _line(self, series: Sequence[Series], name: str, period: int, begin: int, end: int) -> dict[int, float]:
        if period < _MINUTE and begin < self._fine_since:
            begin += math.ceil((self._fine_since - begin) / period) * period
        if name not in _PLAIN:
            return self._percentile(series, name, period, begin, end)
        place = {"SampleCount": 1, "Sum": 2, "Minimum": 3, "Maximum": 4}.get(name)
        found = {}
        for row in self._database.aggregate(series, begin, end, period):
            self._spend(_ROW_COSTS * row[5])
            found[begin + row[0] * period] = row[2] / row[1] if place is None else row[place]
        return found

    def _percentile(self, series: Sequence[Series], name: str, period: int, begin: int, end: int) -> dict[int, float]:
        rows = self._database.read(series, begin, end, period)
        found = {}
        for number, group in groupby(rows, lambda row: (row[0] - begin) // period):
            value = statistic(name, self._samples(group))
            if value is not None:
                found[begin + number * period] = value
        return found

    def _samples(self, rows: Iterable[Row]) -> Iterator[Sample]:
        for _, _, sample in rows:
            self._spend(_ROW_COSTS + len(sample.values))
            yield sample

    def _spend(self, values: float) -> None:
        self._left -= values
        if self._left < 0:
            raise TooMuchData

    def _search(self, text: str, name: str, period: int, begin: int, end: int) -> list[Line]:
        """Find metrics as SEARCH does: `{Namespace,Dimension,...} words`; all words must be in names or values."""
        schema, _, words = text.rpartition("}")
        parts = [one.strip().strip('"') for one in schema.lstrip(" {").split(",")] if schema else []
        wanted = [(one or other).lower() for one, other in _QUOTED.findall(words) if (one or other).upper() != "AND"]
        first = begin - begin % period
        found: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[Series]] = {}
        for one in self._database.listed(self._region, parts[0] if parts else None, None, begin - 3 * 3600):
            if parts and sorted(parts[1:]) != [key for key, _ in one.dimensions]:
                continue
            if all(_matches(word, one) for word in wanted):
                found.setdefault((one.namespace, one.name, one.dimensions), []).append(one)
        return [
            Line(" ".join([*(value for _, value in group[0].dimensions), group[0].name]), points)
            for group in found.values()
            if (points := self._line(group, name, period, first, end))
        ]


def _matches(word: str, series: Series) -> bool:
    key, _, value = word.partition("=")
    if value:
        value = value.strip('"')
        named = {"metricname": series.name, "namespace": series.namespace}
        named |= {name.lower(): held for name, held in series.dimensions}
        return named.get(key, "").lower() == value
    texts = (series.name, series.namespace, *(one for pair in series.dimensions for one in pair))
    return any(word in one.lower() for one in texts)


def _lines(value: Value) -> list[Line]:
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, Line) else []


def _labelled(value: Value, label: str) -> Value:
    return Line(label, value.points) if isinstance(value, Line) else value


def _in_order(trees: Mapping[str, object]) -> Iterable[str]:
    """Return the expressions' ids, each after those that it uses. BadExpression: they use each other in a circle."""
    uses = {name: names_in(tree) & trees.keys() for name, tree in trees.items()}  # type: ignore[arg-type]
    done: list[str] = []
    while uses:
        ready = [name for name, used in uses.items() if used <= set(done)]
        if not ready:
            raise BadExpression(f"Circular dependency of the expressions {', '.join(sorted(uses))}")
        done += ready
        uses = {name: used for name, used in uses.items() if name not in ready}
    return done
