"""Comparing one value with what a pattern wants of it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, DecimalException

from miyabi.policy.log_filter.scanner import Scanner

Value = str | Decimal
"""A JSON string or number, or the text of a field."""

_OPERATORS = ("!=", ">=", "<=", "=", ">", "<")  # the longer ones first
_ORDER: dict[str, Callable[[Decimal, Decimal], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_BARE = re.compile(r"[A-Za-z0-9_.*+-]+")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,6})?")


@dataclass(frozen=True, slots=True)
class _Operand:
    text: str
    number: Decimal | None

    def equals(self, value: Value) -> bool:
        if self.text.startswith("*") or self.text.endswith("*"):
            return _like(str(value), self.text)
        if isinstance(value, Decimal):
            return self.number is not None and value == self.number
        return value == self.text


def comparison(scanner: Scanner, *, numbers_in_text: bool) -> Callable[[Value], bool]:
    """Read an operator and an operand, and return the test.

    numbers_in_text: whether a text that reads as a number is one, as in a space-delimited field.
    """
    scanner.skip_spaces()
    sign = next((one for one in _OPERATORS if scanner.accept(one)), None)
    if sign is None:
        scanner.fail("one of = != < <= > >= expected")
    scanner.skip_spaces()
    if scanner.at("%"):
        if sign not in {"=", "!="}:
            scanner.fail(f"'{sign}' needs a number")
        regex = scanner.regex()
        return _negated(sign, lambda value: regex.search(str(value)) is not None)
    operand = _operand(scanner)
    if sign in _ORDER:
        number, order = operand.number, _ORDER[sign]
        if number is None:
            scanner.fail(f"'{sign}' needs a number")
        return lambda value: (found := _number_in(value, numbers_in_text)) is not None and order(found, number)

    def equals(value: Value) -> bool:
        if numbers_in_text and operand.number is not None:
            found = _number_in(value, numbers_in_text)
            if found is not None:
                return found == operand.number
        return operand.equals(value)

    return _negated(sign, equals)


def _negated(sign: str, equals: Callable[[Value], bool]) -> Callable[[Value], bool]:
    return equals if sign == "=" else lambda value: not equals(value)


def _operand(scanner: Scanner) -> _Operand:
    if scanner.at('"'):
        return _Operand(scanner.quoted(), None)
    found = scanner.take(_BARE)
    if found is None:
        scanner.fail("a value expected; one with other characters than letters, digits and _ . * + - needs quotes")
    return _Operand(found[0], parse_number(found[0]))


def parse_number(text: str) -> Decimal | None:
    """Return the number that the text is, in integer, decimal or scientific notation."""
    if _NUMBER.fullmatch(text) is None:
        return None
    try:
        return Decimal(text)
    except DecimalException:
        return None


def _number_in(value: Value, in_text: bool) -> Decimal | None:  # noqa: FBT001 - internal
    if isinstance(value, Decimal):
        return value
    return parse_number(value) if in_text else None


def _like(text: str, wanted: str) -> bool:
    """Match a wildcard at the beginning, at the end, or both; in the middle an asterisk is an asterisk."""
    if wanted.strip("*") == "":
        return True
    if wanted.startswith("*") and wanted.endswith("*"):
        return wanted[1:-1] in text
    return text.endswith(wanted[1:]) if wanted.startswith("*") else text.startswith(wanted[:-1])
