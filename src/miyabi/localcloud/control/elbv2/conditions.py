"""The conditions of a rule, between the API's shape and ours."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Any

from miyabi.localcloud.control.elbv2.fields import text
from miyabi.localcloud.control.elbv2.nouns import invalid, unsupported
from miyabi.localcloud.control.service import ApiError
from miyabi.model.load_balancing import Condition

_CONFIGS = {
    "host-header": "HostHeaderConfig",
    "path-pattern": "PathPatternConfig",
    "http-header": "HttpHeaderConfig",
    "query-string": "QueryStringConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "source-ip": "SourceIpConfig",
}
_ALLOWED = {
    "host-header": re.compile(r"[A-Za-z0-9.*?-]{1,128}"),
    "path-pattern": re.compile(r"[A-Za-z0-9_\-.$/~\"'@:+&*?]{1,128}"),
    "http-header": re.compile(r"[ -~]{1,128}"),
    "query-string": re.compile(r"[!-~]{1,257}"),
    "http-request-method": re.compile(r"[A-Z_-]{1,40}"),
    "source-ip": re.compile(r"[0-9./]{1,18}"),
}
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}")
_MOST_VALUES = 5


def parse_conditions(conditions: Sequence[dict[str, Any]]) -> tuple[Condition, ...]:
    """Return the conditions; ValidationError, UnsupportedOperation."""
    parsed = tuple(_parse(condition) for condition in conditions)
    if not parsed:
        raise invalid("A condition must be specified")
    if sum(len(condition.values) for condition in parsed) > _MOST_VALUES:
        raise invalid(f"A rule can only have '{_MOST_VALUES}' condition values")
    return parsed


def _parse(condition: dict[str, Any]) -> Condition:
    field = condition.get("Field") or ""
    if field not in _CONFIGS:
        raise invalid(f"Condition field '{field}' must be one of '[{', '.join(_CONFIGS)}]'")
    config = condition.get(_CONFIGS[field]) or {}
    if condition.get("RegexValues") or config.get("RegexValues"):
        raise unsupported("regular expressions in conditions")
    values = [_value(field, value) for value in config.get("Values") or condition.get("Values") or []]
    if not values:
        raise invalid("A condition value must be specified")
    for value in values:
        if not _ALLOWED[field].fullmatch(value):
            raise invalid(f"Condition value '{value}' contains a character that is not valid or is too long")
    if field == "source-ip":
        _check_networks(values)
    name = config.get("HttpHeaderName")
    if field == "http-header" and not _HEADER_NAME.fullmatch(name or ""):
        raise invalid(f"HTTP header name '{name}' is not valid")
    return Condition(field, tuple(values), name)


def _value(field: str, value: Any) -> str:
    if field != "query-string":
        return str(value)
    wanted = text(value, "Value")
    return f"{text(value, 'Key')}={wanted}" if value.get("Key") else wanted


def _check_networks(values: Sequence[str]) -> None:
    for value in values:
        try:
            ipaddress.IPv4Network(value)
        except ValueError as error:
            raise ApiError("ValidationError", f"'{value}' is not a valid CIDR block") from error


def describe_conditions(conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    """Return the conditions as AWS shows them."""
    return [_describe(condition) for condition in conditions]


def _describe(condition: Condition) -> dict[str, Any]:
    values: list[Any] = list(condition.values)
    if condition.field == "query-string":
        pairs = [value.partition("=") for value in condition.values]
        values = [{"Key": key, "Value": value} if equals else {"Value": key} for key, equals, value in pairs]
    config: dict[str, Any] = {"Values": values}
    config |= {"HttpHeaderName": condition.header_name} if condition.header_name else {}
    described = {"Field": condition.field, _CONFIGS[condition.field]: config}
    # Clients older than the configurations read Values.
    return described | ({"Values": values} if condition.field in {"host-header", "path-pattern"} else {})
