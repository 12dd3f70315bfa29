"""What requests to CloudWatch ask for, checked and turned into nouns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from miyabi.localcloud.control.api_error import ApiError, Params
from miyabi.model.alarms import MetricQuery, MetricStat
from miyabi.model.metrics import Sample
from miyabi.policy.custom_metrics import takes_value
from miyabi.policy.metric_math import BadExpression, parse
from miyabi.policy.statistics import is_period, is_statistic

_MOST_DIMENSIONS = 30
_MOST_QUERIES = 500


def invalid(message: str) -> ApiError:
    """Return an InvalidParameterValue error."""
    return ApiError("InvalidParameterValue", message)


def combination(message: str) -> ApiError:
    """Return an InvalidParameterCombination error."""
    return ApiError("InvalidParameterCombination", message)


def instant(given: datetime) -> datetime:
    """Return an instant of a request, which moto's parser gives without its zone: UTC."""
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given


def dimensions(given: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    """Return dimensions by name."""
    found = {one["Name"]: one["Value"] for one in given or []}
    if len(found) != len(given or []):
        raise invalid("No two dimensions may have the same name.")
    if len(found) > _MOST_DIMENSIONS:
        raise invalid(f"The collection Dimensions must not have a size greater than {_MOST_DIMENSIONS}.")
    return found


def period(given: int) -> int:
    """Return a period in seconds: 1, 5, 10, 20, 30 or a multiple of 60."""
    if is_period(given):
        return given
    raise invalid(f"The value {given} for parameter Period is not 1, 5, 10, 20, 30 or a multiple of 60.")


def statistic_name(given: str) -> str:
    """Return the name of a statistic."""
    if is_statistic(given):
        return given
    raise invalid(f"The value {given} for parameter Stat is not supported.")


def sample(datum: Params) -> Sample:
    """Return what one MetricDatum tells: a value, values with their counts, or a statistic set."""
    given = [name for name in ("Value", "Values", "StatisticValues") if datum.get(name) is not None]
    if len(given) != 1:
        raise combination("Exactly one of Value, Values and StatisticValues must be given for each metric datum.")
    if "Value" in given:
        return _sample([(_number(datum["Value"]), 1.0)])
    if "Values" in given:
        values, counts = datum["Values"], datum.get("Counts")
        if counts is None:
            counts = [1.0] * len(values)
        if len(values) != len(counts) or not 1 <= len(values) <= 150:
            raise invalid("Values and Counts must have the same size, from 1 to 150.")
        return _sample([(_number(value), _number(count)) for value, count in zip(values, counts, strict=True)])
    sets = {name: _number(datum["StatisticValues"][name]) for name in ("SampleCount", "Sum", "Minimum", "Maximum")}
    if sets["SampleCount"] <= 0 or sets["Minimum"] > sets["Maximum"]:
        raise invalid("A statistic set needs a SampleCount above 0, and a Minimum that is not above the Maximum.")
    count, total, value = sets["SampleCount"], sets["Sum"], sets["Minimum"]
    known = value == sets["Maximum"] and math.isclose(total, value * count)
    return Sample(count, total, value, sets["Maximum"], ((value, count),) if known else ())


def _sample(values: Sequence[tuple[float, float]]) -> Sample:
    if any(count <= 0 for _, count in values):
        raise invalid("Counts must be above 0.")
    numbers = [value for value, _ in values]
    count, total = sum(count for _, count in values), math.fsum(value * count for value, count in values)
    return Sample(count, total, min(numbers), max(numbers), tuple(values))


def _number(given: Any) -> float:
    value = float(given)
    if not takes_value(value):
        raise invalid(f"The value {given} for parameter MetricData.member.Value is invalid.")
    return value


def queries(given: Sequence[Params], *, most: int = _MOST_QUERIES) -> tuple[MetricQuery, ...]:
    """Return metric data queries; their ids differ and their expressions can be read."""
    if len(given) > most:
        raise ApiError("ValidationError", f"At most {most} queries can be given.")
    found = tuple(_query(one) for one in given)
    names = [one.id for one in found]
    for name in names:
        if not name[:1].islower() or not name.replace("_", "a").isalnum():
            raise ApiError("ValidationError", f"Invalid id: '{name}' begins with a lower-case letter and has no signs.")
        if names.count(name) > 1:
            raise ApiError(
                "ValidationError", f"The values for parameter id in MetricDataQueries are not unique: {name}"
            )
    return found


def _query(given: Params) -> MetricQuery:
    expression, stat = given.get("Expression"), given.get("MetricStat")
    if (expression is None) == (stat is None):
        raise ApiError("ValidationError", "Exactly one of Expression and MetricStat must be given for each query.")
    if expression is not None:
        try:
            parse(expression)
        except BadExpression as error:
            raise ApiError("ValidationError", f"Error in expression '{given['Id']}': {error}") from error
    return MetricQuery(
        id=given["Id"],
        stat=None if stat is None else _stat(stat),
        expression=expression,
        label=given.get("Label"),
        period_seconds=None if given.get("Period") is None else period(given["Period"]),
        return_data=given.get("ReturnData", True) is not False,
    )


def _stat(given: Params) -> MetricStat:
    metric = given["Metric"]
    return MetricStat(
        namespace=metric.get("Namespace") or "",
        name=metric.get("MetricName") or "",
        dimensions=dimensions(metric.get("Dimensions")),
        period_seconds=period(given["Period"]),
        statistic=statistic_name(given["Stat"]),
        unit=given.get("Unit"),
    )
