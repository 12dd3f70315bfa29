"""Where a new task goes: spread over the availability zones, as ECS does for Fargate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A subnet that a task may run in."""

    subnet_id: str
    zone: str


def place_task(places: Sequence[Place], taken: Iterable[Place]) -> Place:
    """Return the subnet for one more task: the zone with the fewest tasks, in it the subnet with the fewest.

    places: not empty; its order breaks ties. taken: where the service's live tasks are.
    """
    held = list(taken)
    zones = Counter(place.zone for place in held)
    subnets = Counter(place.subnet_id for place in held)
    return min(places, key=lambda place: (zones[place.zone], subnets[place.subnet_id]))
