"""Statistics of stored samples, read by period."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from miyabi.localcloud.control.cloudwatch.database import MetricDatabase, Series
from miyabi.localcloud.control.cloudwatch.reading import MetricReader, TooMuchData
from miyabi.model.alarms import MetricStat
from miyabi.model.metrics import Sample

REGION = "us-west-2"
SERIES = Series(REGION, "Shop", "Latency", (), "Seconds")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[MetricDatabase]:
    database = MetricDatabase(tmp_path / "metrics.sqlite")
    yield database
    database.close()


def stat(name: str, period: int = 60) -> MetricStat:
    return MetricStat("Shop", "Latency", {}, period, name)


def test_percentiles_are_read_period_by_period(database: MetricDatabase) -> None:
    values = [float(value) for value in range(300)]
    database.write((SERIES, 60 * number, 60, Sample.of(*values)) for number in range(200))
    reader = MetricReader(database, REGION)
    reader.line(stat("p50"), 0, 60)
    tracemalloc.start()
    found = reader.line(stat("p50"), 0, 60 * 200)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 200
    assert most < 1_000_000, "60,000 values take more than eight million bytes"


@pytest.mark.parametrize("name", ["Sum", "p50"])
def test_what_was_made_coarser_is_no_part_of_finer_periods(database: MetricDatabase, name: str) -> None:
    database.write((SERIES, 60 * number, 60, Sample.of(10.0)) for number in range(15))
    number = database.after(0)
    assert number is not None
    database.coarsen(number, 60, 300, 600)
    reader = MetricReader(database, REGION)
    fine = 10.0
    coarse = 50.0 if name == "Sum" else 10.0
    assert reader.line(stat(name), 0, 900) == dict.fromkeys(range(600, 900, 60), fine)
    assert reader.line(stat(name, 300), 0, 900) == dict.fromkeys((0, 300, 600), coarse)
    assert reader.line(stat(name, 420), 0, 840) == {420: 40.0 if name == "Sum" else 10.0}, "not a multiple of 300"


@pytest.mark.parametrize("name", ["Sum", "p50"])
def test_periods_shorter_than_a_minute_have_an_end_of_their_own(database: MetricDatabase, name: str) -> None:
    database.write((SERIES, at, width, Sample.of(1.0)) for at, width in ((0, 60), (60, 1), (75, 1), (120, 60)))
    reader = MetricReader(database, REGION, fine_since=62)
    assert reader.line(stat(name, 10), 0, 180) == {70: 1.0, 120: 1.0}
    assert reader.line(stat(name, 60), 0, 180).keys() == {0, 60, 120}


@pytest.mark.parametrize("name", ["Average", "p50"])
def test_more_than_is_allowed_is_not_read(database: MetricDatabase, name: str) -> None:
    database.write((SERIES, 60 * number, 60, Sample.of(1.0)) for number in range(10))
    assert len(MetricReader(database, REGION, most_values=40).line(stat(name), 0, 600)) == 10
    reader = MetricReader(database, REGION, most_values=40)
    reader.line(stat(name), 0, 300)
    with pytest.raises(TooMuchData):
        reader.line(stat(name), 0, 600)
