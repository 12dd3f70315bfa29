"""Pages of CloudWatch's lists: a token is the number of what was shown before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from miyabi.localcloud.control.api_error import ApiError

T = TypeVar("T")


def page(rows: Sequence[T], token: str | None, size: int) -> tuple[Sequence[T], dict[str, str]]:
    """Return a page of rows and, where there are more, `{"NextToken": ...}`."""
    first = page_start(token, len(rows))
    end = first + size
    return rows[first:end], {"NextToken": str(end)} if end < len(rows) else {}


def page_start(token: str | None, length: int) -> int:
    """Return how much of so many was shown before. `ApiError` InvalidNextToken."""
    given = token or "0"
    if not (given.isascii() and given.isdigit() and int(given) <= length):
        raise ApiError("InvalidNextToken", "The next token is not valid.")
    return int(given)
