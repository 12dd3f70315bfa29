"""When a part of the local cloud that died is started again, and when one that is silent counts as hung.

One policy for the control plane, HAProxy, PostgreSQL and cache nodes. Tasks are not restarted: ECS replaces them, with
the pauses of `policy/backoff.py`. AWS publishes neither: all figures here are ours.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

AT_ONCE = timedelta(0)
SECOND = timedelta(seconds=0.1)
"""The pause before the second restart in a row; each after it is twice as long."""
LONGEST = timedelta(seconds=5)
STEADY = timedelta(seconds=10)
"""What ran this long is restarted as if for the first time."""


@dataclass(frozen=True, slots=True)
class Restart:
    """A decision to start something again."""

    delay: timedelta
    in_a_row: int
    """How many restarts, this one included, without a steady run between them."""
    reason: str


def next_restart(previous: Restart | None, *, ran: timedelta, why: str) -> Restart:
    """Return when and why to start again what has just ended.

    previous: the decision that led to the run that ended; None if it was the first. why: how it ended.
    """
    if previous is None or ran >= STEADY:
        return Restart(AT_ONCE, 1, f"{why}; restarted at once")
    number = previous.in_a_row + 1
    delay = min(LONGEST, SECOND * 2 ** min(number - 2, 16))
    pause = f"{delay.total_seconds():.1f} s"
    return Restart(delay, number, f"{why}; restart {number} without a steady {STEADY.seconds} s, so after {pause}")


def describe_end(exit_code: int, *, out_of_memory: bool = False) -> str:
    """Say how a process ended. exit_code: as a shell reports it, 128 + n where signal n ended it."""
    if out_of_memory:
        return f"killed for its memory (exit code {exit_code})"
    try:
        return f"killed by {signal.Signals(exit_code - 128).name} (exit code {exit_code})"
    except ValueError:
        return f"ended with exit code {exit_code}"


class Part(StrEnum):
    """What is asked regularly whether it is well."""

    CONTROL = "control plane"
    BALANCER = "HAProxy"
    DATABASE = "PostgreSQL"
    CACHE = "cache node"


PATIENCE: Mapping[Part, timedelta] = {
    Part.CONTROL: timedelta(seconds=15),
    Part.BALANCER: timedelta(seconds=5),
    Part.DATABASE: timedelta(seconds=8),
    Part.CACHE: timedelta(seconds=6),
}
"""How long a part that runs, and has answered before, may be silent. A refusal is an answer, silence is not."""
LEAST_PROBES = 2
"""One probe alone may have been lost while this very process had no processor."""


def judge_silence(part: Part, silent_for: timedelta | None, *, probes: int = LEAST_PROBES) -> str | None:
    """Return why the part counts as hung and is to be killed, or None.

    silent_for: since the first probe began that went unanswered, without an answer since; None: it answers.
    probes: how many went unanswered.
    """
    if silent_for is None or silent_for < PATIENCE[part] or probes < LEAST_PROBES:
        return None
    limit = PATIENCE[part].total_seconds()
    return f"{part} runs but has not answered for {silent_for.total_seconds():.0f} s, the limit is {limit:.0f} s"
