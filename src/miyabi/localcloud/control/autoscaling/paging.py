"""Pages of Application Auto Scaling's lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from miyabi.localcloud.control.api_error import ApiError, Params

T = TypeVar("T")
_MOST = 50


def page(rows: Sequence[T], params: Params) -> tuple[Sequence[T], dict[str, str]]:
    """Return a page of rows and, where there are more, `{"NextToken": ...}`."""
    size, token = params.get("MaxResults") or _MOST, params.get("NextToken") or "0"
    if not 1 <= size <= _MOST:
        raise ApiError("ValidationException", f"MaxResults must be between 1 and {_MOST}")
    if not (token.isascii() and token.isdigit() and int(token) <= len(rows)):
        raise ApiError("InvalidNextTokenException", "The next token is not valid.")
    end = int(token) + size
    return rows[int(token) : end], {"NextToken": str(end)} if end < len(rows) else {}
