"""Following a log group without loss or repeats: from which time each look reads, and what in it is new.

CloudWatch Logs shows an event some time after it happened: the awslogs driver sends what it has every few seconds,
and each stream has a delay of its own. So when the newest line has been seen, older ones may still be missing. A
follower therefore reads a little of the past again in each look, and more of it in a *sweep* from time to time, and
remembers which events it has returned.

An event is returned once if it can be found within `sweep_back` after its timestamp. This rests on the server's
clock alone: neither a caller's wrong clock nor a writer's event from the future moves what is read, and a look that
failed is made up for by the next, however late.
"""

from __future__ import annotations

from collections.abc import Iterable

from miyabi.model.logs import LogEvent

LOOK_BACK_MS = 10_000
"""Read again in every look. The awslogs driver sends after five seconds at the latest."""
SWEEP_BACK_MS = 120_000
SWEEP_EVERY_MS = 30_000


class Follower:
    """What has been seen of a log group. Times are milliseconds since 1970, by the server's clock.

    One look: read every page from `start(...)` on, pass each page through `fresh`, then tell `completed` when the
    look began. A look that did not come to its end is not told; what it returned stays remembered.
    """

    def __init__(
        self,
        since: int,
        *,
        look_back: int = LOOK_BACK_MS,
        sweep_back: int = SWEEP_BACK_MS,
        sweep_every: int = SWEEP_EVERY_MS,
    ) -> None:
        """since: events with an earlier timestamp are not read."""
        self._since = since
        self._look_back = look_back
        self._sweep_back = max(sweep_back, look_back)
        self._sweep_every = sweep_every
        self._looked: int | None = None
        self._swept: int | None = None
        self._sweeping = True
        self._returned: dict[str, int] = {}

    def start(self) -> int:
        """Return the timestamp from which the next look reads."""
        if self._looked is None or self._swept is None:
            return self._since
        self._sweeping = self._looked - self._swept >= self._sweep_every
        if self._sweeping:
            return max(self._since, self._swept - self._sweep_back)
        return max(self._since, self._looked - self._look_back)

    def fresh(self, page: Iterable[LogEvent]) -> list[LogEvent]:
        """Return the events of a page that were not returned before, oldest first; equally old ones stay in order."""
        found = []
        for event in page:
            if event.id not in self._returned:
                self._returned[event.id] = event.timestamp
                found.append(event)
        return sorted(found, key=lambda event: event.timestamp)

    def completed(self, at: int) -> None:
        """Note that a look came to its end, and by the server's clock it began at this time or later."""
        self._looked = max(at, self._looked or at)
        if self._sweeping:
            self._swept = self._looked
        oldest = min(self._looked - self._look_back, (self._swept or self._looked) - self._sweep_back)
        if self._sweeping:  # no more often: each time costs a walk over all of them
            self._returned = {key: timestamp for key, timestamp in self._returned.items() if timestamp >= oldest}

    @property
    def remembered(self) -> int:
        """How many events are remembered."""
        return len(self._returned)
