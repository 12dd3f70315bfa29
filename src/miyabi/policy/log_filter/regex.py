"""The regular expressions of filter patterns, which are a small part of everybody else's."""

from __future__ import annotations

import re

_SYMBOLS = frozenset(" :_#=@/;,-")
_OPERATORS = frozenset("^$?[]{}|*+.")
_CLASSES = frozenset("dDsSwW")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{2}")
_TIMES = re.compile(r"\{(?:\d{1,4},?\d{0,4}|,\d{1,4})\}")


def compile_regex(text: str) -> re.Pattern[str]:
    """Compile the expression; `search` finds it anywhere. Raises ValueError for what AWS does not support.

    Source: docs.aws.amazon.com, "Supported regular expressions (regex) syntax": no parentheses, no multi-byte
    characters. The space is in the documentation's examples, so it is allowed here.
    """
    if not text:
        raise ValueError("it is empty")
    parts: list[str] = []
    position = 0
    in_class = False
    repeated = False
    while position < len(text):
        part, length = _part(text, position, in_class=in_class)
        if not in_class and (part in {"*", "+", "?"} or part.startswith("{")):
            if repeated and part != "?":
                raise ValueError(f"nothing to repeat at character {position + 1}")
            repeated = True
        else:
            repeated = False
        if text[position] == "[" and not in_class:
            in_class = True
        elif text[position] == "]" and in_class:
            in_class = False
        parts.append(part)
        position += length
    try:
        return re.compile("".join(parts), re.ASCII)
    except re.error as error:
        raise ValueError(str(error)) from error


def _part(text: str, position: int, *, in_class: bool) -> tuple[str, int]:
    """Return the next part in Python's notation, and how many characters it took."""
    character = text[position]
    if character == "\\":
        return _escape(text, position)
    if not (character.isascii() and (character.isalnum() or character in _SYMBOLS | _OPERATORS)):
        raise ValueError(f"'{character}' is not supported")
    if in_class:
        if text.startswith("--", position):
            raise ValueError("'--' is not supported")
        return (f"\\{character}" if character in _OPERATORS - {"]", "^"} else character), 1
    if character == "{":
        times = _TIMES.match(text, position)
        if times is None:
            raise ValueError("'{' is not followed by a number of times")
        return times[0], len(times[0])
    return {"$": r"\Z", "]": r"\]", "}": r"\}"}.get(character, character), 1


def _escape(text: str, position: int) -> tuple[str, int]:
    following = text[position + 1 : position + 2]
    if following == "x":
        digits = _HEXADECIMAL.match(text, position + 2)
        if digits is None:
            raise ValueError("'\\x' is not followed by two hexadecimal digits")
        return f"\\x{digits[0]}", 4
    if following in _CLASSES and following:
        return f"\\{following}", 2
    if following and following in _SYMBOLS | _OPERATORS | {"\\"}:
        return re.escape(following), 2
    raise ValueError(f"'\\{following}' is not supported")
