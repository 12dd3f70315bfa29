"""When an alarm changes its state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.model.metrics import AlarmRule, AlarmState, Comparison, MissingData
from miyabi.policy.alarm_state import evaluation_range, next_state

_POINTS = {"X": 1.0, "0": 0.0, "-": None}
_STATES = {"OK": AlarmState.OK, "ALARM": AlarmState.ALARM, "INSUFFICIENT": AlarmState.INSUFFICIENT_DATA}
_TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
_VECTORS = [
    (3, "0-X-X", "OK OK OK OK"),
    (3, "0----", "OK OK OK OK"),
    (3, "-----", "INSUFFICIENT keep ALARM OK"),
    (3, "0XX-X", "ALARM ALARM ALARM ALARM"),
    (3, "--X--", "ALARM keep ALARM OK"),
    (2, "0-X-X", "ALARM ALARM ALARM ALARM"),
    (2, "00X0X", "ALARM ALARM ALARM ALARM"),
    (2, "0-X--", "OK OK ALARM OK"),
    (2, "----0", "OK OK ALARM OK"),
    (2, "---X-", "ALARM keep ALARM OK"),
]

points = st.lists(st.sampled_from([0.0, 1.0, None]), min_size=5, max_size=5)
states = st.sampled_from(list(AlarmState))
treatments = st.sampled_from(list(MissingData))
required = st.integers(1, 3)


def rule(required: int, treatment: str = "missing", comparison: Comparison = Comparison.GREATER) -> AlarmRule:
    return AlarmRule(comparison, 0.5, 3, required, MissingData(treatment))


@pytest.mark.parametrize("current", list(AlarmState))
@pytest.mark.parametrize(("required", "seen", "expected"), _VECTORS)
def test_the_published_tables_hold(required: int, seen: str, expected: str, current: AlarmState) -> None:
    datapoints = [_POINTS[one] for one in seen]
    assert evaluation_range(rule(required)) == len(datapoints)
    found = [next_state(rule(required, one), datapoints, current=current).state for one in _TREATMENTS]
    assert found == [_STATES.get(one, current) for one in expected.split()]


@pytest.mark.parametrize("seen", ["----X", "---X-", "---XX", "-0X-X"])
def test_missing_data_raises_no_alarm_before_a_breach_is_old_enough(seen: str) -> None:
    datapoints = [_POINTS[one] for one in seen]
    assert next_state(rule(3), datapoints, current=AlarmState.OK).state is AlarmState.OK


@pytest.mark.parametrize(
    ("comparison", "breaching"),
    [
        (Comparison.GREATER, (0.6,)),
        (Comparison.GREATER_OR_EQUAL, (0.5, 0.6)),
        (Comparison.LESS, (0.4,)),
        (Comparison.LESS_OR_EQUAL, (0.4, 0.5)),
    ],
)
def test_each_operator_compares_as_its_name_says(comparison: Comparison, breaching: tuple[float, ...]) -> None:
    for value in (0.4, 0.5, 0.6):
        found = next_state(rule(3, comparison=comparison), [value] * 5, current=AlarmState.OK).state
        assert (found is AlarmState.ALARM) == (value in breaching)


@pytest.mark.parametrize("required", [0, 4])
def test_an_alarm_that_could_never_be_raised_is_refused(required: int) -> None:
    with pytest.raises(ValueError, match=f"{required} of 3"):
        rule(required)


def test_the_reason_names_points_threshold_and_numbers() -> None:
    found = next_state(AlarmRule(Comparison.GREATER, 70.0, 3, 3), [91.0, 88.5, 99.0], current=AlarmState.OK)
    assert found.state is AlarmState.ALARM
    for part in ("3 out of the last 3", "91.0, 88.5, 99.0", "greater than the threshold (70.0)", "3 of 3"):
        assert part in found.reason


@given(seen=points, required=required, treatment=treatments, current=states)
def test_without_a_breach_there_is_an_alarm_only_of_missing_data(
    seen: list[float | None], required: int, treatment: MissingData, current: AlarmState
) -> None:
    calm = [None if value is None else 0.0 for value in seen]
    found = next_state(rule(required, treatment), calm, current=current).state
    if treatment in {MissingData.MISSING, MissingData.NOT_BREACHING}:
        assert found is not AlarmState.ALARM


@given(seen=points, required=required, current=states)
def test_treatments_are_ordered_by_how_soon_they_raise_the_alarm(
    seen: list[float | None], required: int, current: AlarmState
) -> None:
    bad, missing, good = (
        next_state(rule(required, one), seen, current=current).state is AlarmState.ALARM
        for one in ("breaching", "missing", "notBreaching")
    )
    assert bad >= missing >= good


@given(seen=points, required=required, treatment=treatments, current=states)
def test_enough_real_points_decide_alone(
    seen: list[float | None], required: int, treatment: MissingData, current: AlarmState
) -> None:
    real = [value for value in seen if value is not None]
    if len(real) < 3:
        return
    expected = AlarmState.ALARM if sum(real[-3:]) >= required else AlarmState.OK
    assert next_state(rule(required, treatment), seen, current=current).state is expected


@given(seen=points, required=required, treatment=treatments, current=states)
def test_evaluating_the_same_again_changes_nothing(
    seen: list[float | None], required: int, treatment: MissingData, current: AlarmState
) -> None:
    once = next_state(rule(required, treatment), seen, current=current)
    assert next_state(rule(required, treatment), seen, current=once.state).state is once.state
    assert once.reason
