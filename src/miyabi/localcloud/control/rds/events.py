"""What happened to instances."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from miyabi.localcloud.control.rds.nouns import Nouns, page
from miyabi.localcloud.control.service import Caller, Params, Result
from miyabi.model.rds import DbInstance, Event

_KEPT = timedelta(days=14)
"""Source: docs.aws.amazon.com, DescribeEvents."""
_DEFAULT_MINUTES = 60


class Events(Nouns):
    """Operations on events, and writing them."""

    def describe_events(self, caller: Caller, params: Params) -> Result:
        """Describe events of the last hour, of `Duration` minutes, or between two instants; oldest first."""
        end = _aware(params.get("EndTime")) or caller.now
        begin = _aware(params.get("StartTime")) or end - timedelta(minutes=params.get("Duration") or _DEFAULT_MINUTES)
        wanted = set(params.get("EventCategories") or ())
        found = [
            _described(event)
            for event in self.events.list(caller.region)
            if begin <= event.at <= end
            and params.get("SourceType") in {None, event.source_type}
            and params.get("SourceIdentifier") in {None, event.source_identifier}
            and (not wanted or wanted & set(event.categories))
        ]
        return page("Events", found, params)

    def note(self, region: str, row: DbInstance, now: datetime, category: str, message: str) -> None:
        """Write an event of an instance; drop those that RDS would not keep either."""
        key = f"{now.isoformat()}/{secrets.token_hex(4)}"
        self.events.put(region, key, Event(key, now, "db-instance", row.identifier, row.arn, (category,), message))
        for old in self.events.list(region):
            if now - old.at <= _KEPT:
                break
            self.events.delete(region, old.key)


def _aware(instant: datetime | None) -> datetime | None:
    # The parser drops the zone, which is UTC.
    return instant.replace(tzinfo=UTC) if instant is not None and instant.tzinfo is None else instant


def _described(event: Event) -> Result:
    return {
        "Date": event.at,
        "SourceType": event.source_type,
        "SourceIdentifier": event.source_identifier,
        "SourceArn": event.source_arn,
        "EventCategories": list(event.categories),
        "Message": event.message,
    }
