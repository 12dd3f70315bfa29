"""JSON answers, and errors in one shape: {"error": {"type", "message"}}."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from miyabi.model.errors import MiyabiError

_RETRY_AFTER_SECONDS = "5"
"""A restart of the database or of a task takes about as long."""


def answer_json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return anything that msgspec can write."""
    return answer_bytes(msgspec.json.encode(content), status, headers)


def answer_bytes(content: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return JSON that is written already."""
    fresh = {"cache-control": "no-store", **(headers or {})}
    return Response(content, status, fresh, media_type="application/json")


def answer_error(kind: str, message: str, status: int, headers: dict[str, str] | None = None) -> Response:
    """Return an error."""
    return answer_json({"error": {"type": kind, "message": message}}, status, headers)


def on_http_error(request: Request, error: Exception) -> Response:
    """Answer what Starlette refuses: no such path, no such method, body too large."""
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette calls this for nothing else
    status = HTTPStatus(error.status_code)
    messages = {
        HTTPStatus.NOT_FOUND: f"no resource at {request.url.path}",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not allowed at {request.url.path}",
    }
    message = messages.get(status, error.detail)
    kind = status.phrase.title().replace(" ", "").replace("-", "")
    return answer_error(kind, message, status, dict(error.headers or {}))


def on_miyabi_error(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    """Answer an error of ours with the body that `--json` shows."""
    assert isinstance(error, MiyabiError)  # noqa: S101 - Starlette calls this for nothing else
    return answer_json(error.body(), error.http_status, {"retry-after": _RETRY_AFTER_SECONDS} if error.retry else None)
