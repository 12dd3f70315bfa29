"""What of AWS this machine and user cannot give, in words for people."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from miyabi.environment.control_groups import LIMITER_FILE
from miyabi.environment.home import Home
from miyabi.policy.limiter import Limiter

_FIRST_PORT = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_HTTP = 80


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under what a cloud runs."""

    limiter: str | None = None
    """By what tasks are held to their CPU and memory; None where AWS does it, or nothing runs."""
    lost: tuple[str, ...] = ()
    clock_speed: int = 1
    """How many times faster its control loops run than the wall clock."""


def conditions_of(home: Home) -> Conditions:
    """Return what a running local cloud says of itself."""
    instance = home.read_instance()
    speed = instance.clock_speed if instance is not None else 1
    try:
        limiter = (home.run / LIMITER_FILE).read_text(encoding="utf-8").strip()
    except OSError:
        return Conditions(clock_speed=speed)
    lost = [lost_ports(), limiter if limiter.startswith(Limiter.POLLING) else ""]
    return Conditions(limiter, tuple(text for text in lost if text), speed)


def lost_ports() -> str:
    """Say what comes of it where this user may not use port 80; empty where nothing is lost."""
    try:
        first = int(_FIRST_PORT.read_text(encoding="ascii"))
    except (OSError, ValueError):
        first = 1024
    if first <= _HTTP or os.geteuid() == 0:
        return ""
    return "port 80 is refused: load balancers get a high port in their DNSName"
