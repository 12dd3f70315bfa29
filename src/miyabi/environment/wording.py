"""What a decoder says about a TOML file, in the words of a person who writes one."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

_WORDS = {
    "str": "a text in quotes",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": 'a list: ["...", "..."]',
    "object": "a table of keys",
    "null": "nothing",
    "datetime": "a date",
    "date": "a date",
    "time": "a time",
}
_ABSENT = re.compile(r"Object missing required field `(\w+)`")
_OTHER = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a file, and where."""

    key: str
    """Where: `environments.dev.account`; empty for the file as a whole."""
    reason: str


def in_words(error: msgspec.ValidationError) -> Complaint:
    """Return the complaint that an error means."""
    text, _, place = str(error).partition(" - at ")
    key = re.sub(r"`|key in |\$\.?", "", place).replace("[...]", ".<name>")
    key = re.sub(r"\[(\d+)\]", lambda found: f" (element {int(found[1]) + 1})", key).strip(".")
    absent = _ABSENT.fullmatch(text)
    if absent:
        return Complaint(".".join(part for part in (key, absent[1]) if part), "is missing")
    other = _OTHER.fullmatch(text)
    if other:
        wanted = " or ".join(_WORDS.get(kind, kind) for kind in other[1].split(" | ") if kind != "null")
        return Complaint(key, f"must be {wanted}, not {_WORDS.get(other[2], other[2]).partition(':')[0]}")
    return Complaint(key, text.replace("`", "'").lower())
