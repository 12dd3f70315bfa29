"""What expressions over metrics are worth."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.policy.metric_math import BadExpression, Frame, evaluate, names_in, parse
from miyabi.policy.metric_math.functions import PLAIN, lines
from miyabi.policy.metric_math.values import Line, Value

A = Line("a", {0: 1.0, 60: 2.0, 120: 4.0})
B = Line("b", {0: 2.0, 120: 0.0})
NONE = Line("none", {})
VALUES: dict[str, Value] = {"a": A, "b": B, "hourly": A, "none": NONE, "both": [A, B], "nothing": []}
FRAME = Frame(0, 240, 60, {"a": A, "b": B}, VALUES, {"hourly": 3600})


def worth(expression: str) -> Any:
    found: Value = evaluate(expression, FRAME)
    match found:
        case Line():
            return dict(found.points)
        case list():
            return [dict(line.points) for line in found]
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("2 + 3 * 4 ^ 2 / 8 - -1", 9.0),
        ("(2 + 3) * 4", 20.0),
        ("-2 ^ 2", -4.0),
        ("a * 100", {0: 100.0, 60: 200.0, 120: 400.0}),
        ("a / b", {0: 0.5}),
        ("a + b", {0: 3.0, 120: 4.0}),
        ("a > 1 && a < 4", {0: 0.0, 60: 1.0, 120: 0.0}),
        ("a >= 2 OR a == 1", {0: 1.0, 60: 1.0, 120: 1.0}),
        ("SUM(METRICS())", {0: 3.0, 60: 2.0, 120: 4.0}),
        ("AVG([a, b])", {0: 1.5, 60: 2.0, 120: 2.0}),
        ("MAX(a)", 4.0),
        ("both * 2", [{0: 2.0, 60: 4.0, 120: 8.0}, {0: 4.0, 120: 0.0}]),
        ("FILL(b, 7)", {0: 2.0, 60: 7.0, 120: 0.0, 180: 7.0}),
        ("FILL(b, a)", {0: 2.0, 60: 2.0, 120: 0.0}),
        ("FILL(b, REPEAT)", {0: 2.0, 60: 2.0, 120: 0.0, 180: 0.0}),
        ("FILL(b, LINEAR)", {0: 2.0, 60: 1.0, 120: 0.0}),
        ("IF(a > 1, a, 0)", {0: 0.0, 60: 2.0, 120: 4.0}),
        ("IF(a > 1, a)", {60: 2.0, 120: 4.0}),
        ("RATE(a)", {60: 1 / 60, 120: 2 / 60}),
        ("DIFF(a)", {60: 1.0, 120: 2.0}),
        ("RUNNING_SUM(a)", {0: 1.0, 60: 3.0, 120: 7.0}),
        ("PERIOD(a)", 60.0),
        ("PERIOD(hourly)", 3600.0),
        ("SORT(both, SUM, DESC)", [dict(A.points), dict(B.points)]),
        ("SORT(METRICS(), sum, asc)", [dict(B.points), dict(A.points)]),
        ("SORT([none, b, a], MAX, DESC, 2)", [dict(A.points), dict(B.points)]),
        ("SORT([none, b, a], MIN, ASC)", [dict(B.points), dict(A.points), {}]),
        ("FIRST(SORT(both, AVG, ASC))", dict(B.points)),
        ("TIME_SERIES(3)", {0: 3.0, 60: 3.0, 120: 3.0, 180: 3.0}),
        ("METRIC_COUNT(METRICS('b'))", 1.0),
        ("DATAPOINT_COUNT(a)", 3.0),
        ("ABS(DIFF(b))", {120: 2.0}),
        ("LOG10(b)", {0: pytest.approx(0.30103)}),
        ("SLICE(both, 1)", {0: 2.0, 120: 0.0}),
        ("FIRST(a) + LAST(a)", 5.0),
        ("MINUTE(a)", {0: 0.0, 60: 1.0, 120: 2.0}),
        ("a/0", {}),
        ("a * CEIL(MAX(none))", {}),
        ("a + LOG(0)", {}),
        ("a > MAX(none)", {}),
        ("LOG(a - 1)", {60: 0.0, 120: pytest.approx(math.log(3))}),
        ("FILL(none, AVG(none))", {}),
        ("FILL(b, 1/0)", {0: 2.0, 120: 0.0}),
        ("TIME_SERIES(MAX(none))", {}),
        ("IF(MAX(none) > 1, a, 0)", {}),
        ("IF(MAX(a) > 1, a, 0)", {0: 1.0, 60: 2.0, 120: 4.0}),
        ("IF(a > 1, LOG(0), 5)", {0: 5.0}),
        ("SUM([a * 1e308, a * 1e308])", {}),
    ],
)
def test_an_expression_is_worth(expression: str, expected: object) -> None:
    assert worth(expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "a +",
        "a b",
        "(a",
        "SUM(a",
        "c",
        "NOPE(a)",
        "'text'",
        "a # 1",
        "SUM()",
        "CEIL(a, b)",
        "(" * 60 + "1" + ")" * 60,
        "a" + " + a" * 1000,
        "SLICE(both, MAX(none))",
        "SLICE(both, 1e999)",
        "IF(METRICS() > 1, 1, 0)",
        "IF(a > 1, both, 0)",
        "SEARCH('Shop', 'Sum', 1e999)",
        "SEARCH('Shop', 'Sum', 0)",
        "PERIOD(c)",
        "PERIOD(a + b)",
        "SORT(both, STDDEV, ASC)",
        "SORT(both, SUM, UP)",
        "SORT(both, SUM, ASC, 0)",
        "SORT(both, SUM)",
    ],
)
def test_an_expression_that_means_nothing_is_refused(expression: str) -> None:
    with pytest.raises(BadExpression):
        evaluate(expression, FRAME)


def test_the_ids_of_an_expression_are_known() -> None:
    assert names_in(parse("IF(m1 > 2, [m2, m3], -e4)")) == {"m1", "m2", "m3", "e4"}


@pytest.mark.parametrize("expression", ["TIME_SERIES(1)", "FILL(a, 0)", "FILL(a, REPEAT)"])
def test_more_periods_than_a_call_may_return_are_not_filled(expression: str) -> None:
    with pytest.raises(BadExpression, match="more than 100800 periods of 60 seconds"):
        evaluate(expression, Frame(0, 10**9, 60, {}, {"a": A}))


@pytest.mark.parametrize("way", ["REPEAT", "LINEAR"])
def test_a_long_gap_is_filled_in_a_moment(way: str) -> None:
    every_other = Line("a", dict.fromkeys(range(0, 100000 * 60, 120), 1.0))
    before = time.thread_time()
    found = evaluate(f"FILL(a, {way})", Frame(0, 100_000 * 60, 60, {}, {"a": every_other}))
    assert time.thread_time() - before < 2
    assert isinstance(found, Line)
    assert len(found.points) >= 99_999


terms = st.recursive(
    st.sampled_from(["a", "b", "none", "both", "nothing", "METRICS()", "0", "1", "-1", "7.5", "1e308", "1e999"]),
    lambda one: st.one_of(
        st.builds("({} {} {})".format, one, st.sampled_from(["+", "-", "*", "/", "^", "==", "<", "&&", "||"]), one),
        st.builds("{}({})".format, st.sampled_from([*sorted(PLAIN), "TIME_SERIES", "PERIOD"]), one),
        st.builds("{}({}, {})".format, st.sampled_from(["FILL", "SLICE", "IF"]), one, one),
        st.builds("FILL({}, {})".format, one, st.sampled_from(["REPEAT", "LINEAR"])),
        st.builds("{}({}, {}, {})".format, st.sampled_from(["SLICE", "IF"]), one, one, one),
        st.builds("[{}, {}]".format, one, one),
        st.builds("SORT({}, SUM, DESC, {})".format, one, one),
    ),
    max_leaves=8,
)


@given(terms)
def test_every_expression_is_refused_or_has_datapoints_that_are_numbers(expression: str) -> None:
    try:
        found = evaluate(expression, FRAME)
    except BadExpression:
        return
    for line in [] if isinstance(found, float) else lines(found):
        assert all(math.isfinite(value) for value in line.points.values())
        assert list(line.points) == sorted(line.points)
