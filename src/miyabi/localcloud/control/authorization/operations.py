"""Which operation a REST request asks for, found in botocore's model by method, path, query and headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from miyabi.localcloud.control.calls import models_of

_PLACE = re.compile(r"\{([^}+]+)(\+?)\}")


@dataclass(frozen=True, slots=True)
class _Route:
    operation: str
    path: re.Pattern[str]
    names: tuple[str, ...]
    """The members that the path's places hold."""
    query: tuple[tuple[str, str], ...]
    """What the query must have; an empty value stands for any."""
    headers: tuple[str, ...]
    literal: int
    """How many characters of the path are its own."""


def rest_operation(service: str, method: str, target: str, headers: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Return the operation and the parameters in its path and query; an empty name where none fits.

    target: path and query as sent. headers: names in lower case.
    """
    path, _, raw = target.partition("?")
    path = unquote(path) if service == "s3" else path  # as S3 reads it: an encoded slash parts bucket and key too
    query = dict(parse_qsl(raw, keep_blank_values=True))
    best: tuple[tuple[int, int], _Route, re.Match[str]] | None = None
    for route in _routes(service, method):
        found = route.path.fullmatch(path)
        if found is None or not _has(query, route.query) or not all(name in headers for name in route.headers):
            continue
        rank = (route.literal, len(route.query) + len(route.headers))
        if best is None or rank > best[0]:
            best = rank, route, found
    if best is None:
        return "", dict(query)
    _, route, found = best
    values = found.groups() if service == "s3" else [unquote(value) for value in found.groups()]
    return route.operation, query | dict(zip(route.names, values, strict=True))


def _has(query: Mapping[str, str], wanted: tuple[tuple[str, str], ...]) -> bool:
    return all(name in query and value in {"", query[name]} for name, value in wanted)


@cache
def _routes(service: str, method: str) -> tuple[_Route, ...]:
    return tuple(
        _route(name, model.operation_model(name))
        for model in models_of(service)
        for name in model.operation_names
        if model.operation_model(name).http.get("method") == method
    )


def _route(name: str, operation: Any) -> _Route:
    path, _, raw = str(operation.http["requestUri"]).partition("?")
    query = [pair for pair in parse_qsl(raw, keep_blank_values=True) if pair[0] != "x-id"]
    headers = []
    shape = operation.input_shape
    for member in shape.required_members if shape else ():
        place = shape.members[member].serialization
        if place.get("location") == "querystring":
            query.append((place.get("name", member), ""))
        elif place.get("location") == "header":
            headers.append(str(place.get("name", member)).lower())
    return _Route(
        operation=name,
        path=re.compile(_pattern(path)),
        names=tuple(found[1] for found in _PLACE.finditer(path)),
        query=tuple(query),
        headers=tuple(headers),
        literal=len(_PLACE.sub("", path)),
    )


def _pattern(path: str) -> str:
    """Return the regular expression of a template: `/{Bucket}/{Key+}`, where `+` reaches over slashes."""
    text, end = "", 0
    for found in _PLACE.finditer(path):
        text += re.escape(path[end : found.start()]) + ("(.+)" if found[2] else "([^/]+)")
        end = found.end()
    return text + re.escape(path[end:]) + "/?"
