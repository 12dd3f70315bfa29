"""The ARNs of what a request is about, from its parameters.

A template's braces hold a parameter: `{cluster=default}` has a default, `{Budget.BudgetName}` is nested, a list gives
an ARN for each of its values. Where the last one holds an ARN already, that ARN is the resource; an ARN in another one
stands for the name at its end. Of an operation's templates all count that can be filled. Where none can, and for the
operations that are not here, the resource is `*`. Source: AWS's Service Authorization Reference.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from miyabi.localcloud.control.authorization.tables import TEMPLATES

Params = dict[str, Any]

ANY = ("*",)
_PLACE = re.compile(r"\{([^}=]+)(?:=([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request was sent."""

    account: str
    region: str


def resources_of(service: str, operation: str, params: Params, place: Place) -> tuple[str, ...]:
    """Return the ARNs, `("*",)` where they cannot be derived."""
    known = TEMPLATES.get(service, {})
    for names, templates in known.items():
        if any(_is_named(operation, name) for name in names.split()):
            found = [arn for template in templates for arn in filled(template, params, place)]
            return tuple(dict.fromkeys(found)) or ANY
    return ANY


def _is_named(operation: str, name: str) -> bool:
    return operation.startswith(name[:-1]) if name.endswith("*") else operation == name


def filled(template: str, params: Params, place: Place) -> Iterator[str]:
    """Yield the ARNs of a template; none where a parameter is missing."""
    places = list(_PLACE.finditer(template))
    given = [_values(found[1], found[2], params, place) for found in places]
    for values in itertools.product(*given):
        if values and values[-1].startswith("arn:") and not template.endswith(":log-stream:"):
            yield values[-1]
            continue
        text, end = "", 0
        for found, value in zip(places, values, strict=True):
            text += template[end : found.start()] + _name(value)
            end = found.end()
        yield text + template[end:]


def _values(name: str, default: str | None, params: Params, place: Place) -> list[str]:
    if name in {"account", "region"}:
        return [getattr(place, name)]
    found = list(_texts(params, name.split(".")))
    return found or ([] if default is None else [default])


def _texts(value: Any, path: list[str]) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, path)
    elif not path:
        if isinstance(value, str) and value:
            yield value
    elif isinstance(value, dict):
        if path[0] == "#":  # the names of a map
            yield from value
        else:
            yield from _texts(value.get(path[0]), path[1:])


def _name(value: str) -> str:
    """Return the name in an ARN, anything else as it is."""
    if not value.startswith("arn:"):
        return value
    resource = value.split(":", 5)[-1]
    if resource.startswith("log-group:"):
        return resource.split(":")[1]
    return resource.rpartition("/")[2]
