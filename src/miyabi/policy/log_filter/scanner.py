"""Reading a filter pattern from left to right."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn, TypeVar

from miyabi.policy.log_filter.regex import compile_regex

T = TypeVar("T")
Condition = Callable[[T], bool]

_SPACES = re.compile(r"\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_REGEX = re.compile(r"%([^%]*)%")
_ESCAPED = re.compile(r'\\(["\\])')
_DEEPEST = 50


class InvalidFilter(ValueError):
    """The filter pattern's syntax is not valid."""


class Scanner:
    """A pattern and how far it has been read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.regexes = 0

    def skip_spaces(self) -> None:
        """Go on to the next character that is not white space."""
        found = _SPACES.match(self.text, self.position)
        self.position = found.end() if found else self.position

    def at(self, literal: str) -> bool:
        """Say whether the literal comes next."""
        return self.text.startswith(literal, self.position)

    def at_end(self) -> bool:
        """Say whether everything has been read."""
        return self.position >= len(self.text)

    def accept(self, literal: str) -> bool:
        """Read the literal if it comes next."""
        if not self.at(literal):
            return False
        self.position += len(literal)
        return True

    def expect(self, literal: str) -> None:
        """Read the literal, or fail."""
        if not self.accept(literal):
            self.fail(f"'{literal}' expected")

    def take(self, form: re.Pattern[str]) -> re.Match[str] | None:
        """Read what has this form, if it comes next."""
        found = form.match(self.text, self.position)
        if found is not None:
            self.position = found.end()
        return found

    def quoted(self) -> str:
        """Read a string in double quotation marks; a backslash escapes one, and itself."""
        found = self.take(_QUOTED)
        if found is None:
            self.fail("a quotation mark is not closed")
        return _ESCAPED.sub(r"\1", found[1])

    def regex(self) -> re.Pattern[str]:
        """Read a regular expression between percent signs."""
        found = self.take(_REGEX)
        if found is None:
            self.fail("a regular expression is not closed by '%'")
        self.regexes += 1
        try:
            return compile_regex(found[1])
        except ValueError as error:
            raise InvalidFilter(f"Invalid regular expression '{found[1]}' in the filter pattern: {error}") from error

    def fail(self, what: str) -> NoReturn:
        """Raise InvalidFilter, saying where."""
        raise InvalidFilter(f"Invalid filter pattern: {what} at character {self.position + 1} of '{self.text}'")


def expression(scanner: Scanner, condition: Callable[[Scanner], Condition[T]], depth: int = 0) -> Condition[T]:
    """Read conditions joined by && and ||, with parentheses; && binds closer."""
    if depth > _DEEPEST:
        scanner.fail("too many parentheses")
    alternatives = [_conjunction(scanner, condition, depth)]
    while _joined(scanner, "||"):
        alternatives.append(_conjunction(scanner, condition, depth))
    if len(alternatives) == 1:
        return alternatives[0]
    return lambda subject: any(alternative(subject) for alternative in alternatives)


def _conjunction(scanner: Scanner, condition: Callable[[Scanner], Condition[T]], depth: int) -> Condition[T]:
    parts = [_primary(scanner, condition, depth)]
    while _joined(scanner, "&&"):
        parts.append(_primary(scanner, condition, depth))
    if len(parts) == 1:
        return parts[0]
    return lambda subject: all(part(subject) for part in parts)


def _primary(scanner: Scanner, condition: Callable[[Scanner], Condition[T]], depth: int) -> Condition[T]:
    scanner.skip_spaces()
    if not scanner.accept("("):
        return condition(scanner)
    inside = expression(scanner, condition, depth + 1)
    scanner.skip_spaces()
    scanner.expect(")")
    return inside


def _joined(scanner: Scanner, operator: str) -> bool:
    scanner.skip_spaces()
    return scanner.accept(operator)
