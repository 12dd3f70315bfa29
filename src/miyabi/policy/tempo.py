"""How fast control loops run beside the wall clock.

At speed n a rule of fifteen minutes is rehearsed in fifteen nths: the durations of control loops are divided, and
everything that is shown stays wall time. The loops' own time, in which periods and their boundaries keep their
lengths, is the wall clock's seconds since 1970 times the speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

FASTEST: Final = 60


@dataclass(frozen=True, slots=True)
class Tempo:
    """A clock speed from 1 to `FASTEST`."""

    speed: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.speed <= FASTEST:
            raise ValueError(f"a clock speed is a whole number from 1 to {FASTEST}, not {self.speed}")

    def seconds(self, instant: datetime) -> float:
        """Return an instant in the loops' own time, in seconds."""
        return instant.timestamp() * self.speed

    def instant(self, seconds: float) -> datetime:
        """Return the wall's instant at a second of the loops' own time."""
        return datetime.fromtimestamp(seconds / self.speed, UTC)

    def shortened(self, duration: timedelta) -> timedelta:
        """Return how long a control loop's duration takes on the wall clock."""
        return duration / self.speed

    def last_boundary(self, instant: datetime, period_seconds: int) -> int:
        """Return the second of the loops' own time at which the newest whole period had ended."""
        return int(self.seconds(instant) // period_seconds) * period_seconds


WALL: Final = Tempo()
"""Control loops as fast as the wall clock."""
