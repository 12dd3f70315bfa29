"""Whether a composite alarm acts on its state now, or holds its actions back.

Source: docs.aws.amazon.com, "Composite alarm action suppression".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from miyabi.model.metrics import AlarmState


@dataclass(frozen=True, slots=True)
class Suppressor:
    """The alarm that holds actions back while it is in ALARM, as seen now."""

    in_alarm: bool
    ended_at: datetime | None
    """When it last left ALARM."""
    wait: timedelta
    """How long it is waited for after the composite alarm went into ALARM."""
    extension: timedelta
    """How long actions are held back after it left ALARM."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about the actions of the state that the alarm is in."""

    act: bool
    suppressed_by: str | None = None
    """`Alarm`, `WaitPeriod` or `ExtensionPeriod`."""
    reason: str | None = None


def judge_actions(
    state: AlarmState, acted_on: AlarmState, entered_at: datetime, suppressor: Suppressor | None, *, now: datetime
) -> Verdict:
    """Return whether to take the actions of a state. acted_on: the state whose actions were taken last."""
    if state is acted_on:
        return Verdict(act=False)
    if suppressor is None:
        return Verdict(act=True)
    if suppressor.in_alarm:
        return Verdict(act=False, suppressed_by="Alarm", reason="The suppressor alarm is in ALARM.")
    if suppressor.ended_at is not None and now < (until := suppressor.ended_at + suppressor.extension):
        return Verdict(act=False, suppressed_by="ExtensionPeriod", reason=f"The extension period ends at {until:%X}.")
    if state is AlarmState.ALARM and now < (until := entered_at + suppressor.wait):
        return Verdict(act=False, suppressed_by="WaitPeriod", reason=f"The wait period ends at {until:%X}.")
    return Verdict(act=True)
