"""What an expression is worth: a number, a time series, or several."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from miyabi.policy.metric_math import functions
from miyabi.policy.metric_math.parser import Array, BadExpression, Call, Name, Node, Number, Operation, Text, parse
from miyabi.policy.metric_math.values import Line, Value, worth
from miyabi.policy.statistics import is_period

_OPERATORS: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "&&": lambda one, other: bool(one) and bool(other),
    "||": lambda one, other: bool(one) or bool(other),
}

_MOST_SLOTS: Final = 100_800
"""Datapoints that GetMetricData returns at most in one call."""

Search = Callable[[str, str, int], Sequence[Line]]
"""Search text, statistic, period in seconds → the metrics found."""


def _search_nothing(_text: str, _statistic: str, _period: int) -> Sequence[Line]:
    return ()


@dataclass(frozen=True, slots=True)
class Frame:
    """What an expression is evaluated over."""

    begin: int
    """Seconds since 1970, as `end`: the periods from begin to before end."""
    end: int
    period: int
    metrics: Mapping[str, Line] = field(default_factory=dict)
    """Those that the request names, by id: what METRICS() means."""
    values: Mapping[str, Value] = field(default_factory=dict)
    """Everything that an id stands for: metrics and expressions that were evaluated before."""
    periods: Mapping[str, int] = field(default_factory=dict)
    """Those of ids, where they have their own."""
    search: Search = _search_nothing

    @property
    def slots(self) -> range:
        """The beginnings of all periods. BadExpression: they are more than a call may return."""
        found = range(self.begin, self.end, self.period)
        if len(found) > _MOST_SLOTS:
            raise BadExpression(f"The time range has more than {_MOST_SLOTS} periods of {self.period} seconds")
        return found


def evaluate(expression: Node | str, frame: Frame) -> Value:
    """Return the value: a float, a Line, or a list of lines. BadExpression."""
    node = parse(expression) if isinstance(expression, str) else expression
    match node:
        case Number(value):
            return value
        case Name(name):
            if name not in frame.values:
                raise BadExpression(f"The id '{name}' in the expression is not defined")
            return frame.values[name]
        case Array(items):
            return [line for one in items for line in functions.lines(evaluate(one, frame))]
        case Operation(sign, left, right):
            return _operate(_OPERATORS[sign], evaluate(left, frame), evaluate(right, frame))
        case Call(function):
            try:
                return _call(node, frame)
            except BadExpression:
                raise
            except (ValueError, ArithmeticError, TypeError) as error:
                raise BadExpression(f"The arguments of {function} do not fit") from error
        case Text(value):
            raise BadExpression(f"The text '{value}' stands where a value is needed")
    raise BadExpression("The expression cannot be evaluated")


def _call(call: Call, frame: Frame) -> Value:  # noqa: C901, PLR0911 - one case a function
    match call.function, call.arguments:
        case "SEARCH", (Text(text), Text(statistic)):
            return list(frame.search(text, statistic, frame.period))
        case "SEARCH", (Text(text), Text(statistic), Number(period)) if is_period(period):
            return list(frame.search(text, statistic, int(period)))
        case "METRICS", ():
            return list(frame.metrics.values())
        case "METRICS", (Text(text),):
            return [line for name, line in frame.metrics.items() if text in name]
        case "FILL", (filled, Name(word)) if word.upper() in {"REPEAT", "LINEAR"}:
            slots = frame.slots
            return functions.each(
                evaluate(filled, frame), lambda line: functions.fill_from_neighbours(line, slots, word.upper())
            )
        case "FILL", (filled, by):
            value = evaluate(by, frame)
            slots = frame.slots
            return functions.each(evaluate(filled, frame), lambda line: functions.fill_with(line, slots, value))
        case "TIME_SERIES", (one,):
            number = functions.number(evaluate(one, frame))
            return Line.of("", ((at, number) for at in frame.slots))
        case "PERIOD", (Name(name),) if name in frame.values:
            return float(frame.periods.get(name, frame.period))
        case "SORT", (unsorted, Name(function), Name(order), *limit):
            most = int(functions.number(evaluate(limit[0], frame))) if limit else None
            return functions.ranked(evaluate(unsorted, frame), function.upper(), order.upper(), most)
        case "IF", (condition, yes, *no):
            return functions.choose(
                evaluate(condition, frame), evaluate(yes, frame), evaluate(no[0], frame) if no else None
            )
    plain = functions.PLAIN.get(call.function)
    if plain is None:
        raise BadExpression(f"The function {call.function} is not offered, or not with these arguments")
    return plain(*(evaluate(one, frame) for one in call.arguments))


def _operate(act: Callable[[float, float], float], left: Value, right: Value) -> Value:
    if isinstance(left, list):
        return [one for line in left for one in functions.lines(_operate(act, line, right))]
    if isinstance(right, list):
        return [one for line in right for one in functions.lines(_operate(act, left, line))]
    match left, right:
        case Line(), Line():
            common = sorted(left.points.keys() & right.points.keys())
            return Line.of(left.label, ((at, worth(act, left.points[at], right.points[at])) for at in common))
        case Line(), float():
            return Line.of(left.label, ((at, worth(act, value, right)) for at, value in left.points.items()))
        case float(), Line():
            return Line.of(right.label, ((at, worth(act, left, value)) for at, value in right.points.items()))
        case float(), float():
            return worth(act, left, right)
    raise BadExpression("The terms of an operator do not fit")
