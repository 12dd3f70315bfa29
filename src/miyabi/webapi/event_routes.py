"""/v1/events over HTTP."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from miyabi.model.errors import InvalidInput, NotFound, Unavailable
from miyabi.webapi.access import Keys
from miyabi.webapi.answers import answer_bytes, answer_json
from miyabi.webapi.events import Events, NewEvent

_PATH = "/v1/events"
_DEFAULT_LIMIT = 50
_LONGEST_PAGE = 200
_PARAMETERS = {"limit", "before", "type"}
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class EventRoutes:
    """The resource. events: None where the service has no database."""

    def __init__(self, events: Events | None, keys: Keys) -> None:
        self._events = events
        self._keys = keys

    def routes(self) -> list[BaseRoute]:
        """Return the routes; all of them need a key."""
        return [
            Route(_PATH, self._keys.guarded(self.collection), methods=["GET", "POST"]),
            Route(f"{_PATH}/{{id}}", self._keys.guarded(self.find), methods=["GET"]),
        ]

    async def collection(self, request: Request, author: str) -> Response:
        """Add an event, or list them."""
        return await (self.add(request, author) if request.method == "POST" else self.list(request))

    async def add(self, request: Request, author: str) -> Response:
        """POST: 201, also for a repeated request."""
        key = request.headers.get("idempotency-key")
        if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
            raise InvalidInput("Idempotency-Key is not 1 to 255 printable characters without spaces")
        try:
            event = msgspec.json.decode(await request.body(), type=NewEvent)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InvalidInput(
                f"the body is not an event: {error}", hint='{"type": "deployment.started", "message": "..."}'
            ) from error
        added = await self._known().add(event, author, key, now=datetime.now(UTC))
        headers = {"location": f"{_PATH}/{added.id}"}
        if added.repeated:
            headers["idempotent-replayed"] = "true"
        return answer_bytes(added.body, 201, headers)

    async def find(self, request: Request, _: str) -> Response:
        """GET one event; `X-Cache` says where it came from."""
        text = request.path_params["id"]
        event_id = _uuid(text)
        body, hit = await self._known().find(event_id) if event_id is not None else (None, False)
        if body is None:
            raise NotFound(f"event '{text}' not found", hint=f"GET {_PATH} lists them")
        return answer_bytes(body, 200, {"x-cache": "hit" if hit else "miss"})

    async def list(self, request: Request) -> Response:
        """GET a page, newest first."""
        given = request.query_params
        unknown = sorted(set(given) - _PARAMETERS)
        if unknown:
            raise InvalidInput(f"unknown parameter '{unknown[0]}'", hint=f"known: {', '.join(sorted(_PARAMETERS))}")
        limit = _limit(given.get("limit"))
        return answer_json(await self._known().list(limit, given.get("before"), given.get("type")))

    def _known(self) -> Events:
        if self._events is None:
            raise Unavailable("the service has no database", hint="set DATABASE_URL, or DATABASE_HOST and its parts")
        return self._events


def _limit(text: str | None) -> int:
    if text is None:
        return _DEFAULT_LIMIT
    if re.fullmatch(r"[0-9]{1,4}", text) and 1 <= int(text) <= _LONGEST_PAGE:
        return int(text)
    raise InvalidInput(f"'limit' is '{text[:20]}'", hint=f"give a number from 1 to {_LONGEST_PAGE}")


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
