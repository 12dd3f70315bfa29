"""What the control plane's own work costs, in processor time of the thread that does it. `make bench` prints it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from miyabi.localcloud.control.cloudwatch import MetricDatabase
from miyabi.localcloud.control.cloudwatch.database import Series
from miyabi.model.metrics import Sample
from tests.contract.control_api import serve
from tests.contract.test_metrics import day_read
from tests.unit.localcloud import test_ecs_loops, test_scaling_loop

pytestmark = pytest.mark.bench

SIZES = (100, 300, 1000)
TRIES = 5
"""The best of them counts: other work only adds."""
SAMPLES, BATCH = 10_000, 1000


def say(what: str, seconds: float) -> None:
    print(f"{what}: {1000 * seconds:.1f} ms")  # noqa: T201


def planned(root: Path, size: int) -> float:
    world = test_ecs_loops.World(root)
    try:
        return test_ecs_loops.planned(world, size)
    finally:
        world.engine.close()


def busy(root: Path, size: int) -> tuple[float, float]:
    root.mkdir()
    world = test_scaling_loop.World(root)
    try:
        return test_scaling_loop.busy_services(world, size)
    finally:
        world.close()


def test_planning_services_is_linear(tmp_path: Path) -> None:
    taken = {size: min(planned(tmp_path / f"{size}-{one}", size) for one in range(TRIES)) for size in SIZES}
    for size, seconds in taken.items():
        say(f"a look of the service scheduler at {size} services of 4 tasks", seconds)
    assert taken[1000] < 2 * 10 * taken[100]
    assert taken[1000] < 1


def test_evaluating_and_scaling_is_linear(tmp_path: Path) -> None:
    taken = {}
    for size in SIZES:
        evaluating, scaling = min((busy(tmp_path / f"{size}-{one}", size) for one in range(TRIES)), key=sum)
        say(f"all {2 * size} alarms of {size} services evaluated, half of them changing", evaluating)
        say(f"all {size} services scaled", scaling)
        taken[size] = evaluating + scaling
    assert taken[1000] < 2 * 10 * taken[100]
    assert taken[1000] < 1


@pytest.mark.parametrize("merged", [False, True], ids=["new rows", "merged rows"])
def test_writing_ten_thousand_samples_costs_at_most_a_fifth_of_a_second(tmp_path: Path, *, merged: bool) -> None:
    database = MetricDatabase(tmp_path / "metrics.sqlite")
    rows = [
        (Series("us-west-2", "Bench", "Value", (("Service", f"s{number}"),), "Count"), 60 * (number % 10), 60)
        for number in range(BATCH)
    ]
    taken = []
    for number in range(5):
        begun = time.thread_time()
        for part in range(SAMPLES // BATCH):
            later = 0 if merged else 600 * (number * SAMPLES // BATCH + part)
            database.write([(series, at + later, width, Sample.of(float(part))) for series, at, width in rows])
        taken.append(time.thread_time() - begun)
    database.close()
    say(f"{SAMPLES} samples written, {BATCH} a transaction, {'merged' if merged else 'new rows'}", min(taken))
    assert min(taken) < 0.2


def test_a_day_of_minutes_is_read_within_50_ms(tmp_path: Path) -> None:
    with serve(tmp_path) as served:
        taken = day_read(served, served.client("cloudwatch"))
    say("GetMetricStatistics: 1440 datapoints of one of 100 series", taken)
    assert taken < 0.050
