"""Whether a composite alarm acts on its state now, or holds its actions back.

Source: docs.aws.amazon.com, "Composite alarm action suppression".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Suppressor:
    """The alarm that holds actions back while it is in ALARM, as seen now."""

    in_alarm: bool
    ended_at: datetime | None
    """When it left ALARM after it had held actions back."""
    wait: timedelta
    """How long it is waited for after the composite alarm's transition."""
    extension: timedelta
    """How long actions are held back after it left ALARM."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about the actions of the state that the alarm is in."""

    act: bool
    suppressed_by: str | None = None
    """`Alarm`, `WaitPeriod` or `ExtensionPeriod`."""
    reason: str | None = None


def judge_actions(entered_at: datetime, suppressor: Suppressor | None, *, now: datetime) -> Verdict:
    """Return whether to take the actions of a transition, into whatever state, that nobody acted on yet.

    A further transition has a wait period of its own: the one before, or the extension period, is discarded.
    """
    if suppressor is None:
        return Verdict(act=True)
    if suppressor.in_alarm:
        return Verdict(act=False, suppressed_by="Alarm", reason="The suppressor alarm is in ALARM.")
    if suppressor.ended_at is not None and entered_at <= suppressor.ended_at:
        word, name, until = "ExtensionPeriod", "extension", suppressor.ended_at + suppressor.extension
    else:
        word, name, until = "WaitPeriod", "wait", entered_at + suppressor.wait
    if now < until:
        return Verdict(act=False, suppressed_by=word, reason=f"The {name} period ends at {until:%X}.")
    return Verdict(act=True)
