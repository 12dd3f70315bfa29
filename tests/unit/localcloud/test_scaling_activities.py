"""How long scaling activities stay, and when they end."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from tests.unit.localcloud.test_scaling_loop import REGION, World

from miyabi.localcloud.control.autoscaling import ScheduleLoop


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


class Engine:
    """Runs what a loop asks for, at the world's time."""

    def __init__(self, world: World) -> None:
        self._world = world

    def clock(self) -> datetime:
        return self._world.now

    async def run(self, call: Callable[[], Any]) -> Any:
        return call()


def statuses(world: World) -> list[str]:
    return [one["StatusCode"] for one in world.activities()]


def test_old_activities_are_deleted_by_the_hour(world: World) -> None:
    loop = ScheduleLoop(cast("Any", Engine(world)), world.scaling)

    def stored() -> int:
        asyncio.run(loop.step())
        return len(world.scaling.capacity.activities.list(REGION))

    world.bounds(3, 4)
    world.now += timedelta(weeks=6)
    world.bounds(4, 4)
    assert stored() == 1
    world.now += timedelta(minutes=59)
    world.bounds(2, 3)
    assert stored() == 2
    world.now += timedelta(weeks=6)
    assert stored() == 0


def test_an_activity_ends_with_its_service(world: World) -> None:
    world.bounds(0, 0)
    world.ecs.put_service(REGION, dataclasses.replace(world.service, status="DRAINING"))
    assert not world.scaling.capacity.settle(world.now)
    assert statuses(world) == ["Unfulfilled"]


def test_an_activity_is_open_until_the_tasks_run_or_another_count_is_asked_for(world: World) -> None:
    capacity = world.scaling.capacity
    assert not capacity.settle(world.now)
    world.bounds(3, 4)
    assert capacity.settle(world.now)
    world.now += timedelta(seconds=1)
    world.bounds(4, 4)
    assert capacity.settle(world.now)
    assert statuses(world) == ["Overridden", "InProgress"]
    world.ecs.put_service(REGION, dataclasses.replace(world.service, steady=True))
    assert not capacity.settle(world.now)
    assert statuses(world) == ["Overridden", "Successful"]
