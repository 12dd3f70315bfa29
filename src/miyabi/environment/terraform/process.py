"""One run of Terraform: started, followed, interrupted once, and left in peace to finish what it has begun.

Its output goes to a file that is followed, not to a pipe: a Miyabi that is killed must not take a Terraform
down in the middle of a resource that the state does not know yet.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LOOK_SECONDS = 0.05
_SAY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    exit_code: int
    interrupted: bool
    still_running: int | None
    """The process id of a Terraform that was left to finish by itself."""


def follow(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    output: Path,
    on_line: Callable[[str], None],
    on_stopping: Callable[[float], None],
    stop_seconds: float = 180.0,
) -> Ended:
    """Run a program to its end, handing on each line that it writes.

    An interrupt is passed on once; then it has `stop_seconds` to end. A second interrupt stops the waiting.
    """
    # A new file each time: a Terraform that was left to finish may still write to the one before.
    output.unlink(missing_ok=True)
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    reader = output.open("rb")
    try:
        # Its own process group, so that a Ctrl-C reaches it once and from here only.
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            umask=0o077 if os.name == "posix" else -1,  # state and logs may hold secrets
            process_group=0 if os.name == "posix" else None,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    except BaseException:
        reader.close()
        raise
    finally:
        os.close(handle)
    with reader:
        lines = _Lines(reader.read, on_line)
        try:
            while _wait(process) is None:
                lines.take()
            lines.take(end=True)
            return Ended(process.returncode, interrupted=False, still_running=None)
        except KeyboardInterrupt:
            return _stop(process, lines, on_stopping, stop_seconds)


class _Lines:
    """Cuts what a growing file yields into lines."""

    def __init__(self, read: Callable[[], bytes], on_line: Callable[[str], None]) -> None:
        self._read = read
        self._on_line = on_line
        self._rest = b""

    def take(self, *, end: bool = False) -> None:
        *whole, self._rest = (self._rest + self._read()).split(b"\n")
        if end and self._rest:
            whole.append(self._rest)
            self._rest = b""
        for line in whole:
            self._on_line(line.decode("utf-8", "replace"))


def _stop(
    process: subprocess.Popen[bytes], lines: _Lines, on_stopping: Callable[[float], None], stop_seconds: float
) -> Ended:
    begun = said = time.monotonic()
    try:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        on_stopping(0.0)
        while _wait(process) is None:
            lines.take()
            now = time.monotonic()
            if now - begun > stop_seconds:
                break
            if now - said >= _SAY_SECONDS:
                said = now
                on_stopping(now - begun)
        lines.take(end=True)
    except KeyboardInterrupt:
        pass
    running = process.poll() is None
    if running:
        pid = process.pid
        process.returncode = 0  # left on purpose: nobody waits for it
        return Ended(130, interrupted=True, still_running=pid)
    return Ended(process.returncode, interrupted=True, still_running=None)


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(_LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return None
