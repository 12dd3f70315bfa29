"""The ASGI application: routes, and the layers around them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from miyabi import __version__
from miyabi.model.errors import MiyabiError
from miyabi.webapi.access import Keys
from miyabi.webapi.answers import answer_json, on_http_error, on_miyabi_error
from miyabi.webapi.body_limit import BodyLimit
from miyabi.webapi.cache import Cache, ReadThrough
from miyabi.webapi.database import Database, State
from miyabi.webapi.event_routes import EventRoutes
from miyabi.webapi.events import Events
from miyabi.webapi.health import Check, run_checks
from miyabi.webapi.migrating import migrations
from miyabi.webapi.request_log import RequestLog
from miyabi.webapi.settings import Settings
from miyabi.webapi.task import Task

log = logging.getLogger(__name__)

NAME = "miyabi-web-api"

Stopping = Callable[[], bool]
"""Says whether the process has been asked to stop."""


def create_application(
    settings: Settings, *, stopping: Stopping = lambda: False, routes: Sequence[BaseRoute] = ()
) -> Starlette:
    """Return the application. routes: more of them, behind its own."""
    task = Task()
    database = Database(settings.database, migrations(), application=NAME) if settings.database else None
    cache = Cache(settings.cache) if settings.cache else None
    events = Events(database, ReadThrough(cache)) if database else None
    checks = {
        "database": Check(database, settings.check_timeout_seconds),
        "cache": Check(cache, settings.check_timeout_seconds),
    }

    async def root(request: Request) -> Response:  # noqa: ARG001 - Starlette's signature
        return answer_json({"name": NAME, "version": __version__, "links": {"health": "/health"}})

    async def health(request: Request) -> Response:  # noqa: ARG001
        """200 while the process can serve, whatever its dependencies do: to replace it would not mend them.

        503 once it stops, for connections that are still open, and where this version cannot work with the schema: then
        a deployment of it must not succeed.
        """
        broken = database is not None and database.state is State.BROKEN
        status = "stopping" if stopping() else "broken" if broken else "ok"
        found = await run_checks(checks)
        body: dict[str, object] = {"status": status, "version": __version__, "task": task.id, "checks": found}
        return answer_json(body, 200 if status == "ok" else 503)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if not settings.api_keys:
            log.warning("API_KEYS is not set: /v1 refuses everybody")
        running = [asyncio.create_task(database.run())] if database else []
        if settings.metadata_uri:
            running.append(asyncio.create_task(task.learn(settings.metadata_uri)))
        yield
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if database is not None:
            await database.close()
        if cache is not None:
            await cache.close()

    return Starlette(
        routes=[
            Route("/", root),
            Route("/health", health),
            *EventRoutes(events, Keys(settings.api_keys)).routes(),
            *routes,
        ],
        middleware=[
            Middleware(RequestLog),
            Middleware(BodyLimit, settings.body_limit_bytes, settings.body_timeout_seconds),
        ],
        exception_handlers={HTTPException: on_http_error, MiyabiError: on_miyabi_error},
        lifespan=lifespan,
    )
