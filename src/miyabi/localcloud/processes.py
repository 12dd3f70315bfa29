"""What the supervisor is asked to run, and what it says of it. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A process to run as its own process group."""

    name: str
    """Unique among the supervisor's children: `haproxy`, `task/<id>`."""
    argv: tuple[str, ...]
    env: Mapping[str, str]
    """The whole environment; nothing is inherited. `argv[0]` is looked up on its PATH."""
    cwd: str
    output: str
    """The file that standard output and error are appended to."""
    restart: bool = False
    """Start it again, with back-off, when it ends by itself."""


@dataclass(frozen=True, slots=True)
class ProcessState:
    """A child as the supervisor sees it."""

    name: str
    pid: int
    started_at: float
    """Unix seconds."""
    running: bool
    exit_code: int | None = None
    """As a shell reports it: 128 + n where signal n ended it. None while it runs."""
    ended_at: float | None = None
    restarts: int = field(default=0)
