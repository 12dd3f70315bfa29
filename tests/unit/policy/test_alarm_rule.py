"""The rules of composite alarms, and when their actions are held back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from miyabi.model.metrics import AlarmState
from miyabi.policy.action_suppression import Suppressor, Verdict, judge_actions
from miyabi.policy.alarm_rule import BadRule, alarms_in, holds, parse_rule

STATES = {"a": AlarmState.ALARM, "b b": AlarmState.OK, "c": AlarmState.INSUFFICIENT_DATA}
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
    ],
)
def test_a_rule_says(rule: str, expected: bool) -> None:
    assert holds(parse_rule(rule), STATES.__getitem__) is expected


@pytest.mark.parametrize(
    "rule", ["", "ALARM", "ALARM()", "ALARM(a", "ALARM(a) AND", "NICE(a)", "ALARM(a) OK(b)", "( TRUE"]
)
def test_a_rule_that_cannot_be_read_is_refused(rule: str) -> None:
    with pytest.raises(BadRule):
        parse_rule(rule)


def test_a_rule_names_its_alarms() -> None:
    assert alarms_in(parse_rule('ALARM(a) AND NOT (OK("b b") OR TRUE)')) == {"a", "b b"}


def judged(
    state: AlarmState,
    *,
    in_alarm: bool = False,
    ended: float | None = None,
    entered: float = 0,
    acted: AlarmState = AlarmState.OK,
) -> Verdict:
    ended_at = None if ended is None else NOW - ended * SECOND
    suppressor = Suppressor(in_alarm, ended_at, wait=10 * SECOND, extension=20 * SECOND)
    return judge_actions(state, acted, NOW - entered * SECOND, suppressor, now=NOW)


def test_actions_wait_for_the_suppressor_and_for_its_extension() -> None:
    assert judged(AlarmState.ALARM).suppressed_by == "WaitPeriod"
    assert judged(AlarmState.ALARM, in_alarm=True, entered=99).suppressed_by == "Alarm"
    assert judged(AlarmState.ALARM, ended=19, entered=99).suppressed_by == "ExtensionPeriod"
    assert judged(AlarmState.ALARM, ended=20, entered=99).act
    assert judged(AlarmState.ALARM, entered=10).act
    assert judged(AlarmState.OK, acted=AlarmState.ALARM).act, "nobody waits to be told that it is over"


def test_a_state_that_was_acted_on_is_not_acted_on_again() -> None:
    assert judged(AlarmState.OK) == Verdict(act=False)
    assert judge_actions(AlarmState.ALARM, AlarmState.ALARM, NOW, None, now=NOW) == Verdict(act=False)
    assert judge_actions(AlarmState.ALARM, AlarmState.OK, NOW, None, now=NOW) == Verdict(act=True)
