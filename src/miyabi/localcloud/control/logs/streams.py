"""Log streams."""

from __future__ import annotations

from miyabi.localcloud.control.logs.base import Group, LogsBase, Stream, milliseconds
from miyabi.localcloud.control.logs.names import (
    checked_stream_name,
    constraint,
    decode_token,
    encode_token,
    group_arn,
    invalid,
    page_size,
)
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result

EVENT_OVERHEAD = 26
"""Bytes that CloudWatch Logs counts for each event on top of its message."""

_ORDERS = ("LogStreamName", "LastEventTime")
_LAST = "\U0010ffff"


class Streams(LogsBase):
    """Operations on log streams."""

    def create_log_stream(self, caller: Caller, params: Params) -> Result:
        name = checked_stream_name(params["logStreamName"])
        group = self._group(caller.region, params["logGroupName"])
        if not self._new_stream(group, name, milliseconds(caller.now)):
            raise ApiError("ResourceAlreadyExistsException", "The specified log stream already exists")
        return {}

    def _new_stream(self, group: Group, name: str, now: int) -> bool:
        cursor = self._database.execute(
            "INSERT OR IGNORE INTO streams (group_id, name, created) VALUES (?, ?, ?)", group.id, name, now
        )
        return cursor.rowcount == 1

    def delete_log_stream(self, caller: Caller, params: Params) -> Result:
        group = self._group(caller.region, params["logGroupName"])
        stream = self._stream(group, params["logStreamName"])
        if group.protected:
            raise ApiError("ValidationException", f"Log group {group.name} is protected from deletion.")
        with self._database.transaction():
            self._database.execute(
                "UPDATE groups SET stored_bytes=stored_bytes-(SELECT COALESCE(SUM(LENGTH(CAST(message AS BLOB))+?), 0)"
                " FROM events WHERE stream_id=?) WHERE id=?",
                EVENT_OVERHEAD,
                stream.id,
                group.id,
            )
            self._database.execute("INSERT INTO deleted_streams (stream_id) VALUES (?)", stream.id)
            self._database.execute("DELETE FROM streams WHERE id=?", stream.id)
        self._on_change()
        return {}

    def describe_log_streams(self, caller: Caller, params: Params) -> Result:
        group = self._group_asked(caller, params)
        order = params.get("orderBy") or _ORDERS[0]
        prefix = params.get("logStreamNamePrefix") or ""
        size = page_size(params, 50)
        if order not in _ORDERS:
            raise constraint("orderBy", order, f"Member must satisfy enum value set: [{', '.join(_ORDERS)}]")
        by_time = order == "LastEventTime"
        if by_time and prefix:
            raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        descending = bool(params.get("descending"))
        key = "COALESCE(last_event, 0)" if by_time else "group_id"  # the latter orders nothing
        where, values = "WHERE group_id=? AND name>=? AND name<?", [group.id, prefix, prefix + _LAST]
        if params.get("nextToken"):
            where += f" AND ({key}, name) {'<' if descending else '>'} (?, ?)"
            values += decode_token(params["nextToken"], int, str)
        direction = "DESC" if descending else "ASC"
        where += f" ORDER BY {key} {direction}, name {direction} LIMIT ?"
        found = self._streams(where, *values, size + 1)
        result: Result = {"logStreams": [_described(stream, group, caller) for stream in found[:size]]}
        if len(found) > size:
            last = found[size - 1]
            result["nextToken"] = encode_token((last.last_event or 0) if by_time else group.id, last.name)
        return result


def _described(stream: Stream, group: Group, caller: Caller) -> Result:
    described: Result = {
        "logStreamName": stream.name,
        "creationTime": stream.created,
        "arn": f"{group_arn(group.region, caller.account, group.name)}:log-stream:{stream.name}",
        "storedBytes": 0,  # AWS: "always reported as zero"
    }
    if stream.last_event is not None:
        described["firstEventTimestamp"] = stream.first_event
        described["lastEventTimestamp"] = stream.last_event
        described["lastIngestionTime"] = stream.last_ingestion
        described["uploadSequenceToken"] = f"{stream.id:056d}"  # AWS ignores it, older clients want one
    return described
