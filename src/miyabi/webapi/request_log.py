"""The outermost layer: gives each request an id, a line in the log, and an answer when a handler fails."""

from __future__ import annotations

import logging
import re
import time
import uuid

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from miyabi.webapi.logs import FIELDS

log = logging.getLogger(__name__)

_TRACE_ROOT = re.compile(rb"(?:^|;)\s*Root=([0-9A-Za-z-]{1,64})(?:;|$)")
_HEALTH_CHECKER = b"ELB-HealthChecker"


class RequestLog:
    """Pure ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything else goes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request_id = _request_id(headers)
        scope["request_id"] = request_id
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            await send(message)

        failure: BaseException | None = None
        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            failure = error
            if not status:
                await _answer_failure(send_with_id, request_id)
        except BaseException as error:  # cancelled: the deadline for stopping is over
            failure = error
            raise
        finally:
            self._log(scope, headers, status, failure, time.perf_counter() - began)

    def _log(
        self,
        scope: Scope,
        headers: dict[bytes, bytes],
        status: int,
        failure: BaseException | None,
        seconds: float,
    ) -> None:
        if failure is None and status < 400 and headers.get(b"user-agent", b"").startswith(_HEALTH_CHECKER):
            return
        fields = {
            "request_id": scope["request_id"],
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "duration_ms": round(seconds * 1000, 2),
            "remote": _remote(scope, headers),
        }
        if failure is None:
            level = logging.INFO if status < 500 else logging.ERROR
            log.log(level, "%s %s %s", scope["method"], scope["path"], status, extra={FIELDS: fields})
        else:
            text = f"{scope['method']} {scope['path']} failed: {type(failure).__name__}: {failure}"
            log.error(text, exc_info=failure, extra={FIELDS: fields})


def _request_id(headers: dict[bytes, bytes]) -> str:
    """Return the load balancer's trace id, or a new id."""
    found = _TRACE_ROOT.search(headers.get(b"x-amzn-trace-id", b""))
    return found[1].decode() if found else uuid.uuid4().hex


def _remote(scope: Scope, headers: dict[bytes, bytes]) -> str:
    """Return the client's address: the last one in X-Forwarded-For is what the load balancer saw."""
    forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1").rpartition(",")[2].strip()
    client = scope.get("client")
    return forwarded or (client[0] if client else "")


async def _answer_failure(send: Send, request_id: str) -> None:
    error = {"type": "Internal", "message": "an error in the service; its log has the details"}
    body = msgspec.json.encode({"error": {**error, "request_id": request_id}})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})
