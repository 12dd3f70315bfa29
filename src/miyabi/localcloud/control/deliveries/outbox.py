"""The messages that are on their way."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass, replace
from datetime import datetime

from miyabi.localcloud.control.sns import Outgoing, take_outgoing
from miyabi.localcloud.control.store import Store, Table
from miyabi.policy.delivery_retry import is_taken, next_try

log = logging.getLogger(__name__)

_KEPT_FAILURES = 100


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way to one subscriber; it ends with being taken or given up."""

    key: str
    """They sort by time."""
    message: Outgoing
    published_at: datetime
    due_at: datetime
    attempts: int = 0
    given_up: bool = False
    error: str = ""


class Outbox:
    """Rows of deliveries. Used on the worker thread."""

    def __init__(self, store: Store) -> None:
        self._rows = Table(store, "sns.delivery", Delivery)
        self._numbers = itertools.count()

    def take(self, now: datetime) -> bool:
        """Keep what was published just now; return whether there was anything."""
        taken = take_outgoing()
        for message in taken:
            key = f"{now.isoformat()}|{next(self._numbers):09d}|{message.message_id}"
            self._rows.put(message.region, key, Delivery(key, message, now, now))
        return bool(taken)

    def waiting(self) -> dict[str, Delivery]:
        """Return the first delivery of each subscription that is still to be made: they are made in order."""
        found: dict[str, Delivery] = {}
        for region in self._rows.regions():
            for row in self._rows.list(region):
                if not row.given_up:
                    found.setdefault(row.message.subscription_arn, row)
        return found

    def failures(self, region: str) -> list[Delivery]:
        """Return those that were given up of late, oldest first."""
        return [row for row in self._rows.list(region) if row.given_up]

    def ended(self, row: Delivery, status: int | None, error: str, now: datetime) -> None:
        """Note what came of a try: taken, to be tried again, or given up."""
        region = row.message.region
        if is_taken(status):
            self._rows.delete(region, row.key)
            return
        attempts = row.attempts + 1
        wait = next_try(attempts, status)
        why = error or f"status {status}"
        if wait is not None:
            self._rows.put(region, row.key, replace(row, attempts=attempts, due_at=now + wait, error=why))
            return
        log.warning(
            "a message of %s to %s was given up after %d tries: %s",
            row.message.topic_arn,
            row.message.endpoint,
            attempts,
            why,
        )
        self._rows.put(region, row.key, replace(row, attempts=attempts, given_up=True, error=why))
        for old in self.failures(region)[:-_KEPT_FAILURES]:
            self._rows.delete(region, old.key)
