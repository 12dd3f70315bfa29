"""One supervisor a home: a lock held for life, and a file that says which process it is."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from miyabi.environment.control_groups import LIMITER_FILE
from miyabi.localcloud.supervisor.identity import Identity, identify

_LOCK = "supervisor.lock"
_PID = "supervisor.pid"


class AlreadyRunning(Exception):
    """Another supervisor serves this home."""


def claim(run: Path) -> int:
    """Take the lock and return its descriptor: the lock lasts as long as it is open."""
    lock = os.open(run / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise AlreadyRunning(run.parent) from error
    return lock


def announce(run: Path) -> None:
    """Write the pid file: pid and start time in clock ticks."""
    own = identify(os.getpid())
    if own is None:
        raise OSError("/proc does not show this process")
    temporary = run / f".{_PID}"
    temporary.write_text(f"{own.pid} {own.start_ticks}\n", encoding="ascii")
    temporary.replace(run / _PID)


def withdraw(run: Path) -> None:
    """Remove the pid file and what is said of the limiter."""
    for name in (_PID, LIMITER_FILE):
        (run / name).unlink(missing_ok=True)


def say_limiter(run: Path, text: str) -> None:
    """Write down by what tasks are limited, for `status`."""
    (run / LIMITER_FILE).write_text(f"{text}\n", encoding="utf-8")


def announced(run: Path) -> Identity | None:
    """Return the process that the pid file names, if it still runs and is a supervisor."""
    try:
        pid, start_ticks = (int(word) for word in (run / _PID).read_text(encoding="ascii").split())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    identity = Identity(pid, start_ticks)
    # After a reboot another process may have the same pid and start time.
    return identity if identity.alive() and b"miyabi.localcloud.supervisor" in command else None
