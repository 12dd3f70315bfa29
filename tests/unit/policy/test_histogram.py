"""Many values in little room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.model.metrics import Sample
from miyabi.policy.histogram import LIMIT, condensed
from miyabi.policy.statistics import statistic
from miyabi.policy.tempo import FASTEST, Tempo


def test_few_values_are_kept_as_they_are() -> None:
    assert condensed([(1.5, 1.0), (2.5, 2.0), (1.5, 3.0)]) == ((1.5, 4.0), (2.5, 2.0))


@given(st.lists(st.floats(1e-6, 1e6), min_size=LIMIT + 1, max_size=3 * LIMIT, unique=True))
def test_many_values_lose_no_count_and_little_of_their_size(values: list[float]) -> None:
    found = condensed([(value, 1.0) for value in values])
    assert sum(count for _, count in found) == len(values)
    exact, coarse = Sample.of(*values), Sample(len(values), sum(values), min(values), max(values), found)
    for name in ("p1", "p50", "p99"):
        assert statistic(name, [coarse]) == pytest.approx(statistic(name, [exact]), rel=0.006)


@given(st.lists(st.floats(-(2.0**360), 2.0**360), min_size=LIMIT + 1, max_size=LIMIT + 20, unique=True))
def test_whatever_may_be_a_metrics_value_has_a_place(values: list[float]) -> None:
    found = condensed([*((value, 1.0) for value in values), (5e-324, 1.0), (-1e-310, 1.0)])
    assert sum(count for _, count in found) == len(values) + 2


def test_nothing_and_negative_values_have_their_place() -> None:
    values = [(float(number), 1.0) for number in range(-400, 401)]
    found = dict(condensed(values))
    assert found[0.0] == 1.0
    assert min(found) == pytest.approx(-400, rel=0.006)


@pytest.mark.parametrize("speed", [0, -1, FASTEST + 1])
def test_a_clock_speed_has_bounds(speed: int) -> None:
    with pytest.raises(ValueError, match="clock speed"):
        Tempo(speed)
