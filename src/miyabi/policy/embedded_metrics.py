"""Metrics that log lines carry in CloudWatch's embedded metric format.

Source: docs.aws.amazon.com, "Specification: Embedded metric format".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from miyabi.model.metrics import Sample
from miyabi.policy.custom_metrics import takes_namespace, takes_value

MARK: Final = '"_aws"'
"""What a line has in it that may carry metrics."""
_MOST_VALUES: Final = 100
_MOST_METRICS: Final = 100
_MOST_DIMENSIONS: Final = 30
_OLDEST, _NEWEST = timedelta(weeks=2), timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Embedded:
    """One metric of a line, for one of its sets of dimensions."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    unit: str
    at: datetime
    sample: Sample
    width: int
    """1 where a storage resolution of one second is asked for, else 60."""


def embedded_metrics(line: str, *, now: datetime) -> list[Embedded]:
    """Return what a line carries; a line, or a part of one, that does not follow the format carries nothing."""
    if MARK not in line:
        return []
    try:
        root = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return []
    about = root.get("_aws") if isinstance(root, dict) else None
    if not isinstance(about, dict) or not isinstance(about.get("CloudWatchMetrics"), list):
        return []
    at = _instant(about.get("Timestamp"))
    if at is None or not now - _OLDEST <= at <= now + _NEWEST:
        return []
    return [one for directive in about["CloudWatchMetrics"] for one in _directive(directive, root, at)]


def _instant(milliseconds: Any) -> datetime | None:
    if not takes_value(milliseconds):
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _directive(directive: Any, root: Mapping[str, Any], at: datetime) -> Iterator[Embedded]:
    if not isinstance(directive, dict) or not isinstance(directive.get("Namespace"), str):
        return
    sets, metrics = directive.get("Dimensions") or [[]], directive.get("Metrics")
    if not takes_namespace(directive["Namespace"]):
        return
    if not isinstance(sets, list) or not isinstance(metrics, list):
        return
    for metric in metrics[:_MOST_METRICS]:
        name = metric.get("Name") if isinstance(metric, dict) else None
        sample = _sample(root.get(name)) if isinstance(name, str) else None
        if sample is None or not isinstance(name, str):
            continue
        unit = metric.get("Unit") if isinstance(metric.get("Unit"), str) else "None"
        width = 1 if metric.get("StorageResolution") == 1 else 60
        for keys in sets:
            dimensions = _dimensions(keys, root)
            if dimensions is not None:
                yield Embedded(directive["Namespace"], name, dimensions, unit, at, sample, width)


def _dimensions(keys: Any, root: Mapping[str, Any]) -> dict[str, str] | None:
    if not isinstance(keys, list) or len(keys) > _MOST_DIMENSIONS:
        return None
    found = {key: root.get(key) for key in keys if isinstance(key, str)}
    if len(found) != len(keys) or not all(isinstance(value, str) and value for value in found.values()):
        return None
    return {key: str(value) for key, value in found.items()}


def _sample(value: Any) -> Sample | None:
    values = value if isinstance(value, list) else [value]
    if not 1 <= len(values) <= _MOST_VALUES or not all(map(takes_value, values)):
        return None
    return Sample.of(*map(float, values))
