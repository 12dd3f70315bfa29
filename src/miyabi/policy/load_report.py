"""What a load has shown: latencies from the instants at which requests were due, errors, and a verdict.

A latency counts from the instant at which the request was due, not from that at which it was sent: so what waits while
the service stalls counts too. The other figure is shown beside it.
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
TARGET_RATE: Final = 100.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that has ended. Times in seconds after the beginning."""

    due: float
    sent: float
    ended: float
    status: int
    """0: there was no answer."""
    right: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Figures of a whole load; latencies in seconds by percentile."""

    requests: int
    unfinished: int
    seconds: float
    rate: float
    wanted_rate: float
    statuses: Mapping[int, int]
    errors: Mapping[str, int]
    wrong: int
    """Requests without the answer that was wanted."""
    latency: Mapping[float, float]
    """From the instant at which it was due."""
    service_time: Mapping[float, float]
    """From the instant at which it was sent."""
    late: Mapping[float, float]
    """How late the generator sent."""
    kept_up: bool
    """Whether the generator sent in time: else the figures are its own."""
    verdicts: tuple[str, ...]
    """What of the runbook's targets was missed."""


def report(ended: Sequence[Sent], *, planned: int, seconds: float) -> LoadReport:
    """Return the report of a load of which so many requests were due within so many seconds."""
    latency = _percentiles([one.ended - one.due for one in ended if one.status])
    late = _percentiles([one.sent - one.due for one in ended])
    kept_up = not late or late[99.0] <= LATE_SECONDS
    rate = len(ended) / seconds if seconds else 0.0
    wrong = sum(not one.right for one in ended)
    return LoadReport(
        requests=len(ended),
        unfinished=planned - len(ended),
        seconds=seconds,
        rate=rate,
        wanted_rate=planned / seconds if seconds else 0.0,
        statuses=dict(sorted(Counter(one.status for one in ended if one.status).items())),
        errors=dict(Counter(one.error for one in ended if one.error).most_common()),
        wrong=wrong,
        latency=latency,
        service_time=_percentiles([one.ended - one.sent for one in ended if one.status]),
        late=late,
        kept_up=kept_up,
        verdicts=tuple(_missed(latency, wrong, len(ended))),
    )


def _missed(latency: Mapping[float, float], wrong: int, requests: int) -> list[str]:
    found = [
        f"P{percent:g} is {latency[percent] * 1000:.0f} ms, the target {most * 1000:.0f} ms"
        for percent, most in TARGETS.items()
        if latency and latency[percent] >= most
    ]
    if wrong:
        found.append(f"{wrong} of {requests} requests did not get the answer that was wanted")
    if not latency:
        found.append("no request was answered")
    return found


def _percentiles(values: Sequence[float]) -> dict[float, float]:
    """Return each percentile: the smallest value that so many percent of all are not above. Empty without values."""
    ordered = sorted(values)
    if not ordered:
        return {}
    return {percent: ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)] for percent in PERCENTILES}
