"""What the sampler of services makes of what its tasks used."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from miyabi.localcloud.control.samplers.ecs import EcsSampler, RunningTask, TaskUsage, TaskUse

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Usage:
    """Says what the test says."""

    def __init__(self, *uses: TaskUse) -> None:
        self._uses = list(uses)

    async def look(self, _now: datetime) -> list[TaskUse]:
        return self._uses


def use(name: str, cpu_units: float | None, memory_mib: float, seconds: float) -> TaskUse:
    task = RunningTask(("us-west-2", "c", "web"), name, 256.0, 512.0, (name,))
    return TaskUse(task, cpu_units, memory_mib, seconds)


def measured(*uses: TaskUse) -> dict[str, Any]:
    sampler = EcsSampler(cast("TaskUsage", Usage(*uses)), cast("Any", None))
    found = asyncio.run(sampler.measure(NOW))
    assert all(one.dimensions == {"ClusterName": "c", "ServiceName": "web"} for one in found), "none of the cluster"
    return {one.name: one.sample for one in found}


def test_a_task_that_has_just_started_counts_for_as_much_as_it_ran() -> None:
    found = measured(use("a", 128.0, 256.0, 60.0), use("b", 512.0, 128.0, 6.0))
    cpu = found["CPUUtilization"]
    assert cpu.total / cpu.count == pytest.approx((50.0 + 200.0 * 0.1) / 1.1)
    assert (cpu.minimum, cpu.maximum) == (50.0, 200.0)
    assert found["MemoryUtilization"].maximum == 50.0


def test_tasks_that_ran_the_whole_time_count_the_same_and_an_unknown_one_not() -> None:
    found = measured(use("a", 256.0, 256.0, 60.0), use("b", 0.0, 256.0, 60.0), use("c", None, 128.0, 0.0))
    assert (found["CPUUtilization"].count, found["CPUUtilization"].total) == (2.0, 100.0)
    assert found["MemoryUtilization"].count == 3.0


def test_without_tasks_there_is_no_datapoint() -> None:
    assert measured() == {}
