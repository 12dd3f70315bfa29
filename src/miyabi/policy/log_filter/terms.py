"""Patterns of terms: words and phrases anywhere in the message."""

from __future__ import annotations

import re
from collections.abc import Callable

from miyabi.policy.log_filter.scanner import InvalidFilter, Scanner

_WORD = re.compile(r"[A-Za-z0-9_]+(?=\s|\Z)")
_UNTIL_SPACE = re.compile(r"\S*")


def compile_terms(text: str) -> Callable[[str], bool]:
    """Return the test of a pattern of terms, or of one regular expression."""
    scanner = Scanner(text)
    if scanner.at("%"):
        regex = scanner.regex()
        if not scanner.at_end():
            scanner.fail("a regular expression must be the whole pattern")
        return lambda message: regex.search(message) is not None
    wanted: list[str] = []
    unwanted: list[str] = []
    optional: list[str] = []
    while not scanner.at_end():
        terms = wanted
        if scanner.accept("?"):
            terms = optional
        elif scanner.accept("-"):
            scanner.skip_spaces()
            terms = unwanted
        term = _term(scanner)
        if term.strip() or terms is not wanted:  # '" "' is how the documentation writes "everything"
            terms.append(term)
        scanner.skip_spaces()
    # "If you combine ? with other filter patterns, all question mark terms will be ignored."
    if optional and not wanted and not unwanted:
        return lambda message: any(term in message for term in optional)
    if len(wanted) == 1 and not unwanted:
        only = wanted[0]
        return lambda message: only in message
    return lambda message: all(term in message for term in wanted) and not any(term in message for term in unwanted)


def _term(scanner: Scanner) -> str:
    if scanner.at('"'):
        phrase = scanner.quoted()
        if not scanner.at_end() and not scanner.text[scanner.position].isspace():
            scanner.fail("a space expected after the phrase")
        return phrase
    found = scanner.take(_WORD)
    if found is None:
        rest = scanner.take(_UNTIL_SPACE)
        term = rest[0] if rest else ""
        raise InvalidFilter(f"Invalid character(s) in term '{term}': put it in quotation marks")
    return found[0]
