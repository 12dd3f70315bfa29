"""When scheduled actions are due."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.policy.schedule import BadSchedule, next_due, parse_schedule

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday


def due(text: str, *, after: datetime = NOON, zone: str = "UTC", end: datetime | None = None) -> datetime | None:
    return next_due(parse_schedule(text), after=after, zone=ZoneInfo(zone), begin=NOON, end=end)


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("at(2026-03-04T13:00:00)", "UTC", "2026-03-04T13:00"),
        ("at(2026-03-04T13:00:00)", "America/New_York", "2026-03-04T18:00"),
        ("at(2026-03-04T11:00:00)", "UTC", None),
        ("rate(5 minutes)", "UTC", "2026-03-04T12:05"),
        ("rate(1 day)", "UTC", "2026-03-05T12:00"),
        ("cron(0 9 * * ? *)", "UTC", "2026-03-05T09:00"),
        ("cron(30 9 * * ? *)", "Asia/Tokyo", "2026-03-05T00:30"),
        ("cron(0/15 * * * ? *)", "UTC", "2026-03-04T12:15"),
        ("cron(0 9 ? * MON-FRI *)", "UTC", "2026-03-05T09:00"),
        ("cron(0 9 ? * 1 *)", "UTC", "2026-03-08T09:00"),  # Sunday
        ("cron(0 9 ? * SAT,SUN *)", "UTC", "2026-03-07T09:00"),
        ("cron(0 9 L * ? *)", "UTC", "2026-03-31T09:00"),
        ("cron(0 9 15W * ? *)", "UTC", "2026-03-16T09:00"),  # the 15th is a Sunday
        ("cron(0 9 ? * 6#2 *)", "UTC", "2026-03-13T09:00"),
        ("cron(0 9 ? * 6L *)", "UTC", "2026-03-27T09:00"),
        ("cron(0 0 29 2 ? *)", "UTC", "2028-02-29T00:00"),
        ("cron(0 9 1 JAN ? 2025)", "UTC", None),
    ],
)
def test_it_is_due_when_aws_says(text: str, zone: str, expected: str | None) -> None:
    found = due(text, zone=zone)
    assert (found.isoformat()[:16] if found else None) == expected


def test_nothing_is_due_after_the_end() -> None:
    assert due("rate(1 hour)", end=NOON + timedelta(minutes=59)) is None
    assert due("rate(1 hour)", end=NOON + timedelta(hours=1)) == NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    "text",
    [
        "every day",
        "at(tomorrow)",
        "rate(0 minutes)",
        "rate(1 minutes)",
        "rate(2 minute)",
        "cron(0 9 * * *)",
        "cron(0 9 * * * *)",
        "cron(0 9 ? * ? *)",
        "cron(60 9 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 9 32 * ? *)",
        "cron(0 9 ? * 8 *)",
        "cron(0 9 ? * 2#6 *)",
        "cron(x 9 * * ? *)",
        "cron(0/0 9 * * ? *)",
        "cron(0 0 0W * ? *)",
        "cron(0 0 32W * ? *)",
        "cron(\u00b2 0 * * ? *)",
        f"cron(0 {'9' * 5000} * * ? *)",
        "at(9999-12-31T23:59:00)",
        "at(0001-01-01T00:00:00)",
        "rate(99999999999999999999 days)",
        "rate(999999999 days)",
        f"rate({'9' * 5000} minutes)",
    ],
)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(BadSchedule):
        parse_schedule(text)


_CRON_FIELD = st.text("0123456789*?/-,#LWMONJA", min_size=1, max_size=4)


@given(
    st.one_of(
        st.lists(_CRON_FIELD, min_size=6, max_size=6).map(lambda fields: f"cron({' '.join(fields)})"),
        st.datetimes().map(lambda at: f"at({at:%Y-%m-%dT%H:%M:%S})"),
        st.integers(0, 10**30).map(lambda number: f"rate({number} days)"),
    ),
    st.sampled_from(["UTC", "America/Los_Angeles", "Pacific/Auckland"]),
)
def test_whatever_is_accepted_can_be_asked_when_it_is_due(text: str, zone: str) -> None:
    with contextlib.suppress(BadSchedule):
        due(text, zone=zone)


@given(
    st.sampled_from(["rate(7 minutes)", "cron(0/20 8-18 ? * MON-FRI *)", "cron(5 1 L * ? *)"]), st.integers(0, 10**7)
)
def test_the_next_time_is_later_and_nothing_lies_between(text: str, seconds: int) -> None:
    after = NOON + timedelta(seconds=seconds)
    found = due(text, after=after)
    assert found is not None
    assert found > after
    assert due(text, after=found - timedelta(microseconds=1)) == found
    assert due(text, after=after + (found - after) / 2) == found
