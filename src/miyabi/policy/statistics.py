"""CloudWatch's statistics over samples.

Source: docs.aws.amazon.com, "CloudWatch statistics definitions". AWS does not publish how a percentile falls between
two values; ours is the nearest rank: the smallest value that at least so many percent of all are not above.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from miyabi.model.metrics import Sample

_PERCENTILE: Final = re.compile(r"p(\d{1,3}(?:\.\d{1,10})?)")
_ROUNDING: Final = 1e-9
"""Relative error that a float's percentage of a count may have."""


class UnknownStatistic(ValueError):
    """The statistic is none that is offered."""


def is_period(seconds: float) -> bool:
    """Say whether statistics are told over periods of that length."""
    return seconds in {1, 5, 10, 20, 30} or (seconds > 0 and seconds % 60 == 0)


def is_statistic(name: str) -> bool:
    """Say whether the statistic is offered."""
    match = _PERCENTILE.fullmatch(name)
    return name in {"SampleCount", "Average", "Sum", "Minimum", "Maximum"} or (
        match is not None and float(match[1]) <= 100
    )


def is_told_by_few(name: str, count: float) -> bool:
    """Say whether so many samples are too few for the statistic, which then is a percentile, to mean much.

    Source: docs.aws.amazon.com, "Percentile-based alarms and low data samples".
    """
    match = _PERCENTILE.fullmatch(name)
    share = min(float(match[1]), 100 - float(match[1])) if match else 0.0
    return share > 0 and count * share < 1000 * (1 - _ROUNDING)


def statistic(name: str, samples: Iterable[Sample]) -> float | None:
    """Return a statistic over all samples together; None where there is none to tell.

    name: SampleCount, Average, Sum, Minimum, Maximum or a percentile from p0 to p100. UnknownStatistic.
    A percentile of statistic sets can be told only where all samples of a set are one value.
    """
    if not is_statistic(name):
        raise UnknownStatistic(f"The value {name} for parameter Statistics is not supported.")
    if name.startswith("p"):
        return _percentile(float(name[1:]), samples)
    known = [sample for sample in samples if sample.count > 0]
    if not known:
        return None
    count, total = sum(sample.count for sample in known), sum(sample.total for sample in known)
    told = {"SampleCount": count, "Sum": total, "Average": total / count}
    if name in told:
        return told[name]
    if name == "Minimum":
        return min(sample.minimum for sample in known)
    return max(sample.maximum for sample in known)


def _percentile(percent: float, samples: Iterable[Sample]) -> float | None:
    counts: dict[float, float] = {}  # a day may have half a million values, and numbers sort faster than pairs
    for sample in samples:
        if sample.count <= 0:
            continue
        if not sample.values and sample.minimum != sample.maximum:
            return None
        for value, count in sample.values or ((sample.maximum, sample.count),):
            counts[value] = counts.get(value, 0.0) + count
    rank = sum(counts.values()) * percent / 100
    seen = 0.0
    found: float | None = None
    for found in sorted(counts):
        seen += counts[found]
        if seen >= rank * (1 - _ROUNDING):
            break
    return found
