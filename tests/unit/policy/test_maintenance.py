"""Maintenance and backup windows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from miyabi.policy.maintenance import BrokenWindow, daily, in_window, weekly

SUNDAY = datetime(2026, 1, 11, 23, 45, tzinfo=UTC)


def test_a_window_may_cross_the_end_of_the_week() -> None:
    assert in_window("sun:23:30-mon:00:30", SUNDAY)
    assert in_window("sun:23:30-mon:00:30", SUNDAY.replace(day=12, hour=0, minute=29))
    assert not in_window("sun:23:30-mon:00:30", SUNDAY.replace(day=12, hour=0, minute=30))


@pytest.mark.parametrize("window", ["sun:05:00-sun:05:29", "foo:05:00-sun:06:00", "sun:25:00-sun:26:00", "05:00-06:00"])
def test_a_broken_weekly_window_is_refused(window: str) -> None:
    with pytest.raises(BrokenWindow):
        weekly(window)


@pytest.mark.parametrize("window", ["03:00-03:10", "3:00-4:00", "03:60-05:00"])
def test_a_broken_daily_window_is_refused(window: str) -> None:
    with pytest.raises(BrokenWindow):
        daily(window)
