"""When an alarm mute rule is active: at(yyyy-MM-ddThh:mm) once, cron(minutes hours days months weekdays) repeatedly.

Source: docs.aws.amazon.com, PutAlarmMuteRule.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

from miyabi.policy.schedule import At, BadSchedule, Schedule, next_due, parse_schedule

_DURATION: Final = re.compile(r"P(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,5})M)?)?")
_AT: Final = re.compile(r"at\(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}\)")
_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=15)


@dataclass(frozen=True, slots=True)
class MuteSchedule:
    """A schedule and for how long it mutes."""

    schedule: Schedule
    duration: timedelta

    @property
    def once(self) -> bool:
        """Whether it mutes a single time."""
        return isinstance(self.schedule, At)

    def muted_until(
        self, now: datetime, *, zone: tzinfo, begin: datetime, end: datetime | None = None
    ) -> datetime | None:
        """Return when the muting that goes on now ends; None where none goes on."""
        if end is not None and now >= end:
            return None
        since = next_due(self.schedule, after=now - self.duration, zone=zone, begin=begin - self.duration, end=end)
        if since is None or since > now or now < begin:
            return None
        return min(since + self.duration, end) if end is not None else since + self.duration

    def is_over(self, now: datetime, *, zone: tzinfo, begin: datetime, end: datetime | None = None) -> bool:
        """Say whether it will never mute again."""
        if end is not None and now >= end:
            return True
        since = next_due(self.schedule, after=now - self.duration, zone=zone, begin=begin - self.duration, end=end)
        return since is None


def parse_mute_schedule(expression: str, duration: str) -> MuteSchedule:
    """Return the schedule. BadSchedule: it or the duration (`PT30M`, `P2DT12H`: a minute to 15 days) cannot be read."""
    found = _DURATION.fullmatch(duration)
    numbers = [int(one or 0) for one in found.groups()] if found else [0, 0, 0]
    length = timedelta(days=numbers[0], hours=numbers[1], minutes=numbers[2])
    if not _SHORTEST <= length <= _LONGEST:
        raise BadSchedule(f"the duration {duration!r} is not one from PT1M to P15D")
    return MuteSchedule(_schedule(expression.strip()), length)


def duration_text(duration: timedelta) -> str:
    """Return a duration of whole minutes in ISO 8601."""
    minutes = int(duration.total_seconds() // 60)
    return f"PT{minutes}M"


def _schedule(text: str) -> Schedule:
    if _AT.fullmatch(text):
        return parse_schedule(f"{text[:-1]}:00)")
    fields = text.removeprefix("cron(").removesuffix(")").split()
    if not text.startswith("cron(") or not text.endswith(")") or len(fields) != 5:
        raise BadSchedule("an expression is at(yyyy-MM-ddThh:mm) or cron(minutes hours days months weekdays)")
    minutes, hours, days, months, weekdays = fields
    if weekdays == "*":
        weekdays = "?"
    elif days == "*":
        days = "?"
    else:
        raise BadSchedule("days of the month and of the week cannot both be given")
    return parse_schedule(f"cron({minutes} {hours} {days} {months} {weekdays} *)")
