"""Whether a request's members have the types and bounds of the service's model, and what they are."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import msgspec
from botocore.utils import parse_timestamp
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request

from miyabi.localcloud.control.api_error import ApiError, Params

_INTEGER_BITS = {"byte": 8, "short": 16, "integer": 32, "long": 64}
_KINDS: dict[str, type | tuple[type, ...]] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "character": str,
    "blob": str,
    "boolean": bool,
    "byte": int,
    "short": int,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, str),
}


def parse(operation: OperationModel, protocol: str, request: Request) -> Params:
    """Return the request's parameters.

    Raises `ApiError`: for JSON SerializationException where a member has another type, for Query MalformedInput where
    one cannot be read; ValidationError or InvalidParameterException where a required one is missing or one is out of
    its bounds.
    """
    shape = operation.input_shape
    if protocol == "json" and shape is not None:
        _check_types(shape, json_object(request.data), "")
    parser = PROTOCOL_PARSERS[protocol](operation, map_type=dict)
    try:
        params: Params = parser.parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.data,
                "url_path": request.path,
                "url_params": {},
            }
        )
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        code = "SerializationException" if protocol == "json" else "MalformedInput"
        raise ApiError(code, f"A parameter cannot be read: {error}") from error
    if shape is not None:
        failures = list(_failures(shape, params, ""))
        if failures:
            raise ApiError(_code(operation), _message(failures))
    return params


def json_object(body: bytes) -> dict[str, object]:
    """Return a JSON body's members, none for an empty body; `ApiError` SerializationException for anything else."""
    try:
        return msgspec.json.decode(body, type=dict[str, object]) if body else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError("SerializationException", f"The body is not a JSON object: {error}") from error


def _code(operation: OperationModel) -> str:
    model = operation.service_model
    if model.protocol in {"query", "ec2"}:
        return "ValidationError"
    named = {shape.name for shape in model.error_shapes}
    return "InvalidParameterException" if "InvalidParameterException" in named else "ValidationException"


def _message(failures: list[str]) -> str:
    count = "1 validation error" if len(failures) == 1 else f"{len(failures)} validation errors"
    return f"{count} detected: {'; '.join(failures)}"


def _check_types(shape: Any, value: Any, path: str) -> None:
    """Raise `ApiError` unless a JSON value has the shape's type, and all that it holds."""
    if getattr(shape, "is_document_type", False):
        return
    kind = shape.type_name
    if isinstance(value, float) and kind in _INTEGER_BITS and value.is_integer():
        value = int(value)
    right = isinstance(value, _KINDS.get(kind, object)) and isinstance(value, bool) == (kind == "boolean")
    if not right or not _readable(kind, value):
        raise ApiError(
            "SerializationException", f"The member '{path}' must be a {kind}; a {type(value).__name__} was sent."
        )
    for member, inner, inner_path in _held(shape, value, path):
        if inner is not None:  # a null is a missing member, which is another error
            _check_types(member, inner, inner_path)


def _held(shape: Any, value: Any, path: str) -> Iterator[tuple[Any, Any, str]]:
    """Yield what a JSON value holds: shape, value and path of each."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield member, value.get(member.serialization.get("name", name)), _join(path, name)
    elif shape.type_name == "list":
        for number, item in enumerate(value, 1):
            yield shape.member, item, f"{path}.{number}.member"
    elif shape.type_name == "map":
        for name, item in value.items():
            yield shape.value, item, f"{path}.{name}.member"


def _readable(kind: str, value: Any) -> bool:
    try:
        if kind == "blob":
            base64.b64decode(value, validate=True)
        elif kind == "timestamp":
            parse_timestamp(value)
    except (ValueError, TypeError, OverflowError):
        return False
    return kind not in _INTEGER_BITS or -(2 ** (_INTEGER_BITS[kind] - 1)) <= value < 2 ** (_INTEGER_BITS[kind] - 1)


def _failures(shape: Any, value: Any, path: str) -> Iterator[str]:
    """Yield what is wrong with a value of the right type, in AWS's words."""
    if value is None:
        yield _failure(shape, "null", path, "Member must not be null")
        return
    kind = shape.type_name
    if kind == "structure":
        for name, member in shape.members.items():
            if name in value or name in shape.required_members:
                yield from _failures(member, value.get(name), _join(path, name))
        return
    yield from _bounds(shape, value, path)
    if kind == "list":
        for number, item in enumerate(value, 1):
            yield from _failures(shape.member, item, f"{path}.{number}.member")
    elif kind == "map":
        for name, item in value.items():
            yield from _failures(shape.key, name, path)
            yield from _failures(shape.value, item, f"{path}.{name}.member")


def _bounds(shape: Any, value: Any, path: str) -> Iterator[str]:
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        yield _failure(shape, value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
    sized = isinstance(value, (str, bytes, list, dict))
    if not sized and (isinstance(value, bool) or not isinstance(value, (int, float))):
        return
    measured, what = (len(value), "length") if sized else (value, "value")
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and measured < float(low):
        yield _failure(shape, value, path, f"Member must have {what} greater than or equal to {low}")
    if high is not None and measured > float(high):
        yield _failure(shape, value, path, f"Member must have {what} less than or equal to {high}")


def _failure(shape: Any, value: Any, path: str, constraint: str) -> str:
    shown = "***" if shape.metadata.get("sensitive") else str(value)[:200]
    return f"Value {shown if value == 'null' else repr(shown)} at '{path}' failed to satisfy constraint: {constraint}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name[:1].lower()}{name[1:]}" if path else f"{name[:1].lower()}{name[1:]}"
