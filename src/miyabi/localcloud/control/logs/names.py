"""Names, ARNs, limits and paging tokens of CloudWatch Logs, and its words for what is wrong with them."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from miyabi.localcloud.control.service import ApiError, Params

_GROUP_NAME = re.compile(r"[.\-_/#A-Za-z0-9]{1,512}")
_STREAM_NAME = re.compile(r"[^:*]{1,512}")
_GROUP_ARN = re.compile(r"arn:[a-z-]+:logs:([a-z0-9-]+):(\d{12}):log-group:([^:*]+)(?::\*)?")


def invalid(message: str) -> ApiError:
    """Return an InvalidParameterException."""
    return ApiError("InvalidParameterException", message)


def constraint(field: str, value: object, rule: str) -> ApiError:
    """Return the error for a value that the API's model does not allow."""
    return invalid(f"1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: {rule}")


def checked_group_name(name: str) -> str:
    """Return the name if a log group may have it."""
    if _GROUP_NAME.fullmatch(name) is None:
        rule = r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"
        raise constraint("logGroupName", name, rule)
    if name.startswith("aws/"):
        raise invalid("Log groups starting with aws/ are reserved for AWS.")
    return name


def checked_stream_name(name: str) -> str:
    """Return the name if a log stream may have it."""
    if _STREAM_NAME.fullmatch(name) is None:
        raise constraint("logStreamName", name, "Member must satisfy regular expression pattern: [^:*]*")
    return name


def group_arn(region: str, account: str, name: str) -> str:
    """Return the log group's ARN without the trailing `:*`."""
    return f"arn:aws:logs:{region}:{account}:log-group:{name}"


def group_in_arn(arn: str, region: str, account: str) -> str | None:
    """Return the name of the log group with this ARN; None for another region's or account's, or no ARN at all."""
    found = _GROUP_ARN.fullmatch(arn)
    return found[3] if found is not None and (found[1], found[2]) == (region, account) else None


def page_size(params: Params, most: int, default: int | None = None) -> int:
    """Return how many items a page may have."""
    limit = params.get("limit")
    if limit is None:
        return default or most
    if limit < 1:
        raise constraint("limit", limit, "Member must have value greater than or equal to 1")
    if limit > most:
        raise constraint("limit", limit, f"Member must have value less than or equal to {most}")
    return int(limit)


def encode_token(*parts: Any) -> str:
    """Return a paging token that remembers these values."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def decode_token(token: str, *types: type) -> list[Any]:
    """Return the values that a paging token remembers."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, ValueError) as error:
        raise bad_token() from error
    if not isinstance(parts, list) or [type(part) for part in parts] != list(types):
        raise bad_token()
    return parts


def bad_token() -> ApiError:
    """Return the error for a token that is not one of ours."""
    return invalid("The specified nextToken is invalid.")
