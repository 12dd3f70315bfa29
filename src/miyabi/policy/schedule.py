"""When a scheduled action is due: at(...), rate(...) and cron(...) of Application Auto Scaling.

Source: docs.aws.amazon.com, "Schedule recurring scaling actions using cron expressions" and PutScheduledAction.
cron has six fields: minutes, hours, day of month, month, day of week (1 is Sunday), year; `,` `-` `/` `*` `?` `L` `W`
`#`. Times of at() and cron() are in the action's time zone; rate() counts from the start, else from the creation.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_YEARS = range(1970, 2200)
_LONGEST = timedelta(days=366 * len(_YEARS))
_FARTHEST_DAYS = 366 * 9
"""As far as an expression is looked ahead: 29 February may be eight years away."""


class BadSchedule(ValueError):
    """The expression cannot be read; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class At:
    """Once."""

    local: datetime
    """Without a zone."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Again and again after the same time."""

    every: timedelta


@dataclass(frozen=True, slots=True)
class Cron:
    """At the minutes that fit."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: str
    months: frozenset[int]
    weekdays: str
    years: frozenset[int]


Schedule = At | Rate | Cron


def parse_schedule(text: str) -> Schedule:
    """Return the schedule that an expression means. Raises BadSchedule."""
    found = re.fullmatch(r"(at|rate|cron)\((.*)\)", text.strip())
    if found is None:
        raise BadSchedule(f"'{text}' is neither at(...), rate(...) nor cron(...)")
    kind, inner = found[1], found[2].strip()
    try:
        if kind == "at":
            return _at(inner)
        return _rate(inner) if kind == "rate" else _cron(inner)
    except BadSchedule:
        raise
    except (ValueError, OverflowError) as error:
        raise BadSchedule(f"{kind}(...): a number in it is too large") from error


def next_due(
    schedule: Schedule,
    *,
    after: datetime,
    zone: tzinfo,
    begin: datetime,
    end: datetime | None = None,
) -> datetime | None:
    """Return the first instant after `after` at which the schedule is due, in UTC; None where there is none.

    begin: StartTime, else when the action was put; nothing is due before it. end: EndTime, inclusive.
    """
    found: datetime | None
    if isinstance(schedule, At):
        found = schedule.local.replace(tzinfo=zone).astimezone(UTC)
        found = found if found > after else None
    elif isinstance(schedule, Rate):
        passed = (after - begin) // schedule.every + 1 if after >= begin else 0
        found = begin + max(passed, 0) * schedule.every
    else:
        # Something due exactly at the beginning counts.
        found = _next_cron(schedule, max(after, begin - timedelta(microseconds=1)), zone)
    if found is None or (end is not None and found > end):
        return None
    return found


def _at(inner: str) -> At:
    try:
        local = datetime.strptime(inner, "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007 - its zone is another parameter
    except ValueError as error:
        raise BadSchedule(f"at({inner}): not of the form at(yyyy-mm-ddThh:mm:ss)") from error
    if local.year not in _YEARS:
        raise BadSchedule(f"at({inner}): the year is not from {_YEARS[0]} to {_YEARS[-1]}")
    return At(local)


def _rate(inner: str) -> Rate:
    found = re.fullmatch(r"(\d+) +(minute|hour|day)(s?)", inner)
    if found is None or int(found[1]) == 0 or (found[1] == "1") == bool(found[3]):
        raise BadSchedule(f"rate({inner}): not of the form rate(1 minute), rate(5 hours), rate(2 days)")
    every = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    if every > _LONGEST:
        raise BadSchedule(f"rate({inner}): longer than {len(_YEARS)} years")
    return Rate(every)


def _cron(inner: str) -> Cron:
    fields = inner.upper().split()
    if len(fields) != 6:
        raise BadSchedule(f"cron({inner}): it has {len(fields)} fields, not 6")
    minutes, hours, days, months, weekdays, years = fields
    if (days == "?") == (weekdays == "?"):
        raise BadSchedule(f"cron({inner}): one of day of month and day of week must be ?, the other not")
    cron = Cron(
        minutes=_numbers(minutes, 0, 59),
        hours=_numbers(hours, 0, 23),
        days=days,
        months=_numbers(months, 1, 12, _MONTHS, 1),
        weekdays=weekdays,
        years=_numbers(years, _YEARS[0], _YEARS[-1]),
    )
    _days_of_month(cron, 2024, 1)  # a day that cannot be read is found now, not when it is due
    return cron


def _numbers(text: str, low: int, high: int, names: list[str] | None = None, first: int = 0) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if span in {"*", "?"}:
            start, stop = low, high
        else:
            left, dash, right = span.partition("-")
            start = _number(left, names, first)
            stop = _number(right, names, first) if dash else (high if slash else start)
        if not (low <= start <= high and low <= stop <= high) or (slash and not (step.isdecimal() and int(step))):
            raise BadSchedule(f"'{part}' is not between {low} and {high}")
        wrapped = range(start, stop + 1) if start <= stop else [*range(start, high + 1), *range(low, stop + 1)]
        found.update(list(wrapped)[:: int(step) if slash else 1])
    return frozenset(found)


def _number(text: str, names: list[str] | None, first: int) -> int:
    if names and text in names:
        return names.index(text) + first
    if not text.isdecimal():
        raise BadSchedule(f"'{text}' is not a number")
    return int(text)


def _next_cron(cron: Cron, after: datetime, zone: tzinfo) -> datetime | None:
    local = after.astimezone(zone)
    for day in _fitting_days(cron, local.date()):
        for hour in sorted(cron.hours):
            for minute in sorted(cron.minutes):
                at = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)
                if at > after:
                    return at
    return None


def _fitting_days(cron: Cron, start: date) -> Iterator[date]:
    last = start + timedelta(days=_FARTHEST_DAYS)
    year, month = start.year, start.month
    while date(year, month, 1) <= last:
        if year in cron.years and month in cron.months:
            yield from (
                date(year, month, day) for day in _days_of_month(cron, year, month) if date(year, month, day) >= start
            )
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)


def _days_of_month(cron: Cron, year: int, month: int) -> list[int]:
    length = calendar.monthrange(year, month)[1]
    if cron.days != "?":
        return sorted({day for part in cron.days.split(",") for day in _by_day(part, year, month, length)})
    return sorted({day for part in cron.weekdays.split(",") for day in _by_weekday(part, year, month, length)})


def _by_day(part: str, year: int, month: int, length: int) -> list[int]:
    if part == "L":
        return [length]
    if part == "LW":
        return [_nearest_working_day(year, month, length, length)]
    if part.endswith("W"):
        wanted = _number(part[:-1], None, 0)
        if not 1 <= wanted <= 31:
            raise BadSchedule(f"'{part}' is not a day of the month")
        return [_nearest_working_day(year, month, wanted, length)] if wanted <= length else []
    return [day for day in _numbers(part, 1, 31) if day <= length]


def _nearest_working_day(year: int, month: int, day: int, length: int) -> int:
    weekday = date(year, month, day).weekday()
    if weekday == 5:  # Saturday: the day before, unless that is another month
        return day - 1 if day > 1 else day + 2
    if weekday == 6:
        return day + 1 if day < length else day - 2
    return day


def _by_weekday(part: str, year: int, month: int, length: int) -> list[int]:
    def of(number: int) -> list[int]:
        return [day for day in range(1, length + 1) if (date(year, month, day).weekday() + 1) % 7 + 1 == number]

    if part == "L":
        return of(7)
    if part.endswith("L"):
        return of(_weekday(part[:-1]))[-1:]
    name, hash_, number = part.partition("#")
    if hash_:
        if not number.isdecimal() or not 1 <= int(number) <= 5:
            raise BadSchedule(f"'{part}' is not of the form 3#2")
        return of(_weekday(name))[int(number) - 1 : int(number)]
    return [day for one in _numbers(part, 1, 7, _DAYS, 1) for day in of(one)]


def _weekday(text: str) -> int:
    number = _number(text, _DAYS, 1)
    if not 1 <= number <= 7:
        raise BadSchedule(f"'{text}' is not a day of the week")
    return number
