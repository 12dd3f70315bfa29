"""What the parts of the service share: the database, and finding groups and streams in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from miyabi.localcloud.control.logs.database import LogDatabase
from miyabi.localcloud.control.logs.names import group_in_arn, invalid
from miyabi.localcloud.control.service import ApiError, Caller, LiveService, Params

log = logging.getLogger(__name__)

_DAY = 86_400_000

_GROUP = "SELECT id, region, name, created, class, kms_key, protected, retention_days, stored_bytes, tags FROM groups"
_STREAM = "SELECT id, group_id, name, created, first_event, last_event, last_ingestion FROM streams"


def _take_no_notice(_region: str, _messages: Sequence[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class Group:
    """A log group. Times are milliseconds since 1970."""

    id: int
    region: str
    name: str
    created: int
    log_class: str
    kms_key: str | None
    protected: bool
    retention_days: int | None
    stored_bytes: int
    tags: dict[str, str]

    def oldest(self, now: int) -> int:
        """Return the time before which the group's events have expired."""
        return 0 if self.retention_days is None else now - self.retention_days * _DAY


@dataclass(frozen=True, slots=True)
class Stream:
    """A log stream. Times are milliseconds since 1970."""

    id: int
    group_id: int
    name: str
    created: int
    first_event: int | None
    last_event: int | None
    last_ingestion: int | None


class LogsBase(LiveService):
    """The database and the rows in it."""

    name: ClassVar[str] = "logs"

    def __init__(
        self,
        path: Path,
        clock: Callable[[], datetime],
        on_change: Callable[[], None],
        on_events: Callable[[str, Sequence[str]], None] = _take_no_notice,
    ) -> None:
        """Open the database.

        on_change: called when a loop has something to do: a file to follow, or a log group's events to remove.
        on_events: region and messages of events that have been stored.
        """
        self._database = LogDatabase(path)
        self._clock = clock
        self._on_change = on_change
        self._on_events = on_events
        self._missing: set[tuple[str, str]] = set()
        """Log groups, by region and name, that tasks print to and that do not exist."""

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _tell(self, region: str, messages: Sequence[str]) -> None:
        """Say what was stored, once that is certain; whoever cannot hear it does not undo it, and is not told again."""
        try:
            self._on_events(region, messages)
        except Exception:
            log.exception("metrics in %d log events of %s are lost", len(messages), region)

    def _now(self) -> int:
        return milliseconds(self._clock())

    def _groups(self, where: str, *values: object) -> list[Group]:
        return [_group(row) for row in self._database.execute(f"{_GROUP} {where}", *values)]

    def _streams(self, where: str, *values: object) -> list[Stream]:
        return [Stream(*row) for row in self._database.execute(f"{_STREAM} {where}", *values)]

    def _group(self, region: str, name: str) -> Group:
        for group in self._groups("WHERE region=? AND name=?", region, name):
            return group
        raise ApiError("ResourceNotFoundException", "The specified log group does not exist.")

    def _group_asked(self, caller: Caller, params: Params) -> Group:
        """Return the group that logGroupName or logGroupIdentifier names."""
        name, identifier = params.get("logGroupName"), params.get("logGroupIdentifier")
        if (name is None) == (identifier is None):
            raise invalid("Exactly one of logGroupName and logGroupIdentifier must be given.")
        asked = str(name if identifier is None else identifier)
        if identifier is not None and asked.startswith("arn:"):
            asked = group_in_arn(asked, caller.region, caller.account) or ""
        return self._group(caller.region, asked)

    def _stream(self, group: Group, name: str) -> Stream:
        for stream in self._streams("WHERE group_id=? AND name=?", group.id, name):
            return stream
        raise ApiError("ResourceNotFoundException", "The specified log stream does not exist.")


def milliseconds(instant: datetime) -> int:
    """Return the instant as CloudWatch Logs writes it."""
    return int(instant.timestamp() * 1000)


def _group(row: tuple[Any, ...]) -> Group:
    group_id, region, name, created, log_class, kms_key, protected, retention_days, stored_bytes, tags = row
    return Group(
        id=group_id,
        region=region,
        name=name,
        created=created,
        log_class=log_class,
        kms_key=kms_key,
        protected=bool(protected),
        retention_days=retention_days,
        stored_bytes=stored_bytes,
        tags=json.loads(tags),
    )
