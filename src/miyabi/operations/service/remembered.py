"""What operations remember about the service: tags on it, `miyabi:...`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from miyabi.operations.service.scaling import Bounds, Suspension

_STOPPED = "miyabi:stopped"
_OVERRIDE = "miyabi:override"


@dataclass(frozen=True, slots=True)
class Stopped:
    """How the service was before it was stopped."""

    at: datetime
    count: int
    suspension: Suspension | None
    """None: there was no autoscaling."""
    alarm_actions: bool | None
    """Whether the low-tasks alarm told somebody; None: there was none."""

    KEYS = tuple(f"{_STOPPED}-{name}" for name in ("at", "count", "scaling", "alarm"))

    def tags(self) -> dict[str, str]:
        """Return the tags that remember it."""
        alarm = {None: "none", True: "enabled", False: "disabled"}[self.alarm_actions]
        scaling = "none" if self.suspension is None else self.suspension.text()
        return dict(zip(self.KEYS, (self.at.isoformat(), str(self.count), scaling, alarm), strict=True))

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> Stopped | None:
        """Return what the tags remember, if they do."""
        if not all(key in tags for key in cls.KEYS):
            return None
        at, count, scaling, alarm = (tags[key] for key in cls.KEYS)
        return cls(
            datetime.fromisoformat(at),
            int(count),
            None if scaling == "none" else Suspension.read(scaling),
            {"enabled": True, "disabled": False}.get(alarm),
        )


@dataclass(frozen=True, slots=True)
class Override:
    """A count that holds for a while: autoscaling's bounds were moved, and move back by themselves."""

    count: int
    until: datetime
    bounds: Bounds
    """As they were, and will be again."""

    KEYS = tuple(f"{_OVERRIDE}-{name}" for name in ("count", "until", "bounds"))

    def tags(self) -> dict[str, str]:
        """Return the tags that remember it."""
        values = (str(self.count), self.until.isoformat(), f"{self.bounds.minimum}-{self.bounds.maximum}")
        return dict(zip(self.KEYS, values, strict=True))

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> Override | None:
        """Return what the tags remember, if they do; it may have ended."""
        if not all(key in tags for key in cls.KEYS):
            return None
        count, until, bounds = (tags[key] for key in cls.KEYS)
        low, _, high = bounds.partition("-")
        return cls(int(count), datetime.fromisoformat(until), Bounds(int(low), int(high)))
