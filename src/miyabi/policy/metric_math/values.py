"""What metric math computes with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A time series: values by the beginning of their period, in seconds since 1970, oldest first."""

    label: str
    points: Mapping[int, float]


Value = float | Line | list[Line]
