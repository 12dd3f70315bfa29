"""When the requests of a load are sent: open-loop, whatever the answers do. Pure, repeated by the same seed."""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from itertools import pairwise
from typing import Final

_STEPS: Final = 4_000
_NIGHT: Final = 0.15
"""A day's quietest rate, of its highest."""
_DAY: Final = ((0, 0.25), (4, _NIGHT), (9, 0.8), (12, 1.0), (15, 0.7), (20, 0.95), (24, 0.25))
"""Hours of a day, and the share of the highest rate: linear in between."""
_SPIKE: Final = (0.4, 0.6)
"""The part of the time in which a spike is at its peak."""
_BASE: Final = 0.2
"""The rate around a spike, of its peak."""


class Shape(StrEnum):
    """How a rate goes over time."""

    STEADY = "steady"
    RAMP = "ramp"
    SPIKE = "spike"
    DAY = "day"


def share(shape: Shape, at: float) -> float:
    """Return the rate at a time from 0 to 1 of the duration, as a share of the highest."""
    return _SHARES[shape](min(max(at, 0.0), 1.0))


def _day(at: float) -> float:
    hour = at * 24
    for (begin, low), (end, high) in pairwise(_DAY):
        if hour <= end:
            return low + (high - low) * (hour - begin) / (end - begin)
    return _DAY[-1][1]


_SHARES: Final[Mapping[Shape, Callable[[float], float]]] = {
    Shape.STEADY: lambda _: 1.0,
    Shape.RAMP: lambda at: at,
    Shape.SPIKE: lambda at: 1.0 if _SPIKE[0] <= at < _SPIKE[1] else _BASE,
    Shape.DAY: _day,
}


def expected(shape: Shape, rate: float, seconds: float) -> float:
    """Return how many requests a load has on average. rate: the highest, a second."""
    return _total(shape)[-1] * rate * seconds


def send_times(shape: Shape, rate: float, seconds: float, *, seed: int, poisson: bool = True) -> Iterator[float]:
    """Yield the seconds after the beginning at which requests are sent, never falling.

    rate: the highest, in requests a second. poisson: they arrive independently of each other, as from many clients;
    else as evenly as the shape allows.
    """
    dice = random.Random(seed)  # noqa: S311 - chance that can be repeated
    totals = _total(shape)
    scale = rate * seconds
    last = totals[-1] * scale
    passed = 0.0 if not poisson else -math.log(1.0 - dice.random())
    while passed < last:
        yield _time_of(totals, passed / scale) * seconds
        passed += -math.log(1.0 - dice.random()) if poisson else 1.0


def _total(shape: Shape) -> list[float]:
    """Return the integral of the share over the time, at each step from 0 to 1."""
    totals = [0.0]
    for step in range(_STEPS):
        middle = (step + 0.5) / _STEPS
        totals.append(totals[-1] + share(shape, middle) / _STEPS)
    return totals


def _time_of(totals: list[float], wanted: float) -> float:
    """Return the time from 0 to 1 by which so much of the integral has gone by."""
    above = min(max(bisect_left(totals, wanted), 1), len(totals) - 1)
    low, high = totals[above - 1], totals[above]
    part = (wanted - low) / (high - low) if high > low else 0.0
    return (above - 1 + part) / _STEPS
