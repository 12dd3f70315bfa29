"""When an alarm mute rule is active."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from miyabi.policy.mute_schedule import duration_text, parse_mute_schedule
from miyabi.policy.schedule import BadSchedule

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def until(expression: str, duration: str, now: str, zone: str = "UTC") -> str | None:
    schedule = parse_mute_schedule(expression, duration)
    found = schedule.muted_until(datetime.fromisoformat(now), zone=ZoneInfo(zone), begin=LONG_AGO)
    return None if found is None else found.astimezone(UTC).isoformat()[:16]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-01-05T13:59:59+00:00", None),
        ("2026-01-05T14:00:00+00:00", "2026-01-05T14:30"),
        ("2026-01-05T14:29:59+00:00", "2026-01-05T14:30"),
        ("2026-01-05T14:30:00+00:00", None),
    ],
)
def test_at_mutes_once(now: str, expected: str | None) -> None:
    assert until("at(2026-01-05T14:00)", "PT30M", now) == expected


def test_cron_mutes_again_and_again_in_its_zone() -> None:
    assert until("cron(0 2 * * SUN)", "PT4H", "2026-01-04T03:00:00+00:00") == "2026-01-04T06:00"
    assert until("cron(0 2 * * SUN)", "PT4H", "2026-01-05T03:00:00+00:00") is None
    assert until("cron(0 2 * * *)", "PT1H", "2026-01-05T10:30:00+00:00", "America/Los_Angeles") == "2026-01-05T11:00"
    assert until("cron(0 18 * * FRI)", "P2DT12H", "2026-01-04T12:00:00+00:00") == "2026-01-05T06:00"


def test_a_rule_that_mutes_never_again_is_over() -> None:
    schedule = parse_mute_schedule("at(2026-01-05T14:00)", "PT30M")
    before, after = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 5, 15, tzinfo=UTC)
    assert not schedule.is_over(before, zone=UTC, begin=LONG_AGO)
    assert schedule.is_over(after, zone=UTC, begin=LONG_AGO)
    assert schedule.is_over(before, zone=UTC, begin=LONG_AGO, end=before)


@pytest.mark.parametrize(
    ("expression", "duration"),
    [
        ("at(2026-01-05)", "PT30M"),
        ("rate(5 minutes)", "PT30M"),
        ("cron(0 2 * * SUN *)", "PT30M"),
        ("cron(0 2 1 * SUN)", "PT30M"),
        ("at(2026-01-05T14:00)", "PT30S"),
        ("at(2026-01-05T14:00)", "P16D"),
        ("at(2026-01-05T14:00)", "soon"),
        ("at(2026-01-05T14:00)", f"P{'9' * 20}D"),
        ("at(9999-12-31T23:59)", "PT30M"),
        ("at(0001-01-01T00:00)", "PT30M"),
    ],
)
def test_what_cannot_be_read_is_refused(expression: str, duration: str) -> None:
    with pytest.raises(BadSchedule):
        parse_mute_schedule(expression, duration)


def test_a_duration_is_written_in_minutes() -> None:
    assert duration_text(timedelta(hours=2, minutes=5)) == "PT125M"
