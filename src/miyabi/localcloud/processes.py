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
    cpu_units: int = 0
    """The CPU that it may use, 1024 a vCPU; 0: no limit."""
    memory_bytes: int = 0
    """The memory at which it is killed; 0: no limit."""


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
    out_of_memory: bool = False
    """It ended because it used more memory than it may."""
    reason: str = ""
    """Why it was, or is about to be, started again; why it ended where it is not."""
