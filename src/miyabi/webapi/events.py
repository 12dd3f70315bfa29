"""What happened in the environment: events, kept in the order in which they occurred."""

from __future__ import annotations

import base64
import hashlib
import secrets
import struct
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from miyabi.model.errors import Conflict, InvalidInput
from miyabi.webapi.cache import ReadThrough
from miyabi.webapi.database import Database, Row
from miyabi.webapi.statements import (
    ADD_EVENT,
    FIND_EVENT,
    FIND_REPEATED_EVENT,
    LIST_EVENTS,
    LIST_EVENTS_BEFORE,
    LIST_EVENTS_OF_TYPE,
    LIST_EVENTS_OF_TYPE_BEFORE,
)

EventType = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")]
"""Lower-case words, the widest one first: `deployment.started`."""

_LONGEST_DATA_BYTES = 64 * 1024
_CLOCKS_DIFFER_BY = timedelta(minutes=5)
_CURSOR = struct.Struct("!q16s")
_NO_DATA = msgspec.Raw(b"null")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NewEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event as it is posted."""

    type: EventType
    message: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
    data: msgspec.Raw = _NO_DATA
    """A JSON object with what else there is to know, or null."""
    occurred_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """None: now."""


class Event(msgspec.Struct, frozen=True):
    """An event as it is shown."""

    id: str
    occurred_at: datetime
    recorded_at: datetime
    type: str
    message: str
    data: msgspec.Raw
    author: str
    """The name of the key that it came with."""


class Page(msgspec.Struct, frozen=True):
    """Events, newest first."""

    events: list[Event]
    next: str | None
    """The cursor of the page after this one, which has older events; None where there are none."""


@dataclass(frozen=True, slots=True)
class Added:
    """An event that was posted."""

    id: str
    body: bytes
    repeated: bool
    """It was there: the request was made before under the same idempotency key."""


class Events:
    """The events of the environment."""

    def __init__(self, database: Database, cache: ReadThrough) -> None:
        self._database = database
        self._cache = cache

    async def add(self, event: NewEvent, author: str, idempotency_key: str | None, *, now: datetime) -> Added:
        """Keep an event. A repeated one is answered with what was kept the first time.

        Raises `Conflict` where the idempotency key was used for another request.
        """
        _check(event, now)
        data = bytes(event.data).decode() if event.data != _NO_DATA else None
        digest = _digest(event)
        rows = await self._database.fetch(
            ADD_EVENT,
            new_id(),
            event.occurred_at,
            event.type,
            event.message,
            data,
            author,
            idempotency_key,
            digest,
        )
        repeated = not rows
        if repeated:
            rows = await self._database.fetch(FIND_REPEATED_EVENT, author, idempotency_key)
            if rows[0]["request_digest"] != digest:
                raise Conflict(
                    f"Idempotency-Key '{idempotency_key}' was used for another event",
                    hint="use a new key for each event",
                )
        shown = _shown(rows[0])
        body = msgspec.json.encode(shown)
        await self._cache.put(_key(shown.id), body)
        return Added(shown.id, body, repeated)

    async def find(self, event_id: uuid.UUID) -> tuple[bytes | None, bool]:
        """Return an event as JSON, None where there is none, and whether it came from the cache."""

        async def load() -> bytes | None:
            rows = await self._database.fetch(FIND_EVENT, event_id)
            return msgspec.json.encode(_shown(rows[0])) if rows else None

        return await self._cache.get(_key(str(event_id)), load)

    async def list(self, limit: int, before: str | None, event_type: str | None) -> Page:
        """Return a page. The next one begins where this one ended, whatever is added meanwhile."""
        one_more = limit + 1
        cursor = read_cursor(before) if before is not None else ()
        if event_type is None:
            statement = LIST_EVENTS_BEFORE if cursor else LIST_EVENTS
            rows = await self._database.fetch(statement, one_more, *cursor)
        else:
            statement = LIST_EVENTS_OF_TYPE_BEFORE if cursor else LIST_EVENTS_OF_TYPE
            rows = await self._database.fetch(statement, one_more, event_type, *cursor)
        shown = rows[:limit]
        last = shown[-1] if len(rows) > limit else None
        return Page([_shown(row) for row in shown], write_cursor(last["occurred_at"], last["id"]) if last else None)


def new_id() -> uuid.UUID:
    """Return a UUID whose first part is the time, so that the index grows at its end (RFC 9562, version 7)."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    return uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def write_cursor(occurred_at: datetime, event_id: uuid.UUID) -> str:
    """Return what names a place in the list."""
    microseconds = (occurred_at - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(_CURSOR.pack(microseconds, event_id.bytes)).decode()


def read_cursor(text: str) -> tuple[datetime, uuid.UUID]:
    """Return the place that a cursor names; `InvalidInput` for what is none."""
    try:
        microseconds, event_id = _CURSOR.unpack(base64.b64decode(text, altchars=b"-_", validate=True))
        occurred_at = _EPOCH + timedelta(microseconds=microseconds)
    except (ValueError, OverflowError, struct.error) as error:
        raise InvalidInput("'before' is not a cursor", hint="take it from 'next' of the page before") from error
    return occurred_at, uuid.UUID(bytes=event_id)


def _check(event: NewEvent, now: datetime) -> None:
    content = bytes(event.data)
    if event.data != _NO_DATA and not content.startswith(b"{"):
        raise InvalidInput("'data' is not a JSON object")
    if len(content) > _LONGEST_DATA_BYTES:
        raise InvalidInput(f"'data' has {len(content)} bytes", hint=f"at most {_LONGEST_DATA_BYTES}")
    if "\0" in event.message:
        raise InvalidInput("'message' holds the character NUL")
    if event.occurred_at is not None and not _EPOCH <= event.occurred_at <= now + _CLOCKS_DIFFER_BY:
        raise InvalidInput("'occurred_at' is in the future, or before 1970", hint=f"it is {now.isoformat()} now")


def _digest(event: NewEvent) -> bytes:
    return hashlib.sha256(msgspec.json.encode(event)).digest()


def _key(event_id: str) -> str:
    return f"miyabi:event:1:{event_id}"


def _shown(row: Row) -> Event:
    data: str | None = row["data"]
    return Event(
        id=str(row["id"]),
        occurred_at=row["occurred_at"],
        recorded_at=row["recorded_at"],
        type=row["type"],
        message=row["message"],
        data=msgspec.Raw(data.encode()) if data is not None else _NO_DATA,
        author=row["author"],
    )
