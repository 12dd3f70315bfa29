"""An error that AWS would answer, and what parameters and answers are made of."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException

Params = dict[str, Any]
Result = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]


class ApiError(ServiceException):
    """An answer that AWS would give: `ApiError("ClusterNotFoundException", "Cluster not found.")`.

    The code is the one on the wire (for Query services without the "Exception" or "Fault" suffix of the shape's
    name); the HTTP status comes from botocore's model.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
