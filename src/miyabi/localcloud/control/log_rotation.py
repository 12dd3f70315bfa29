"""Keeps the logs of a home's own processes small: control plane, supervisor, HAProxy, caches, databases.

Their writers hold the files open for appending, so a file is copied beside itself and emptied; what is written between
the two is lost. The output of tasks is not here: it goes to CloudWatch Logs.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from miyabi.environment.home import Home

LIMIT_BYTES = 8 * 1024 * 1024
_PAUSE = timedelta(seconds=30)


class LogRotationLoop:
    """Looks at the sizes now and then."""

    name = "log-rotation"

    def __init__(self, home: Home) -> None:
        self._home = home

    async def step(self) -> timedelta:
        """Rotate what has grown too large."""
        await asyncio.to_thread(rotate_logs, self._home)
        return _PAUSE


def rotate_logs(home: Home, *, limit_bytes: int = LIMIT_BYTES) -> list[Path]:
    """Copy each log over the limit to `<name>.1` and empty it; return those that were."""
    return [path for path in _logs(home) if _rotate(path, limit_bytes)]


def _logs(home: Home) -> Iterator[Path]:
    yield from home.log.glob("*.log")
    yield from home.databases.glob("*/postgresql.log")


def _rotate(path: Path, limit_bytes: int) -> bool:
    try:
        if path.is_symlink() or path.stat().st_size <= limit_bytes:
            return False
        with path.open("r+b") as log, path.with_name(f"{path.name}.1").open("wb") as kept:
            kept.truncate()
            path.with_name(f"{path.name}.1").chmod(0o600)
            log.seek(-limit_bytes, 2)
            shutil.copyfileobj(log, kept)
            log.truncate(0)
    except FileNotFoundError:  # its cache node or database was deleted
        return False
    return True
