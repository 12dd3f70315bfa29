"""Condition operators, their `...IfExists` forms and their sets.

Source: docs.aws.amazon.com, "IAM JSON policy elements: Condition operators" and "Set operators for multivalued context
keys".
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from ipaddress import ip_address, ip_network
from typing import Any

from miyabi.policy.iam.patterns import Context, matches, substitute

_ARN_PARTS = 6

Compare = Callable[[str, str, Context], bool]
"""(policy's value, request's value, context) -> whether they fit. ValueError: one of them is no such value."""


class Values(Enum):
    """How a key of several values is compared."""

    ONE = ""
    ALL = "ForAllValues"
    ANY = "ForAnyValue"


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of a condition block."""

    operator: str
    """Without its prefix and suffix: `StringLike`."""
    key: str
    """In lower case."""
    values: tuple[str, ...]
    quantifier: Values = Values.ONE
    if_exists: bool = False


def read_condition(name: str, key: str, values: tuple[str, ...]) -> Condition:
    """Return the condition. ValueError: there is no such operator."""
    prefix, colon, rest = name.rpartition(":")
    quantifier = Values(prefix) if colon else Values.ONE
    base = rest.removesuffix("IfExists")
    if base not in _OPERATORS and base != "Null":
        raise ValueError(f"the condition operator {name!r} does not exist")
    return Condition(base, key.lower(), values, quantifier, if_exists=base != rest)


def holds(condition: Condition, context: Context, *, variables: bool = True) -> bool:
    """Say whether the condition is met.

    variables: whether `${...}` in the policy's values stands for what the request says.
    """
    given = context.get(condition.key)
    if condition.operator == "Null":
        return str(given is None).lower() in [value.lower() for value in condition.values]
    compare, negated = _OPERATORS[condition.operator]
    if not given:
        return _without_a_value(condition, negated=negated)

    wanted = condition.values if variables else tuple(value.replace("${", "${$}{") for value in condition.values)

    def fits(value: str) -> bool:
        return any(_compared(compare, one, value, context) for one in wanted) != negated

    match condition.quantifier:
        case Values.ALL:
            return all(fits(value) for value in given)
        case Values.ANY:
            return any(fits(value) for value in given)
        case Values.ONE:
            return all(fits(value) for value in given) if negated else any(fits(value) for value in given)


def _without_a_value(condition: Condition, *, negated: bool) -> bool:
    match condition.quantifier:
        case Values.ALL:
            return True
        case Values.ANY:
            return condition.if_exists
        case Values.ONE:
            return condition.if_exists or negated


def _compared(compare: Compare, wanted: str, value: str, context: Context) -> bool:
    try:
        return compare(wanted, value, context)
    except (ValueError, InvalidOperation):
        return False  # "abc" is no number, so it is not the number either


def _equals(wanted: str, value: str, context: Context) -> bool:
    return substitute(wanted, context) == value


def _equals_ignoring_case(wanted: str, value: str, context: Context) -> bool:
    text = substitute(wanted, context)
    return text is not None and text.lower() == value.lower()


def _like(wanted: str, value: str, context: Context) -> bool:
    return matches(wanted, value, context)


def _arn_like(wanted: str, value: str, context: Context) -> bool:
    """Compare the six parts of two ARNs one by one, as AWS does: a `*` does not reach into the next part."""
    patterns, parts = _arn_parts(wanted), value.split(":", _ARN_PARTS - 1)
    return len(patterns) == len(parts) == _ARN_PARTS and all(
        matches(pattern, part, context) for pattern, part in zip(patterns, parts, strict=True)
    )


def _arn_parts(pattern: str) -> list[str]:
    """Split an ARN's pattern at its colons, but not at those within a variable's name."""
    parts, depth = [""], 0
    for position, char in enumerate(pattern):
        depth += (char == "{" and pattern[position - 1 : position] == "$") - (char == "}" and depth > 0)
        if char == ":" and not depth and len(parts) < _ARN_PARTS:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _ordered(relation: Callable[[Any, Any], bool], read: Callable[[str], Any]) -> Compare:
    """Return a comparison of the request's value with the policy's: `NumericLessThan` is request < policy."""

    def compare(wanted: str, value: str, _: Context) -> bool:
        return relation(read(value), read(wanted))

    return compare


def _instant(text: str) -> datetime:
    """Read ISO 8601 or seconds since 1970."""
    if text.replace(".", "", 1).isdigit() and len(text.partition(".")[0]) > 4:
        return datetime.fromtimestamp(float(text), UTC)
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _bool(wanted: str, value: str, context: Context) -> bool:
    return _equals_ignoring_case(wanted, value, context)


def _within(wanted: str, value: str, _: Context) -> bool:
    return ip_address(value) in ip_network(wanted, strict=False)


_OPERATORS: dict[str, tuple[Compare, bool]] = {
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (_equals_ignoring_case, False),
    "StringNotEqualsIgnoreCase": (_equals_ignoring_case, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "NumericEquals": (_ordered(operator.eq, Decimal), False),
    "NumericNotEquals": (_ordered(operator.eq, Decimal), True),
    "NumericLessThan": (_ordered(operator.lt, Decimal), False),
    "NumericLessThanEquals": (_ordered(operator.le, Decimal), False),
    "NumericGreaterThan": (_ordered(operator.gt, Decimal), False),
    "NumericGreaterThanEquals": (_ordered(operator.ge, Decimal), False),
    "DateEquals": (_ordered(operator.eq, _instant), False),
    "DateNotEquals": (_ordered(operator.eq, _instant), True),
    "DateLessThan": (_ordered(operator.lt, _instant), False),
    "DateLessThanEquals": (_ordered(operator.le, _instant), False),
    "DateGreaterThan": (_ordered(operator.gt, _instant), False),
    "DateGreaterThanEquals": (_ordered(operator.ge, _instant), False),
    "Bool": (_bool, False),
    "BinaryEquals": (_equals, False),
    "IpAddress": (_within, False),
    "NotIpAddress": (_within, True),
    "ArnEquals": (_arn_like, False),
    "ArnNotEquals": (_arn_like, True),
    "ArnLike": (_arn_like, False),
    "ArnNotLike": (_arn_like, True),
}
"""Comparison, and whether the operator is its opposite."""
