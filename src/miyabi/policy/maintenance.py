"""Weekly maintenance and daily backup windows, as `sun:05:00-sun:06:00` and `03:00-04:00`, in UTC."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKLY = re.compile(r"([a-z]{3}):(\d\d):(\d\d)-([a-z]{3}):(\d\d):(\d\d)")
_DAILY = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_WEEK = 7 * 24 * 60
_DAY = 24 * 60
SHORTEST = timedelta(minutes=30)
"""RDS accepts no shorter window."""


class BrokenWindow(ValueError):
    """The window cannot be read, or is too short."""


def in_window(window: str, now: datetime) -> bool:
    """Say whether the instant is in the weekly window."""
    begin, length = weekly(window)
    minute = now.weekday() * _DAY + now.hour * 60 + now.minute
    return (minute - begin) % _WEEK < length


def weekly(window: str) -> tuple[int, int]:
    """Return a weekly window's first minute, counted from Monday, and its length in minutes. BrokenWindow."""
    match = _WEEKLY.fullmatch(window.lower())
    if match is None or not {match[1], match[4]} <= set(_DAYS):
        raise BrokenWindow(f"Invalid maintenance window format: {window}. Use ddd:hh24:mi-ddd:hh24:mi")
    begin = _DAYS.index(match[1]) * _DAY + _minute(match[2], match[3], window)
    end = _DAYS.index(match[4]) * _DAY + _minute(match[5], match[6], window)
    return begin, _length(begin, end, _WEEK, window)


def daily(window: str) -> tuple[int, int]:
    """Return a daily window's first minute and its length in minutes. BrokenWindow."""
    match = _DAILY.fullmatch(window)
    if match is None:
        raise BrokenWindow(f"Invalid backup window format: {window}. Use hh24:mi-hh24:mi")
    begin, end = _minute(match[1], match[2], window), _minute(match[3], match[4], window)
    return begin, _length(begin, end, _DAY, window)


def _minute(hours: str, minutes: str, window: str) -> int:
    if int(hours) > 23 or int(minutes) > 59:
        raise BrokenWindow(f"Invalid time in window: {window}")
    return int(hours) * 60 + int(minutes)


def _length(begin: int, end: int, cycle: int, window: str) -> int:
    length = (end - begin) % cycle
    if timedelta(minutes=length) < SHORTEST:
        raise BrokenWindow(f"The window {window} is too short: it must last 30 minutes at least")
    return length
