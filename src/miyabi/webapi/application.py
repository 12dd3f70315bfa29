"""The ASGI application: routes, and the layers around them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from miyabi import __version__
from miyabi.model.errors import MiyabiError
from miyabi.webapi.answers import answer_json, on_http_error, on_miyabi_error
from miyabi.webapi.body_limit import BodyLimit
from miyabi.webapi.request_log import RequestLog
from miyabi.webapi.settings import Settings
from miyabi.webapi.task import Task

NAME = "miyabi-web-api"

Stopping = Callable[[], bool]
"""Says whether the process has been asked to stop."""


def create_application(
    settings: Settings, *, stopping: Stopping = lambda: False, routes: Sequence[BaseRoute] = ()
) -> Starlette:
    """Return the application. routes: more of them, behind its own."""
    task = Task()

    async def root(request: Request) -> Response:  # noqa: ARG001 - Starlette's signature
        return answer_json({"name": NAME, "version": __version__, "links": {"health": "/health"}})

    async def health(request: Request) -> Response:  # noqa: ARG001
        """200 while the process can serve; 503 once it stops, for connections that are still open."""
        status = "stopping" if stopping() else "ok"
        body: dict[str, object] = {"status": status, "version": __version__, "task": task.id, "checks": {}}
        return answer_json(body, 503 if stopping() else 200)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        learning = asyncio.create_task(task.learn(settings.metadata_uri)) if settings.metadata_uri else None
        yield
        if learning is not None:
            learning.cancel()

    return Starlette(
        routes=[Route("/", root), Route("/health", health), *routes],
        middleware=[
            Middleware(RequestLog),
            Middleware(BodyLimit, settings.body_limit_bytes, settings.body_timeout_seconds),
        ],
        exception_handlers={HTTPException: on_http_error, MiyabiError: on_miyabi_error},
        lifespan=lifespan,
    )
