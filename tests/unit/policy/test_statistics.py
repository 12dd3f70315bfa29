"""Statistics of samples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.model.metrics import Sample
from miyabi.policy.statistics import UnknownStatistic, is_statistic, is_told_by_few, statistic

values = st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=50)
percents = st.integers(0, 1000).map(lambda tenths: tenths / 10)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(("SampleCount", 4), ("Average", 2.5), ("Sum", 10), ("Minimum", 1), ("Maximum", 4)),
        *(("p0.0", 1), ("p50", 2), ("p75", 3), ("p75.1", 4), ("p99.9", 4), ("p100", 4)),
    ],
)
def test_each_statistic_of_four_values(name: str, expected: float) -> None:
    assert statistic(name, [Sample.of(4, 1), Sample.of(3), Sample.of(2)]) == expected


def test_a_float_s_error_never_moves_a_percentile_to_the_next_value() -> None:
    seen = [Sample.of(*range(1, 1001))]
    assert [statistic(f"p{tenths / 10}", seen) for tenths in range(1, 1001)] == list(range(1, 1001))


def test_without_samples_there_is_no_statistic() -> None:
    assert statistic("Sum", []) is None
    assert statistic("Average", [Sample(0, 0, 0, 0)]) is None


@pytest.mark.parametrize("name", ["average", "p101", "p-1", "p", "p1.", "IQM", "", "P50"])
def test_a_statistic_that_is_not_offered_is_refused(name: str) -> None:
    assert not is_statistic(name)
    with pytest.raises(UnknownStatistic, match="not supported"):
        statistic(name, [Sample.of(1)])


@pytest.mark.parametrize(
    ("name", "least"), [("p99", 1000), ("p99.9", 10_000), ("p50", 20), ("p10", 100), ("p0", 0), ("p100", 0), ("Sum", 0)]
)
def test_a_percentile_means_much_from_so_many_samples_on(name: str, least: int) -> None:
    assert not is_told_by_few(name, least)
    assert least == 0 or is_told_by_few(name, least - 1)


def test_values_count_as_often_as_they_were_seen() -> None:
    seen = Sample(100, 190, 1, 10, ((1.0, 90.0), (10.0, 10.0)))
    assert statistic("p90", [seen]) == 1
    assert statistic("p90.1", [seen]) == 10
    assert statistic("Average", [seen]) == 1.9


def test_a_statistic_set_has_percentiles_only_where_its_values_are_certain() -> None:
    assert statistic("p50", [Sample(3, 6, 1, 3)]) is None
    assert statistic("p50", [Sample(1, 7, 7, 7)]) == 7
    assert statistic("p50", [Sample(5, 10, 2, 2), Sample.of(9)]) == 2
    assert statistic("Average", [Sample(3, 6, 1, 3), Sample.of(6)]) == 3


@given(values)
def test_every_percentile_is_a_value_and_they_rise(seen: list[float]) -> None:
    samples = [Sample.of(value) for value in seen]
    found = [statistic(f"p{percent}", samples) for percent in (0, 1, 25, 50, 75, 99, 99.9, 100)]
    assert found == sorted(value for value in found if value is not None)
    assert set(found) <= set(seen)
    assert (found[0], found[-1]) == (min(seen), max(seen))


@given(values, percents)
def test_a_percentile_has_at_least_so_many_at_or_below_it(seen: list[float], percent: float) -> None:
    found = statistic(f"p{percent:.1f}", [Sample.of(*seen)])
    assert found is not None
    assert sum(value <= found for value in seen) >= len(seen) * percent / 100 * (1 - 1e-9)


@given(st.lists(values, min_size=1, max_size=5))
def test_how_values_were_parted_into_samples_does_not_matter(parts: list[list[float]]) -> None:
    together = [Sample.of(*(value for part in parts for value in part))]
    apart = [Sample.of(*part) for part in parts]
    for name in ("SampleCount", "Minimum", "Maximum", "p50", "p99"):
        assert statistic(name, apart) == statistic(name, together)
    for name in ("Sum", "Average"):
        assert statistic(name, apart) == pytest.approx(statistic(name, together), abs=1e-6)
