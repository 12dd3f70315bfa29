"""The functions of metric math."""

from __future__ import annotations

import math
import statistics
from bisect import bisect
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from typing import Final

from miyabi.policy.metric_math.parser import BadExpression
from miyabi.policy.metric_math.values import Line, Value, worth


def lines(value: Value) -> list[Line]:
    """Return the time series that a value is. BadExpression: it is a number."""
    if isinstance(value, Line):
        return [value]
    if isinstance(value, list):
        return value
    raise BadExpression("A time series is needed where the expression has a number")


def number(value: Value) -> float:
    """Return the number that a value is. BadExpression: it is a time series."""
    if isinstance(value, float):
        return value
    raise BadExpression("A number is needed where the expression has a time series")


def each(value: Value, act: Callable[[Line], Line]) -> Value:
    """Apply a function to the time series, or to each of several."""
    return [act(line) for line in value] if isinstance(value, list) else act(*lines(value))


def fill_with(line: Line, slots: Iterable[int], value: Value) -> Line:
    """Return the series with its missing periods filled by a number, or by another series."""
    other = value.points if isinstance(value, Line) else dict.fromkeys(slots, number(value))
    return Line.of(line.label, sorted({**other, **line.points}.items()))


def fill_from_neighbours(line: Line, slots: Iterable[int], way: str) -> Line:
    """Return the series with gaps filled by the value before (REPEAT) or on the way to the next (LINEAR)."""
    known = sorted(line.points)
    found = dict(line.points)
    for at in slots:
        place = bisect(known, at)
        if at in found or place == 0:
            continue
        before = known[place - 1]
        if way == "REPEAT":
            found[at] = line.points[before]
        elif place < len(known):
            after = known[place]
            share = (at - before) / (after - before)
            found[at] = line.points[before] * (1 - share) + line.points[after] * share
    return Line(line.label, dict(sorted(found.items())))


def choose(condition: Value, yes: Value, no: Value | None) -> Value:
    """Return for each period what the condition chooses; without an alternative nothing where it does not hold."""
    nothing: Value = Line("", {})
    no = nothing if no is None else no
    if isinstance(condition, float):
        if math.isnan(condition):
            return math.nan if isinstance(yes, float) and isinstance(no, float) else nothing
        return yes if condition else no
    if any(isinstance(one, list) for one in (condition, yes, no)):
        raise BadExpression("IF chooses between numbers and single time series")
    (judged,) = lines(condition)
    return Line.of(judged.label, ((at, _at(yes if held else no, at)) for at, held in judged.points.items()))


def _at(value: Value, at: int) -> float:
    if isinstance(value, Line):
        return value.points.get(at, math.nan)
    return number(value)


def _reduced(act: Callable[[Sequence[float]], float]) -> Callable[[Value], Value]:
    """One series becomes a number, several become one series, a number stays."""

    def reduce(value: Value) -> Value:
        if isinstance(value, float):
            return value
        if isinstance(value, Line):
            return _over(act, list(value.points.values())) if value.points else math.nan
        columns: dict[int, list[float]] = {}
        for line in value:
            for at, one in line.points.items():
                columns.setdefault(at, []).append(one)
        return Line.of("", ((at, _over(act, columns[at])) for at in sorted(columns)))

    return reduce


def _over(act: Callable[[Sequence[float]], float], values: Sequence[float]) -> float:
    return worth(lambda *given: act(given), *values)


def _mapped(act: Callable[[float], float]) -> Callable[[Value], Value]:
    def apply(value: Value) -> Value:
        if isinstance(value, float):
            return worth(act, value)
        return each(value, lambda line: Line.of(line.label, ((at, worth(act, one)) for at, one in line.points.items())))

    return apply


def _steps(act: Callable[[float, float, float, float], float]) -> Callable[[Value], Value]:
    """From the second datapoint on, something of it and of the one before."""

    def apply(value: Value) -> Value:
        return each(
            value,
            lambda line: Line.of(
                line.label,
                (
                    (after, worth(act, before, one, after, other))
                    for (before, one), (after, other) in pairwise(line.points.items())
                ),
            ),
        )

    return apply


def _clocked(act: Callable[[datetime], float]) -> Callable[[Value], Value]:
    return lambda value: each(
        value, lambda line: Line(line.label, {at: float(act(datetime.fromtimestamp(at, UTC))) for at in line.points})
    )


def _running_sum(value: Value) -> Value:
    return each(
        value, lambda line: Line.of(line.label, zip(line.points, accumulate(line.points.values()), strict=True))
    )


def _edge(place: int) -> Callable[[Value], Value]:
    def take(value: Value) -> Value:
        if isinstance(value, list):
            return value[place] if value else Line("", {})
        (line,) = lines(value)
        return list(line.points.values())[place] if line.points else math.nan

    return take


def _slice(value: Value, begin: Value, end: Value | None = None) -> Value:
    first = int(number(begin))
    found = lines(value)[first : None if end is None else int(number(end))]
    return found[0] if end is None and len(found) == 1 else found


def ranked(value: Value, function: str, order: str, most: int | None = None) -> list[Line]:
    """Return several series by the average, sum, ... of each, at most so many; those that have none come last."""
    if function not in {"AVG", "MAX", "MIN", "SUM"} or order not in {"ASC", "DESC"} or (most is not None and most < 1):
        raise BadExpression("SORT takes time series, AVG, MAX, MIN or SUM, ASC or DESC, and how many to return")
    worths = [(number(PLAIN[function](line)), line) for line in lines(value)]
    known = [one for one in worths if not math.isnan(one[0])]
    known.sort(key=lambda one: one[0], reverse=order == "DESC")
    return [line for _, line in [*known, *(one for one in worths if math.isnan(one[0]))]][:most]


PLAIN: Final[Mapping[str, Callable[..., Value]]] = {
    "ABS": _mapped(abs),
    "AVG": _reduced(statistics.fmean),
    "CEIL": _mapped(math.ceil),
    "DATAPOINT_COUNT": _reduced(len),
    "DATE": _clocked(lambda at: at.day),
    "DAY": _clocked(lambda at: at.isoweekday()),
    "DIFF": _steps(lambda _before, one, _after, other: other - one),
    "DIFF_TIME": _steps(lambda before, _one, after, _other: float(after - before)),
    "EPOCH": _clocked(lambda at: at.timestamp()),
    "FIRST": _edge(0),
    "FLOOR": _mapped(math.floor),
    "HOUR": _clocked(lambda at: at.hour),
    "LAST": _edge(-1),
    "LOG": _mapped(math.log),
    "LOG10": _mapped(math.log10),
    "MAX": _reduced(max),
    "METRIC_COUNT": lambda value: float(len(lines(value))),
    "MIN": _reduced(min),
    "MINUTE": _clocked(lambda at: at.minute),
    "MONTH": _clocked(lambda at: at.month),
    "RATE": _steps(lambda before, one, after, other: (other - one) / (after - before)),
    "REMOVE_EMPTY": lambda value: [line for line in lines(value) if line.points],
    "RUNNING_SUM": _running_sum,
    "SLICE": _slice,
    "STDDEV": _reduced(statistics.pstdev),
    "SUM": _reduced(math.fsum),
    "YEAR": _clocked(lambda at: at.year),
}
