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


@pytest.mark.parametrize("name", ["Average", "p50"])
def test_more_than_is_allowed_is_not_read(database: MetricDatabase, name: str) -> None:
    database.write((SERIES, 60 * number, 60, Sample.of(1.0)) for number in range(10))
    assert len(MetricReader(database, REGION, most_values=40).line(stat(name), 0, 600)) == 10
    reader = MetricReader(database, REGION, most_values=40)
    reader.line(stat(name), 0, 300)
    with pytest.raises(TooMuchData):
        reader.line(stat(name), 0, 600)
