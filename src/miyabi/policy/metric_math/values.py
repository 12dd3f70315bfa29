"""What metric math computes with."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A time series: values by the beginning of their period, in seconds since 1970, oldest first."""

    label: str
    points: Mapping[int, float]

    @classmethod
    def of(cls, label: str, points: Iterable[tuple[int, float]]) -> Line:
        """Return the series of the values that are defined: any other leaves no datapoint."""
        return cls(label, {at: value for at, value in points if math.isfinite(value)})


Value = float | Line | list[Line]
"""A float that is not a number is undefined: the average of no datapoints, the logarithm of nothing."""


def worth(act: Callable[..., float], *given: float) -> float:
    """Return what a function is worth; not a number where that is undefined, or too large."""
    try:
        value = float(act(*given)) if all(map(math.isfinite, given)) else math.nan
    except (ValueError, ArithmeticError, TypeError):  # TypeError: a power that is complex
        return math.nan
    return value if math.isfinite(value) else math.nan
