"""Many values in little room: what percentiles are told from.

Up to a limit the values are kept as they are. Beyond it those that differ by less than a hundredth fall together, as in
CloudWatch's own distributions; count, sum, minimum and maximum are kept apart and stay exact.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Final

LIMIT: Final = 300
"""Values that are kept as they are."""
_BASE: Final = math.log(1.01)
_DIGITS: Final = 12


def condensed(values: Sequence[tuple[float, float]], *, limit: int = LIMIT) -> tuple[tuple[float, float], ...]:
    """Return values and their counts, each value once; more than `limit` of them within half a percent of the truth."""
    counts: dict[float, float] = {}
    for value, count in values:
        counts[value] = counts.get(value, 0.0) + count
    if len(counts) > limit:
        coarse: dict[float, float] = {}
        for value, count in counts.items():
            rounded = _rounded(value)
            coarse[rounded] = coarse.get(rounded, 0.0) + count
        counts = coarse
    return tuple(counts.items())


def _rounded(value: float) -> float:
    if not math.isfinite(value):
        return value
    if abs(value) < sys.float_info.min:
        return 0.0
    middle = math.exp(round(math.log(abs(value)) / _BASE) * _BASE)
    return math.copysign(round(middle, _DIGITS - math.floor(math.log10(middle))), value)
