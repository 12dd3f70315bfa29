"""The audit: who did what, in a log group of its own, a stream a writer."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from miyabi.aws.clients import Cloud
from miyabi.aws.errors import translated
from miyabi.model.audit import AuditEntry
from miyabi.model.errors import Conflict, NotFound, Unavailable
from miyabi.operations.execution.spool import Spool
from miyabi.policy.audit_chain import Record

_OLDEST = timedelta(days=13)
"""CloudWatch Logs refuses events that are older than 14 days."""
_BATCH = 100
"""Far from the million bytes that a call takes: a record has some thousand at most."""
_SPAN = timedelta(hours=23)


class Audit:
    """The audit of one environment, as one writer writes it and everybody reads it."""

    def __init__(self, cloud: Cloud, group: str, spool: Spool) -> None:
        self._cloud = cloud
        self._group = group
        self.spool = spool

    def write(self, entry: AuditEntry) -> str | None:
        """Write a record, and what waits in the spool; return why it had to stay there, if it had to.

        It stays while AWS cannot be reached, and is sent later. Raises NotFound without the log group, Denied where the
        caller may not write to it: then the record is kept too, but nothing should be changed.
        """
        self.spool.append(asdict(entry))
        return self.flush()

    def flush(self) -> str | None:
        """Send what waits in the spool; return why it had to stay there, if it had to."""
        try:
            self.spool.send(self._deliver)
        except Unavailable as error:
            return f"the audit waits in {self.spool.directory} until AWS takes it: {error.message}"
        return None

    def read(self, *, since: datetime | None = None) -> Iterator[Record]:
        """Yield the records of all writers, oldest first as they arrived."""
        logs = self._cloud.client("logs")
        options: dict[str, Any] = {"logGroupName": self._group}
        if since is not None:
            options["startTime"] = int(since.timestamp() * 1000)
        with self._translated(f"reading the audit {self._group}"):
            for page in logs.get_paginator("filter_log_events").paginate(**options):
                for event in page["events"]:
                    yield _record(event.get("message", ""), event.get("logStreamName", ""))

    def _deliver(self, records: Sequence[Record]) -> None:
        streams: dict[str, list[Record]] = {}
        for record in records:
            streams.setdefault(str(record["writer"]), []).append(record)
        for stream, ours in streams.items():
            for batch in _batches(ours):
                self._put(stream, batch)

    def _put(self, stream: str, events: Sequence[Any]) -> None:
        logs = self._cloud.client("logs")
        with self._translated(f"writing the audit {self._group}"):
            try:
                with translated("writing"):
                    logs.put_log_events(logGroupName=self._group, logStreamName=stream, logEvents=events)
            except NotFound:
                try:
                    with translated("making the stream"):
                        logs.create_log_stream(logGroupName=self._group, logStreamName=stream)
                except Conflict:
                    pass  # another command of this writer was first
                logs.put_log_events(logGroupName=self._group, logStreamName=stream, logEvents=events)

    @contextlib.contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            with translated(doing):
                yield
        except NotFound as error:
            raise NotFound(
                f"log group '{self._group}' of the audit not found in {self._cloud.region}",
                hint="Terraform makes it; `audit_log_group` in miyabi.toml names another.",
            ) from error


def _batches(records: Sequence[Record]) -> Iterator[Sequence[Any]]:
    """Yield log events in the order of their time, as many as one call takes: they may not span a day."""
    batch: list[dict[str, Any]] = []
    for event in sorted(({"timestamp": _timestamp(one), "message": _text(one)} for one in records), key=_moment):
        if batch and (len(batch) == _BATCH or _moment(event) - _moment(batch[0]) > _SPAN.total_seconds() * 1000):
            yield batch
            batch = []
        batch.append(event)
    if batch:
        yield batch


def _timestamp(record: Record) -> int:
    at = datetime.fromisoformat(str(record["at"]))
    now = datetime.now(UTC)
    return int((at if now - at < _OLDEST else now).timestamp() * 1000)


def _moment(event: dict[str, Any]) -> int:
    return int(event["timestamp"])


def _text(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def _record(message: str, stream: str) -> Record:
    try:
        record = json.loads(message)
        if isinstance(record, dict) and isinstance(record.get("sequence"), int):
            return record
    except ValueError:
        pass
    return {"writer": stream, "sequence": 0, "hash": "", "previous": "", "unreadable": message, "at": _now()}


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat()
