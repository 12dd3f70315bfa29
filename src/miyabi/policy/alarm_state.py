"""An alarm's next state.

Source: docs.aws.amazon.com, "Configuring how CloudWatch alarms treat missing data". Its tables and its text differ on
one point: by the text a breaching point that is old enough raises an M of N alarm "no matter the value of M", by the
table `0-X--` is OK for 2 of 3. Here the table holds: a real point that does not breach speaks against the alarm.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from miyabi.model.metrics import AlarmRule, AlarmState, Comparison, MissingData

_EXTRA_PERIODS: Final = 2
_BREACHES: Final[Mapping[Comparison, Callable[[float, float], bool]]] = {
    Comparison.GREATER_OR_EQUAL: operator.ge,
    Comparison.GREATER: operator.gt,
    Comparison.LESS: operator.lt,
    Comparison.LESS_OR_EQUAL: operator.le,
}
_WORDS: Final[Mapping[Comparison, str]] = {
    Comparison.GREATER_OR_EQUAL: "greater than or equal to",
    Comparison.GREATER: "greater than",
    Comparison.LESS: "less than",
    Comparison.LESS_OR_EQUAL: "less than or equal to",
}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The state that an evaluation found, and why."""

    state: AlarmState
    reason: str


def evaluation_range(rule: AlarmRule) -> int:
    """Return how many periods an evaluation looks back.

    AWS says that it is more than the evaluation periods and shows 5 for 3. Ours: two more.
    """
    return rule.evaluation_periods + _EXTRA_PERIODS


def breaches(rule: AlarmRule, value: float) -> bool:
    """Say whether a datapoint breaches the threshold."""
    return _BREACHES[rule.comparison](value, rule.threshold)


def next_state(rule: AlarmRule, datapoints: Sequence[float | None], *, current: AlarmState) -> Evaluation:
    """Return the alarm's next state.

    datapoints: oldest first, one for each period of the evaluation range; None = missing.
    current: kept where missing data is ignored and the real points do not decide.
    """
    real = [value for value in datapoints if value is not None][-rule.evaluation_periods :]
    breaching = sum(breaches(rule, value) for value in real)
    filled = rule.evaluation_periods - len(real)
    if breaching >= rule.datapoints_to_alarm:
        return Evaluation(AlarmState.ALARM, _crossed(rule, real, breaching, filled=0))
    if filled == 0 or rule.missing_data is MissingData.NOT_BREACHING:
        return Evaluation(AlarmState.OK, _crossed(rule, real, breaching, filled=filled))
    if rule.missing_data is MissingData.BREACHING:
        state = AlarmState.ALARM if breaching + filled >= rule.datapoints_to_alarm else AlarmState.OK
        return Evaluation(state, _crossed(rule, real, breaching, filled=filled))
    return _undecided(rule, datapoints, real, current)


def _undecided(
    rule: AlarmRule, datapoints: Sequence[float | None], real: Sequence[float], current: AlarmState
) -> Evaluation:
    """Judge where missing data is neither good nor bad, and the real points are too few to raise the alarm."""
    if any(not breaches(rule, value) for value in real):
        return Evaluation(AlarmState.OK, _crossed(rule, real, sum(breaches(rule, value) for value in real), filled=0))
    if rule.missing_data is MissingData.IGNORE:
        return Evaluation(current, f"Missing datapoints are ignored: the state stays {current}.")
    if not real:
        return Evaluation(
            AlarmState.INSUFFICIENT_DATA, f"Insufficient Data: {len(datapoints)} datapoints were unknown."
        )
    first = next(index for index, value in enumerate(datapoints) if value is not None)
    if len(datapoints) - first >= rule.datapoints_to_alarm:
        return Evaluation(
            AlarmState.ALARM,
            f"Threshold Crossed: the oldest known datapoint, {len(datapoints) - first} periods old, breaches"
            f" the threshold ({rule.threshold}), and all newer ones breach it or are missing.",
        )
    # Ours: AWS says only that the alarm does not go off at once, as the next point may be a good one.
    return Evaluation(AlarmState.OK, _crossed(rule, real, len(real), filled=0))


def _crossed(rule: AlarmRule, real: Sequence[float], breaching: int, *, filled: int) -> str:
    """Say what was counted, close to CloudWatch's wording."""
    shown = ", ".join(str(value) for value in real)
    words = f"{_WORDS[rule.comparison]} the threshold ({rule.threshold})"
    counted = f"{breaching} out of the last {len(real)} datapoints [{shown}] were {words}" if real else "no datapoint"
    taken = f"; {filled} missing taken as {rule.missing_data}" if filled else ""
    return f"Threshold Crossed: {counted}{taken} ({rule.datapoints_to_alarm} of {rule.evaluation_periods} raise it)."
