"""Writing log events, and reading one stream."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from miyabi.localcloud.control.logs.base import Group, LogsBase, Stream, milliseconds
from miyabi.localcloud.control.logs.names import bad_token, invalid, page_size
from miyabi.localcloud.control.logs.streams import EVENT_OVERHEAD
from miyabi.localcloud.control.service import Caller, Params, Result

_HOUR = 3_600_000
_DAY = 24 * _HOUR
_OLDEST = 14 * _DAY
_NEWEST = 2 * _HOUR
_LONGEST_BATCH = _DAY
_MOST_EVENTS = 10_000
PAGE_BYTES = 1_048_576
"""A request's batch and an answer's page hold this much at most."""

_TOKEN = re.compile(r"([fb])/(\d{20})(\d{36})(?:/s)?")

Position = tuple[int, int]
"""Timestamp and id: the order of events."""


def position_text(position: Position) -> str:
    """Return a position as 56 digits, which is also an event's id."""
    return f"{position[0]:020d}{position[1]:036d}"


def bytes_of(message: str) -> int:
    """Return what an event counts for."""
    return len(message.encode()) + EVENT_OVERHEAD


class Events(LogsBase):
    """PutLogEvents and GetLogEvents."""

    def put_log_events(self, caller: Caller, params: Params) -> Result:
        """Answer PutLogEvents; the sequence token is ignored, as on AWS."""
        group = self._group(caller.region, params["logGroupName"])
        stream = self._stream(group, params["logStreamName"])
        events = params["logEvents"]
        now = milliseconds(caller.now)
        _check_batch(events)
        too_old = sum(event["timestamp"] < now - _OLDEST for event in events)
        expired = sum(event["timestamp"] < group.oldest(now) for event in events)
        too_new = sum(event["timestamp"] > now + _NEWEST for event in events)
        accepted = events[max(too_old, expired) : len(events) - too_new]
        if accepted and accepted[-1]["timestamp"] - accepted[0]["timestamp"] > _LONGEST_BATCH:
            raise invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
        if accepted:
            with self._database.transaction():
                self._append(group, stream, [(one["timestamp"], one["message"]) for one in accepted], now)
            self._tell(group.region, [one["message"] for one in accepted])
        result: Result = {"nextSequenceToken": f"{stream.id:056d}"}
        rejected = {
            "tooNewLogEventStartIndex": len(events) - too_new if too_new else None,
            "tooOldLogEventEndIndex": too_old or None,
            "expiredLogEventEndIndex": expired or None,
        }
        if any(rejected.values()) or too_new:
            result["rejectedLogEventsInfo"] = {name: value for name, value in rejected.items() if value is not None}
        return result

    def _append(self, group: Group, stream: Stream, events: Sequence[tuple[int, str]], now: int) -> None:
        """Store events, oldest first, inside a transaction of the caller's."""
        rows = ((group.id, stream.id, timestamp, now, message) for timestamp, message in events)
        self._database.execute_many(
            "INSERT INTO events (group_id, stream_id, timestamp, ingestion, message) VALUES (?, ?, ?, ?, ?)", rows
        )
        first, last = events[0][0], events[-1][0]
        self._database.execute(
            "UPDATE streams SET first_event=MIN(COALESCE(first_event, ?1), ?1),"
            " last_event=MAX(COALESCE(last_event, ?2), ?2), last_ingestion=?3 WHERE id=?4",
            first,
            last,
            now,
            stream.id,
        )
        size = sum(bytes_of(message) for _, message in events)
        self._database.execute("UPDATE groups SET stored_bytes=stored_bytes+? WHERE id=?", size, group.id)

    def get_log_events(self, caller: Caller, params: Params) -> Result:
        """Answer GetLogEvents: a page is oldest first whichever way it was reached."""
        group = self._group_asked(caller, params)
        stream = self._stream(group, params["logStreamName"])
        limit = page_size(params, _MOST_EVENTS)
        token = params.get("nextToken")
        forward = bool(params.get("startFromHead"))
        start: Position | None = None
        if token is not None:
            found = _TOKEN.fullmatch(token)
            if found is None:
                raise bad_token()
            forward, start = found[1] == "f", (int(found[2]), int(found[3]))
        earliest = max(params.get("startTime") or 0, group.oldest(milliseconds(caller.now)))
        rows = self._walk(stream, earliest, params.get("endTime"), start, limit, forward=forward)
        here = start or (0, 0)
        first = (rows[0][1], rows[0][0]) if rows else here
        last = (rows[-1][1], rows[-1][0]) if rows else here
        return {
            "events": [
                {"timestamp": timestamp, "message": message, "ingestionTime": ingestion}
                for _, timestamp, ingestion, message in rows
            ],
            "nextForwardToken": f"f/{position_text(last)}/s",
            "nextBackwardToken": f"b/{position_text(first)}/s",
        }

    def _walk(
        self,
        stream: Stream,
        earliest: int,
        end: int | None,
        start: Position | None,
        limit: int,
        *,
        forward: bool,
    ) -> list[tuple[int, int, int, str]]:
        """Return up to a page of events after or before a position, oldest first."""
        where, values = "stream_id=? AND timestamp>=?", [stream.id, earliest]
        if end is not None:
            where, values = f"{where} AND timestamp<?", [*values, end]
        if start is not None:
            sign = ">" if forward else "<"
            where = f"{where} AND timestamp{sign}=? AND (timestamp{sign}? OR id{sign}?)"
            values = [*values, start[0], start[0], start[1]]
        direction = "ASC" if forward else "DESC"
        found = self._database.execute(
            f"SELECT id, timestamp, ingestion, message FROM events WHERE {where}"  # noqa: S608 - constants
            f" ORDER BY timestamp {direction}, id {direction} LIMIT ?",
            *values,
            limit,
        )
        rows: list[tuple[int, int, int, str]] = []
        size = 0
        for row in found:
            size += bytes_of(row[3])
            if rows and size > PAGE_BYTES:
                break
            rows.append(row)
        return rows if forward else rows[::-1]


def _check_batch(events: list[dict[str, Any]]) -> None:
    if not events or len(events) > _MOST_EVENTS:
        raise invalid(f"A PutLogEvents request must have between 1 and {_MOST_EVENTS} log events.")
    if any(not event["message"] for event in events):
        raise invalid("Log event message must not be empty.")
    size = sum(bytes_of(event["message"]) for event in events)
    if size > PAGE_BYTES:
        raise invalid(f"Upload too large: {size} bytes exceeds limit of {PAGE_BYTES}")
    timestamps = [event["timestamp"] for event in events]
    if timestamps != sorted(timestamps):
        raise invalid("Log events in a single PutLogEvents request must be in chronological order.")
