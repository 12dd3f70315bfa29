"""Processes of a local cloud, found and killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.cloud import Rehearsal, until


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ")


def processes(cloud: Rehearsal, child: str) -> list[int]:
    """Return the pids of the supervisor's child of that name (`control`, `haproxy`) or of all tasks (`task/`)."""
    marker = f"MIYABI_INSTANCE_CHILD={child}".encode()
    found = []
    for pid in cloud.processes():
        try:
            entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(entry == marker or (child.endswith("/") and entry.startswith(marker)) for entry in entries):
            found.append(pid)
    return sorted(found)


def kill(cloud: Rehearsal, child: str, chosen: Callable[[list[int]], int] = min) -> int:
    """Send SIGKILL to one of them and return its pid; the lowest pid is HAProxy's master."""
    pid = chosen(processes(cloud, child))
    os.kill(pid, signal.SIGKILL)
    return pid


def serves(cloud: Rehearsal, url: str, *, seconds: float) -> float:
    """Wait until the service answers ten times in a row and two targets are healthy; return how long it took."""
    began = time.monotonic()

    def steady() -> bool:
        try:
            if any(cloud.get(url)[0] != 200 for _ in range(10)):
                return False
        except OSError:
            return False
        status = cloud.miyabi("status", "--json")
        if status.code != 0:
            return False
        found = status.json()
        if not found["answering"] or not found["service"]:
            return False
        healthy = [target for target in found["targets"] if target["health"] == "healthy"]
        return found["service"]["running_count"] == 2 and len(healthy) == 2

    until(steady, seconds=seconds, what=f"two healthy tasks behind {url}")
    return time.monotonic() - began
