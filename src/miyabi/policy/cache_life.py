"""What a cache node should be set to, and what happens next to it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto

from miyabi.model.elasticache import CacheCluster, CacheStatus

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(r"(\w{3}):([01]\d|2[0-3]):([0-5]\d)-(\w{3}):([01]\d|2[0-3]):([0-5]\d)")
_WEEK_MINUTES = 7 * 24 * 60
_BUFFER = "client-output-buffer-limit"
_REPLICA_BUFFER = "slave 268435456 67108864 60"


class Step(Enum):
    """One action on a node."""

    END_FORMER = auto()
    """End the process of an earlier generation; its data goes with it."""
    START = auto()
    CONFIGURE = auto()
    """Set what differs, at run time."""
    REPORT = auto()
    """Write the status down."""
    REMOVE = auto()
    """Nothing runs any more: drop the files, the address and the row."""
    WAIT = auto()


@dataclass(frozen=True, slots=True)
class SeenNode:
    """A cluster's node as one look found it."""

    former: bool = False
    """A process of an earlier generation is there."""
    running: bool = False
    """The current generation's process is there."""
    run_id: str | None = None
    """Of the process that answered PING; None: no answer."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """The action, its reason, the settings to make and the status that is true now."""

    step: Step
    status: CacheStatus
    reason: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


def next_step(cluster: CacheCluster, seen: SeenNode, wanted: Mapping[str, str]) -> NextStep:
    """Return what to do with a cluster.

    wanted: the settings that take effect at run time, by the server's names.
    """
    if cluster.status is CacheStatus.DELETING:
        there = seen.former or seen.running
        return NextStep(Step.END_FORMER if there else Step.REMOVE, cluster.status, "the cluster is being deleted")
    if seen.former:
        return NextStep(Step.END_FORMER, cluster.status, "the node is rebooted")
    if seen.run_id is None:
        return _not_answering(cluster, seen)
    different = _different(cluster, seen.run_id, wanted)
    if different:
        return NextStep(Step.CONFIGURE, cluster.status, "its settings are not those that are asked", different)
    return NextStep(_report_or_wait(cluster, CacheStatus.AVAILABLE), CacheStatus.AVAILABLE, "the node answers")


def _not_answering(cluster: CacheCluster, seen: SeenNode) -> NextStep:
    """Return the step for a cluster without an answer: one that was available is not, until there is one."""
    status = cluster.status if cluster.status is CacheStatus.CREATING else CacheStatus.REBOOTING
    if not seen.running:
        return NextStep(Step.START, status, "no node runs")
    return NextStep(_report_or_wait(cluster, status), status, "the node does not answer yet")


def _different(cluster: CacheCluster, run_id: str, wanted: Mapping[str, str]) -> dict[str, str]:
    if run_id != cluster.run_id:
        return dict(wanted)  # another process: nothing is known of it
    known = {**cluster.applied, **cluster.refused}
    return {name: value for name, value in wanted.items() if known.get(name) != value}


def _report_or_wait(cluster: CacheCluster, status: CacheStatus) -> Step:
    return Step.WAIT if cluster.status is status else Step.REPORT


def run_time_settings(memory_bytes: int, dynamic: Mapping[str, str]) -> dict[str, str]:
    """Return what the server is set to at run time.

    memory_bytes: of the node type. dynamic: the parameters that take effect immediately, by ElastiCache's names.
    Source: docs.aws.amazon.com, "Managing reserved memory".
    """
    settings = {}
    buffers: dict[str, dict[str, str]] = {}
    for name, value in dynamic.items():
        if name == "reserved-memory-percent":
            settings["maxmemory"] = str(math.floor(memory_bytes * (100 - int(value)) / 100))
        elif name.startswith(f"{_BUFFER}-"):
            kind, _, limit = name.removeprefix(f"{_BUFFER}-").partition("-")
            buffers.setdefault(kind, {})[limit] = value
        else:
            settings[name] = value
    if buffers:
        normal, pubsub = (_limits(buffers[kind]) for kind in ("normal", "pubsub"))
        settings[_BUFFER] = f"normal {normal} {_REPLICA_BUFFER} pubsub {pubsub}"
    return settings


def _limits(limits: Mapping[str, str]) -> str:
    return " ".join(limits[name] for name in ("hard-limit", "soft-limit", "soft-seconds"))


def is_window(window: str) -> bool:
    """Say whether this is a maintenance window of AWS: `sun:05:00-sun:06:00`, at least an hour."""
    bounds = _bounds(window)
    return bounds is not None and timedelta(minutes=bounds[1]) >= timedelta(hours=1)


def in_window(window: str, now: datetime) -> bool:
    """Say whether an instant in UTC lies in the weekly window."""
    bounds = _bounds(window)
    if bounds is None:
        return False
    minute = (now.weekday() * 24 + now.hour) * 60 + now.minute
    return (minute - bounds[0]) % _WEEK_MINUTES < bounds[1]


def _bounds(window: str) -> tuple[int, int] | None:
    """Return the window's first minute in the week, and its length in minutes."""
    found = _WINDOW.fullmatch(window.lower())
    if found is None or found[1] not in _DAYS or found[4] not in _DAYS:
        return None
    start, end = ((_DAYS.index(found[at]) * 24 + int(found[at + 1])) * 60 + int(found[at + 2]) for at in (1, 4))
    return start, (end - start) % _WEEK_MINUTES


def serves(server: str, server_version: str, engine: str, asked: str) -> bool:
    """Say whether a server can stand for an engine version of ElastiCache.

    server: `redis` or `valkey`, the program; versions by their numbers, `7.0.15`. A newer server serves what an older
    one did; Valkey also serves what it was forked from, Redis 7.2. ElastiCache's Redis 7.1 is 7.0 to its clients.
    """
    has, wants = _major_minor(server_version), _major_minor(asked)
    if engine == "redis":
        wants = (7, 0) if wants == (7, 1) else wants
        return wants <= ((7, 2) if server == "valkey" else has)
    return server == "valkey" and wants <= has


def _major_minor(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)
