"""The environment's lock: one item of a DynamoDB table, written under a condition.

The item has an owner, a lease that its holder renews, and a fencing number that only grows. Whoever finds an expired
lease takes the lock over. Leases are judged by the clocks of those who take part: they may differ by seconds, not by
more than the lease. ECS cannot check a fencing number, so the holder checks before every changing call that the lock
is still its own.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from miyabi.aws.clients import Cloud
from miyabi.aws.errors import translated
from miyabi.model.errors import Conflict, Denied, MiyabiError, NotFound, Unavailable

_NAMES = {name: f"#{name}" for name in ("token", "owner", "operation", "since", "lease_until", "fence")}


@dataclass(frozen=True, slots=True)
class Held:
    """Who holds a lock, or held it last."""

    owner: str
    operation: str
    since: datetime
    lease_until: datetime
    fence: int
    """Of the run that took it."""
    token: str

    def expired(self, now: datetime) -> bool:
        """Whether the lease has run out: its holder died, or cannot reach AWS."""
        return self.lease_until < now


@dataclass(frozen=True, slots=True)
class LockTable:
    """The lock of one environment."""

    cloud: Cloud
    table: str
    lock_id: str

    def read(self) -> Held | None:
        """Return who holds the lock; None where nobody does."""
        with self._translated(f"reading the lock of {self.lock_id}"):
            answer = self._client.get_item(TableName=self.table, Key=self._key, ConsistentRead=True)
        return _held(answer.get("Item"))

    def take(
        self, *, owner: str, operation: str, token: str, now: datetime, lease: timedelta
    ) -> tuple[int, Held | None]:
        """Take the lock if nobody holds it or the lease is over; return its number and whom it was taken from.

        Conflict: it is held, and by whom since when. Asking again with the same token succeeds.
        """
        values = {
            ":token": {"S": token},
            ":owner": {"S": owner},
            ":operation": {"S": operation},
            ":since": {"S": now.isoformat()},
            ":until": _milliseconds(now + lease),
            ":now": _milliseconds(now),
            ":one": {"N": "1"},
        }
        update = (
            "SET #token = :token, #owner = :owner, #operation = :operation, #since = :since, #lease_until = :until "
            "ADD #fence :one"
        )
        try:
            with self._translated(f"taking the lock of {self.lock_id}"):
                answer = self._client.update_item(
                    TableName=self.table,
                    Key=self._key,
                    UpdateExpression=update,
                    ConditionExpression="attribute_not_exists(#token) OR #lease_until < :now OR #token = :token",
                    ExpressionAttributeNames={short: name for name, short in _NAMES.items()},
                    ExpressionAttributeValues=values,
                    ReturnValues="ALL_OLD",
                )
        except Conflict as error:
            raise self._held_by_another(now) from error
        before = answer.get("Attributes") or {}
        fence = int(before.get("fence", {"N": "0"})["N"]) + 1
        old = _held(before)
        return fence, old if old is not None and old.token != token else None

    def renew(self, token: str, *, now: datetime, lease: timedelta) -> None:
        """Put the end of the lease off. Conflict: the lock is no longer ours."""
        with self._translated(f"renewing the lock of {self.lock_id}"):
            self._client.update_item(
                TableName=self.table,
                Key=self._key,
                UpdateExpression="SET #lease_until = :until",
                ConditionExpression="#token = :token",
                ExpressionAttributeNames={"#lease_until": "lease_until", "#token": "token"},
                ExpressionAttributeValues={":until": _milliseconds(now + lease), ":token": {"S": token}},
            )

    def release(self, token: str) -> None:
        """Give the lock back; the number stays. Conflict: it is no longer ours."""
        with self._translated(f"releasing the lock of {self.lock_id}"):
            self._client.update_item(
                TableName=self.table,
                Key=self._key,
                UpdateExpression="REMOVE #token, #owner, #operation, #since, #lease_until",
                ConditionExpression="#token = :token",
                ExpressionAttributeNames={short: name for name, short in _NAMES.items() if name != "fence"},
                ExpressionAttributeValues={":token": {"S": token}},
            )

    @property
    def _client(self) -> Any:
        return self.cloud.client("dynamodb")

    @property
    def _key(self) -> dict[str, dict[str, str]]:
        return {"lock_id": {"S": self.lock_id}}

    @contextlib.contextmanager
    def _translated(self, doing: str) -> Any:
        try:
            with translated(doing):
                yield
        except NotFound as error:
            raise NotFound(
                f"table '{self.table}' of the locks not found in {self.cloud.region}",
                hint="Terraform makes it; `lock_table` in miyabi.toml names another (hash key lock_id, text).",
            ) from error

    def _held_by_another(self, now: datetime) -> Conflict:
        held = self.read()
        if held is None:
            return Conflict(f"the lock of {self.lock_id} was held until just now", hint="Try again.")
        return Conflict(
            f"{self.lock_id} is locked by {held.owner} for {held.operation} since {held.since:%Y-%m-%d %H:%M:%S %Z}",
            hint=f"Wait for it; its lease ends in {max(0, (held.lease_until - now).total_seconds()):.0f} s unless it "
            "is renewed. `miyabi lock show` says more, `miyabi lock break` takes it in an emergency.",
        )


class HeldLock:
    """A lock while it is ours: renewed in a thread of its own until it is released."""

    def __init__(
        self,
        table: LockTable,
        *,
        owner: str,
        operation: str,
        lease: timedelta,
        renewal: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.token = str(uuid.uuid4())
        self.fence: int | None = None
        self.taken_from: Held | None = None
        self._table = table
        self._owner = owner
        self._operation = operation
        self._lease = lease
        self._renewal = renewal
        self._now = now
        self._clock = clock
        self._ends = 0.0
        self._lost: str | None = None
        self._asked = False
        self._released = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self) -> None:
        """Take it. Conflict: another holds it."""
        begun = self._clock()
        self._asked = True  # from here on it may be ours, even if no answer is seen
        try:
            self.fence, self.taken_from = self._table.take(
                owner=self._owner, operation=self._operation, token=self.token, now=self._now(), lease=self._lease
            )
        except (Conflict, Denied, NotFound):
            self._asked = False
            raise
        self._ends = begun + self._lease.total_seconds()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise Conflict unless the lock is surely ours: call it before anything is changed."""
        if self._lost is None and self._clock() >= self._ends:
            self._lost = "its lease ran out before it could be renewed"
        if self._lost is not None:
            raise Conflict(
                f"the lock of {self._table.lock_id} is no longer held: {self._lost}",
                hint="Nothing more was changed. `miyabi lock show` says who holds it now.",
            )

    def release(self) -> str | None:
        """Stop renewing and give it back; return what is wrong, if anything. It may never have been taken."""
        self._released.set()
        if not self._asked:
            return None
        if self._thread is not None:
            self._thread.join(1.0)  # a renewal that is still under way then will find that the lock is not ours
        try:
            self._table.release(self.token)
        except Conflict:
            return None if self.fence is None else "the lock had been taken by another before the end"
        except MiyabiError as error:
            seconds = self._lease.total_seconds()
            return f"the lock could not be released ({error.message}); its lease ends within {seconds:.0f} s"
        return None

    def _keep(self) -> None:
        while not self._released.wait(self._renewal.total_seconds()):
            begun = self._clock()
            try:
                self._table.renew(self.token, now=self._now(), lease=self._lease)
            except Unavailable:
                continue  # the next may come through; until then `check` watches the lease
            except MiyabiError as error:
                self._lost = "another took it" if isinstance(error, Conflict) else error.message
                return
            self._ends = begun + self._lease.total_seconds()


def _held(item: Mapping[str, Any] | None) -> Held | None:
    if not item or "token" not in item:
        return None
    return Held(
        owner=item["owner"]["S"],
        operation=item["operation"]["S"],
        since=datetime.fromisoformat(item["since"]["S"]),
        lease_until=datetime.fromtimestamp(int(item["lease_until"]["N"]) / 1000, UTC),
        fence=int(item["fence"]["N"]),
        token=item["token"]["S"],
    )


def _milliseconds(instant: datetime) -> dict[str, str]:
    return {"N": str(int(instant.timestamp() * 1000))}
