"""FilterLogEvents: searching a group's streams together, in the order of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from miyabi.localcloud.control.logs.base import Group, LogsBase, Stream, milliseconds
from miyabi.localcloud.control.logs.events import PAGE_BYTES, Position, bytes_of, position_text
from miyabi.localcloud.control.logs.names import (
    bad_token,
    constraint,
    decode_token,
    encode_token,
    invalid,
    page_size,
)
from miyabi.localcloud.control.service import Caller, Params, Result
from miyabi.policy.log_filter import InvalidFilter, LogFilter, compile_filter

_MOST_EVENTS = 10_000
_MOST_STREAMS = 100
_SCAN = 25_000
"""How many events one call looks at: the worker thread is everybody's."""

_LAST = "\U0010ffff"
_FOREVER = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class _Query:
    group: Group
    streams: dict[int, str]
    only_stream: int | None
    earliest: int
    latest: int
    after: Position | None
    forward: bool
    limit: int


class Search(LogsBase):
    """FilterLogEvents."""

    def filter_log_events(self, caller: Caller, params: Params) -> Result:
        """Answer FilterLogEvents; searchedLogStreams is empty, as on AWS since 2020."""
        group = self._group_asked(caller, params)
        pattern = params.get("filterPattern") or ""
        if len(pattern) > 1024:
            raise constraint("filterPattern", pattern, "Member must have length less than or equal to 1024")
        try:
            wanted = compile_filter(pattern)
        except InvalidFilter as error:
            raise invalid(str(error)) from error
        query = self._query(group, caller, params)
        events, last = self._search(query, wanted)
        result: Result = {"events": events, "searchedLogStreams": []}
        if last is not None:
            result["nextToken"] = encode_token(group.id, last[0], last[1], query.forward)
        return result

    def _query(self, group: Group, caller: Caller, params: Params) -> _Query:
        after: Position | None = None
        forward = params.get("startFromHead") is not False
        if params.get("nextToken"):
            group_id, timestamp, event_id, forward = decode_token(params["nextToken"], int, int, int, bool)
            if group_id != group.id:
                raise bad_token()
            after = (timestamp, event_id)
        streams = self._searched(group, params)
        narrowed = bool(params.get("logStreamNames") or params.get("logStreamNamePrefix"))
        latest = params.get("endTime")
        return _Query(
            group=group,
            streams={stream.id: stream.name for stream in streams},
            only_stream=streams[0].id if narrowed and len(streams) == 1 else None,
            earliest=max(params.get("startTime") or 0, group.oldest(milliseconds(caller.now))),
            latest=_FOREVER if latest is None else latest,
            after=after,
            forward=forward,
            limit=page_size(params, _MOST_EVENTS),
        )

    def _searched(self, group: Group, params: Params) -> list[Stream]:
        names, prefix = params.get("logStreamNames"), params.get("logStreamNamePrefix")
        if names and prefix:
            raise invalid("Only one of logStreamNames and logStreamNamePrefix can be given.")
        if names:
            if len(names) > _MOST_STREAMS:
                raise invalid(f"At most {_MOST_STREAMS} log streams can be given.")
            return [self._stream(group, name) for name in names]
        prefix = prefix or ""
        return self._streams("WHERE group_id=? AND name>=? AND name<?", group.id, prefix, prefix + _LAST)

    def _search(self, query: _Query, wanted: LogFilter) -> tuple[list[dict[str, Any]], Position | None]:
        """Return a page of matches, and where it ended unless that was the end."""
        events: list[dict[str, Any]] = []
        size, seen = 0, 0
        row: tuple[int, int, int, int, str] | None = None
        matches, streams = wanted.matches, query.streams
        for row in self._candidates(query):
            seen += 1
            event_id, stream_id, timestamp, ingestion, message = row
            if stream_id not in streams or not matches(message):
                continue
            size += bytes_of(message)
            events.append(
                {
                    "logStreamName": streams[stream_id],
                    "timestamp": timestamp,
                    "message": message,
                    "ingestionTime": ingestion,
                    "eventId": position_text((timestamp, event_id)),
                }
            )
            if len(events) == query.limit or size >= PAGE_BYTES:
                return events, (timestamp, event_id)
        if row is None or seen < _SCAN:
            return events, None
        return events, (row[2], row[0])

    def _candidates(self, query: _Query) -> Any:
        where, values = "group_id=?", [query.group.id]
        if query.only_stream is not None:
            where, values = "stream_id=?", [query.only_stream]
        where += " AND timestamp BETWEEN ? AND ?"
        values += [query.earliest, query.latest]
        if query.after is not None:
            sign = ">" if query.forward else "<"
            where += f" AND timestamp{sign}=? AND (timestamp{sign}? OR id{sign}?)"
            values += [query.after[0], *query.after]
        direction = "ASC" if query.forward else "DESC"
        return self._database.execute(
            f"SELECT id, stream_id, timestamp, ingestion, message FROM events WHERE {where}"  # noqa: S608
            f" ORDER BY timestamp {direction}, id {direction} LIMIT ?",
            *values,
            _SCAN,
        )
