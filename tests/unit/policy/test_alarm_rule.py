"""The rules of composite alarms, and when their actions are held back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.model.metrics import AlarmState
from miyabi.policy.action_suppression import Suppressor, Verdict, judge_actions
from miyabi.policy.alarm_rule import BadRule, alarms_in, holds, on_cycles, parse_rule

STATES = {'say "b"': AlarmState.OK, "a": AlarmState.ALARM, "b b": AlarmState.OK, "c": AlarmState.INSUFFICIENT_DATA}
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("ALARM(a)", True),
        ('ALARM("b b")', False),
        ('ALARM(a) AND OK("b b")', True),
        ("NOT ALARM(a) OR INSUFFICIENT_DATA(c)", True),
        ('ALARM(a) AND (OK(a) OR NOT OK("b b"))', False),
        ("OK(c) OR ALARM(a) AND FALSE", False),
        ("TRUE", True),
        ("not false", True),
        ('AT_LEAST(1, ALARM, (a, "b b", c))', True),
        ('AT_LEAST(2, ALARM, (a, "b b", c))', False),
        ('AT_LEAST(2, NOT ALARM, (a,"b b",c))', True),
        ('AT_LEAST(50%, OK, (a, "b b"))', True),
        ('AT_LEAST("51%", OK, (a, "b b"))', False),
        ('at_least(2, not ok, (a, c)) AND NOT ALARM("b b")', True),
        (r'OK("say \"b\"")', True),
    ],
)
def test_a_rule_says(rule: str, expected: bool) -> None:
    assert holds(parse_rule(rule), STATES.__getitem__) is expected


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "ALARM",
        "ALARM()",
        "ALARM(a",
        "ALARM(a) AND",
        "NICE(a)",
        "ALARM(a) OK(b)",
        "( TRUE",
        "ALARM(a, b)",
        "AT_LEAST(2, ALARM, a, b)",
        "AT_LEAST(2, ALARM, ())",
        "AT_LEAST(2, ALARM, (a b))",
        "AT_LEAST(2, ALARM, (a, b)",
        "AT_LEAST(0, ALARM, (a))",
        "AT_LEAST(2, ALARM, (a))",
        "AT_LEAST(101%, ALARM, (a))",
        "AT_LEAST(many, ALARM, (a))",
        "AT_LEAST(1, NICE, (a))",
    ],
)
def test_a_rule_that_cannot_be_read_is_refused(rule: str) -> None:
    with pytest.raises(BadRule):
        parse_rule(rule)


def test_a_rule_names_its_alarms() -> None:
    assert alarms_in(parse_rule('ALARM(a) AND NOT (OK("b b") OR TRUE)')) == {"a", "b b"}
    assert alarms_in(parse_rule('NOT AT_LEAST(1, OK, (a, "b b"))')) == {"a", "b b"}


def test_alarms_on_a_cycle_are_found_and_those_above_and_below_it_are_not() -> None:
    uses = {"x": {"y", "metric"}, "y": {"x"}, "above": {"x", "below"}, "below": {"metric"}, "self": {"self"}}
    assert on_cycles(uses) == {"x", "y", "self"}
    assert on_cycles({}) == set()


@given(st.dictionaries(st.sampled_from("abcdef"), st.frozensets(st.sampled_from("abcdef"))))
def test_each_alarm_on_a_cycle_rests_on_another_of_it_and_without_them_there_is_none(
    uses: dict[str, frozenset[str]],
) -> None:
    found = on_cycles(uses)
    assert all(uses[name] & found for name in found)
    assert on_cycles({name: used for name, used in uses.items() if name not in found}) == set()


def judged(*, in_alarm: bool = False, ended: float | None = None, entered: float = 0) -> Verdict:
    ended_at = None if ended is None else NOW - ended * SECOND
    suppressor = Suppressor(in_alarm, ended_at, wait=10 * SECOND, extension=20 * SECOND)
    return judge_actions(NOW - entered * SECOND, suppressor, now=NOW)


def test_actions_wait_for_the_suppressor_and_for_its_extension() -> None:
    assert judged(entered=9).suppressed_by == "WaitPeriod"
    assert judged(entered=10).act
    assert judged(in_alarm=True, entered=99).suppressed_by == "Alarm"
    assert judged(ended=19, entered=99).suppressed_by == "ExtensionPeriod"
    assert judged(ended=20, entered=99).act


def test_a_further_transition_discards_the_extension_and_waits_by_itself() -> None:
    assert judged(ended=15, entered=9).suppressed_by == "WaitPeriod"
    assert judged(ended=15, entered=10).act


def test_without_a_suppressor_nothing_waits() -> None:
    assert judge_actions(NOW, None, now=NOW) == Verdict(act=True)
