"""What CloudWatch takes of a caller's own metrics, by its API or in a log line.

Source: docs.aws.amazon.com, "MetricDatum" and "PutMetricData".
"""

from __future__ import annotations

from typing import Any, Final

_LARGEST: Final = 2.0**360
"""CloudWatch takes values from -2^360 to 2^360, so no sum of them overflows."""


def takes_namespace(namespace: str) -> bool:
    """Say whether metrics may go there: not into those of AWS's services."""
    return not namespace.upper().startswith("AWS/") and not namespace.startswith(":")


def takes_value(value: Any) -> bool:
    """Say whether it is a number, finite and within bounds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST
