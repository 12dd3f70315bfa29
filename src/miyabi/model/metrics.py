"""Nouns of CloudWatch: samples of a metric, and what an alarm holds them against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class AlarmState(StrEnum):
    """State of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class MissingData(StrEnum):
    """What an alarm takes a missing datapoint for."""

    MISSING = "missing"
    IGNORE = "ignore"
    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"


class Comparison(StrEnum):
    """How a datapoint breaches a fixed threshold."""

    GREATER_OR_EQUAL = "GreaterThanOrEqualToThreshold"
    GREATER = "GreaterThanThreshold"
    LESS = "LessThanThreshold"
    LESS_OR_EQUAL = "LessThanOrEqualToThreshold"


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """When an alarm changes its state: `datapoints_to_alarm` of `evaluation_periods` datapoints breach."""

    comparison: Comparison
    threshold: float
    evaluation_periods: int
    datapoints_to_alarm: int
    missing_data: MissingData = MissingData.MISSING

    def __post_init__(self) -> None:
        if not 1 <= self.datapoints_to_alarm <= self.evaluation_periods:
            raise ValueError(f"{self.datapoints_to_alarm} of {self.evaluation_periods} datapoints can never breach")


@dataclass(frozen=True, slots=True)
class Sample:
    """What was published for one instant: values with their counts, or a statistic set, whose values are unknown."""

    count: float
    total: float
    minimum: float
    maximum: float
    values: tuple[tuple[float, float], ...] = ()
    """Value and count of each; empty in a statistic set."""

    @classmethod
    def of(cls, *values: float) -> Sample:
        """Return the sample of values that were each seen once; one at least."""
        return cls.weighted([(value, 1.0) for value in values])

    @classmethod
    def weighted(cls, values: Sequence[tuple[float, float]]) -> Sample:
        """Return the sample of values with how often each was seen; one at least."""
        count, total = sum(weight for _, weight in values), sum(value * weight for value, weight in values)
        numbers = [value for value, _ in values]
        return cls(count, total, min(numbers), max(numbers), tuple(values))


class Kind(StrEnum):
    """What a measurement becomes where control loops run faster than the wall clock: see `Measurement`."""

    LEVEL = "level"
    """A state or a ratio, which a shorter period does not change: CPU, connections, healthy hosts."""
    COUNT = "count"
    """Something counted since the last measurement, one value for all of it: a period n times shorter counts n times
    less, so the value is multiplied."""
    SPREAD = "spread"
    """Values that were each seen, such as response times: their numbers are multiplied, the values are not."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a sampler found out about one metric in the period that has just ended."""

    region: str
    namespace: str
    """`AWS/ECS`"""
    name: str
    """`CPUUtilization`"""
    dimensions: Mapping[str, str]
    unit: str
    """One of CloudWatch's: `Percent`, `Count`, `Seconds`, `Bytes`, ..."""
    sample: Sample
    kind: Kind = Kind.LEVEL
