"""Patterns for messages of fields: `[ip, user, ..., request = *.html*, status = 4*, bytes > 1000]`."""

from __future__ import annotations

import re
from collections.abc import Callable

from miyabi.policy.log_filter.comparison import Value, comparison
from miyabi.policy.log_filter.scanner import Condition, Scanner, expression

# Brackets and quotation marks hold one field together.
_FIELD = re.compile(r'\[([^\]]*)\](?=\s|\Z)|"((?:[^"\\]|\\.)*)"(?=\s|\Z)|(\S+)')
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_MOST_REGEXES = 2

_Field = Condition[Value] | None


def compile_delimited(text: str) -> Callable[[str], bool]:
    """Return the test of a pattern of fields."""
    scanner = Scanner(text)
    scanner.expect("[")
    fields: list[_Field] = []
    ellipsis: int | None = None
    while True:
        scanner.skip_spaces()
        if scanner.accept("..."):
            if ellipsis is not None:
                scanner.fail("only one ellipsis is allowed")
            ellipsis = len(fields)
        else:
            fields.append(_field(scanner))
        scanner.skip_spaces()
        if not scanner.accept(","):
            break
    scanner.expect("]")
    if not scanner.at_end():
        scanner.fail("nothing may follow the closing bracket")
    if scanner.regexes > _MOST_REGEXES:
        scanner.fail(f"at most {_MOST_REGEXES} regular expressions are allowed")
    return lambda message: _matches(message, fields, ellipsis)


def _field(scanner: Scanner) -> _Field:
    """Read one field; None is a field without a condition."""
    if scanner.at(",") or scanner.at("]"):
        return None
    names: set[str] = set()
    bare: list[bool] = []

    def condition(inside: Scanner) -> Condition[Value]:
        inside.skip_spaces()
        name = inside.take(_NAME)
        if name is None:
            inside.fail("a field name expected")
        names.add(name[0])
        inside.skip_spaces()
        if inside.at(",") or inside.at("]"):
            bare.append(True)
            return lambda _value: True
        return comparison(inside, numbers_in_text=True)

    test = expression(scanner, condition)
    if len(names) > 1:
        scanner.fail(f"one field is named both {' and '.join(sorted(names))}")
    return None if bare == [True] and len(names) == 1 else test


def _matches(message: str, fields: list[_Field], ellipsis: int | None) -> bool:
    found = list(_FIELD.finditer(message))
    if len(found) < len(fields):
        return False
    values = [next(group for group in one.groups() if group is not None) for one in found]
    if ellipsis is not None:
        tail = len(fields) - ellipsis
        values = values[:ellipsis] + values[len(values) - tail :]
    elif len(values) > len(fields):
        last = len(fields) - 1
        values = [*values[:last], message[found[last].start() :].rstrip()]
    return all(test is None or test(value) for test, value in zip(fields, values, strict=True))
