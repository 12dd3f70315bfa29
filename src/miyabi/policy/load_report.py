"""What a load has shown: latencies from the instants at which requests were due, errors, and a verdict.

A latency counts from the instant at which the request was due, not from that at which it was sent: so what waits while
the service stalls counts too. What got no answer counts as one that never came. The other figure is shown beside it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

PERCENTILES: Final = (50.0, 90.0, 95.0, 99.0, 99.9, 100.0)
LATE_SECONDS: Final = 0.05
"""A generator whose 99th percentile is later than this tells of itself, not of the service."""
TARGETS: Final[Mapping[float, float]] = {50.0: 0.050, 95.0: 0.100, 99.0: 0.200}
"""The runbook's: percentile to seconds."""

Percentiles = Mapping[float, float | None]
"""Seconds by percentile; None: so many got no answer."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that has ended. Times in seconds after the beginning."""

    due: float
    sent: float
    ended: float
    status: int
    """0: there was no answer, or not a whole one."""
    right: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Figures of a whole load."""

    requests: int
    """Those that ended, with an answer or without."""
    unfinished: int
    """Those that nothing is known of."""
    seconds: float
    rate: float
    """Right answers a second, until the last of them."""
    wanted_rate: float
    statuses: Mapping[int, int]
    errors: Mapping[str, int]
    wrong: int
    """Requests without the answer that was wanted."""
    latency: Percentiles
    """From the instant at which it was due."""
    service_time: Percentiles
    """From the instant at which it was sent."""
    late: Percentiles
    """How late the generator sent."""
    kept_up: bool
    """Whether the generator sent in time: else the figures are its own."""
    verdicts: tuple[str, ...]
    """What of the runbook's targets was missed."""


def report(ended: Sequence[Sent], *, planned: int, seconds: float, interrupted: bool = False) -> LoadReport:
    """Return the report of a load of which so many requests were due within so many seconds.

    interrupted: somebody ended it, so that nothing follows from what had not ended yet.
    """
    unfinished = max(planned - len(ended), 0)
    never = sum(not one.status for one in ended) + (0 if interrupted else unfinished)
    answered = [one for one in ended if one.status]
    latency = _percentiles([one.ended - one.due for one in answered], never)
    late = _percentiles([one.sent - one.due for one in ended])
    right = [one.ended for one in ended if one.right]
    return LoadReport(
        requests=len(ended),
        unfinished=unfinished,
        seconds=seconds,
        rate=len(right) / max(seconds, *right) if right else 0.0,
        wanted_rate=planned / seconds if seconds else 0.0,
        statuses=dict(sorted(Counter(one.status for one in answered).items())),
        errors=dict(Counter(one.error for one in ended if one.error).most_common()),
        wrong=len(ended) - len(right),
        latency=latency,
        service_time=_percentiles([one.ended - one.sent for one in answered], never),
        late=late,
        kept_up=(late.get(99.0) or 0.0) <= LATE_SECONDS,
        verdicts=tuple(_missed(latency, len(ended), len(ended) - len(right), 0 if interrupted else unfinished)),
    )


def _missed(latency: Percentiles, requests: int, wrong: int, unfinished: int) -> list[str]:
    found = []
    for percent, most in TARGETS.items():
        value = latency.get(percent, 0.0)
        if value is None or value >= most:
            shown = "no answer" if value is None else f"{value * 1000:.0f} ms"
            found.append(f"P{percent:g} is {shown}, the target {most * 1000:.0f} ms")
    if wrong:
        found.append(f"{wrong} of {requests} requests did not get the answer that was wanted")
    if unfinished:
        found.append(f"nothing is known of {unfinished} of {requests + unfinished} requests: they did not end in time")
    if not latency:
        found.append("no request was answered")
    return found


def _percentiles(values: Sequence[float], never: int = 0) -> dict[float, float | None]:
    """Return each percentile: the smallest value that so many percent of all are not above. Empty without values.

    never: so many more, above every value.
    """
    ordered = sorted(values)
    count = len(ordered) + never
    found: dict[float, float | None] = {}
    for percent in PERCENTILES if count else ():
        place = max(math.ceil(round(count * percent / 100, 6)) - 1, 0)
        found[percent] = ordered[place] if place < len(ordered) else None
    return found
