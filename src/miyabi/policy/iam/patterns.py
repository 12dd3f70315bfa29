"""Wildcards and policy variables: `*` is any text, `?` one character, `${aws:username}` what the request says.

What a variable brings in is literal, whatever characters it holds. Source: docs.aws.amazon.com, "IAM policy elements:
Variables and tags".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

Context = Mapping[str, Sequence[str]]
"""The request's condition keys, in lower case, each with its values."""

_ANY, _ONE = "any", "one"
_VARIABLE = re.compile(r"\$\{\s*([^},]*?)\s*(?:,\s*'([^']*)'\s*)?\}")
_LITERALS = {"*", "?", "$"}

Tokens = tuple[str, ...]
"""Single characters, and the two wildcards by their names."""


def matches(pattern: str, value: str, context: Context, *, ignore_case: bool = False) -> bool:
    """Say whether the value fits the pattern; never where one of its variables has no value."""
    if ignore_case:
        pattern, value = pattern.lower(), value.lower()
    if "${" in pattern:
        tokens = _substituted(pattern, context, wild=True)
        return tokens is not None and _fits(tokens, value)
    return value.startswith(_beginning(pattern)) and _fits(_tokens(pattern), value)


def substitute(text: str, context: Context) -> str | None:
    """Return the text with its variables replaced; None where one has no value. Wildcards stay what they are."""
    if "${" not in text:
        return text
    tokens = _substituted(text, context, wild=False)
    return None if tokens is None else "".join(tokens)


@lru_cache(maxsize=4096)
def _beginning(pattern: str) -> str:
    """Return what comes before the first wildcard: most patterns of a policy are about something else."""
    return pattern[: min(pattern.find(wildcard) % (len(pattern) + 1) for wildcard in "*?")]


@lru_cache(maxsize=4096)
def _tokens(pattern: str) -> Tokens:
    return tuple(_ANY if char == "*" else _ONE if char == "?" else char for char in pattern)


def _substituted(pattern: str, context: Context, *, wild: bool) -> Tokens | None:
    tokens: list[str] = []
    end = 0
    for found in _VARIABLE.finditer(pattern):
        tokens += _plain(pattern[end : found.start()], wild=wild)
        value = _value(found[1], found[2], context)
        if value is None:
            return None
        tokens += value
        end = found.end()
    return (*tokens, *_plain(pattern[end:], wild=wild))


def _plain(text: str, *, wild: bool) -> Sequence[str]:
    return _tokens(text) if wild else tuple(text)


def _value(name: str, default: str | None, context: Context) -> str | None:
    """Return a variable's value; a key of several values has none, as on AWS."""
    if name in _LITERALS:
        return name
    values = context.get(name.lower(), ())
    return values[0] if len(values) == 1 else default


def _fits(tokens: Tokens, value: str) -> bool:
    """Match by going back to the last `*` only, so that no pattern takes more than length times length."""
    at = place = 0
    star, marked = -1, 0
    while place < len(value):
        if at < len(tokens) and (tokens[at] == _ONE or tokens[at] == value[place]):
            at, place = at + 1, place + 1
        elif at < len(tokens) and tokens[at] == _ANY:
            star, marked = at, place
            at += 1
        elif star >= 0:
            marked += 1
            at, place = star + 1, marked
        else:
            return False
    return all(token == _ANY for token in tokens[at:])
