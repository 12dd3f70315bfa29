"""Refuses request bodies that are too large or take too long."""

from __future__ import annotations

import asyncio
import time

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from miyabi.webapi.answers import answer_error

_TOO_LARGE = "the request's body is larger than {} bytes"
_TOO_SLOW = "the request's body did not arrive within {:g} s"


class BodyLimit:
    """Pure ASGI middleware. Whoever reads a body that breaks the limits gets Starlette's HTTPException."""

    def __init__(self, app: ASGIApp, limit_bytes: int, timeout_seconds: float) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._timeout_seconds = timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything else goes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self._limit_bytes:
            refusal = answer_error("ContentTooLarge", self._too_large().detail, 413, {"connection": "close"})
            await refusal(scope, receive, send)
            return
        received = 0
        complete = False
        deadline = time.monotonic() + self._timeout_seconds

        async def receive_limited() -> Message:
            nonlocal received, complete
            if complete:  # what follows is only the client's disconnect
                return await receive()
            try:
                async with asyncio.timeout(max(deadline - time.monotonic(), 0)):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408, _TOO_SLOW.format(self._timeout_seconds), {"connection": "close"}) from error
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > self._limit_bytes:
                raise self._too_large()
            return message

        await self._app(scope, receive_limited, send)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, _TOO_LARGE.format(self._limit_bytes), {"connection": "close"})
