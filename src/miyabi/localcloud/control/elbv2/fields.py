"""Reading the fields of a request: one that is missing or malformed is a ValidationError in AWS's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from miyabi.localcloud.control.elbv2.nouns import invalid
from miyabi.localcloud.control.service import ApiError

PORTS = range(1, 65536)


def text(entry: Any, key: str) -> str:
    """Return a text that must be there."""
    value = entry.get(key) if isinstance(entry, Mapping) else None
    if value is None:
        raise _constraint(None, key, "Member must not be null")
    if not isinstance(value, str):
        raise _constraint(value, key, "Member must be a string")
    return value


def number(value: Any, key: str, allowed: range) -> int:
    """Return a number after checking its bounds."""
    if value is None:
        raise _constraint(None, key, "Member must not be null")
    if not isinstance(value, int) or isinstance(value, bool):
        raise _constraint(value, key, "Member must be a number")
    if value < allowed.start:
        raise _constraint(value, key, f"Member must have value greater than or equal to {allowed.start}")
    if value >= allowed.stop:
        raise _constraint(value, key, f"Member must have value less than or equal to {allowed.stop - 1}")
    return value


def optional_port(entry: Mapping[str, Any]) -> int | None:
    """Return the port that an entry names, if it names one."""
    value = entry.get("Port")
    return None if value is None else number(value, "Port", PORTS)


def is_port(value: str) -> bool:
    """Say whether the text is a port number."""
    return value.isascii() and value.isdecimal() and len(value) <= 5 and int(value) in PORTS


def pairs(entries: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """Return a list of Key and Value as a dict."""
    return {text(entry, "Key"): "" if entry.get("Value") is None else text(entry, "Value") for entry in entries or ()}


def _constraint(value: object, key: str, constraint: str) -> ApiError:
    shown = "null" if value is None else f"'{value}'"
    name = key[:1].lower() + key[1:]
    return invalid(f"1 validation error detected: Value {shown} at '{name}' failed to satisfy constraint: {constraint}")
