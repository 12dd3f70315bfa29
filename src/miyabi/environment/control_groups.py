"""Where this process may make control groups, and whether systemd gives it a scope of its own.

Standard library only: the supervisor uses it too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from miyabi.policy.limiter import CPU, MEMORY, Choice, Limiter, choose_limiter

LIMITER_VARIABLE = "MIYABI_LIMITER"
"""The environment variable that asks for a limiter by its name: `memory polling`."""
LIMITER_FILE = "limiter"
"""The file in the home's `run` directory in which a supervisor says which one it uses."""
ROOT = Path("/sys/fs/cgroup")
_SYSTEMD = Path("/run/systemd/system")
_SCOPE_SECONDS = 5
_LEAF = "miyabi-supervisor"


@dataclass(frozen=True, slots=True)
class Places:
    """Where this process may make control groups, by what they control; empty where it may not."""

    version: int
    by_controller: Mapping[str, Path] = field(default_factory=dict)


def expected_limiter(environ: Mapping[str, str]) -> Choice:
    """Return the limiter that a supervisor started by this user would choose. Changes nothing that stays."""
    offered = {kind: set(places.by_controller) for kind, places in find_places().items()}
    if scope_prefix(environ):
        offered[Limiter.SYSTEMD_SCOPE] = {MEMORY, CPU}
    return choose_limiter(offered, asked=environ.get(LIMITER_VARIABLE))


def scope_prefix(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return what to put in front of a command so that it runs in a scope of its own; empty where there is none."""
    program = shutil.which("systemd-run", path=environ.get("PATH", os.defpath))
    if program is None or not _SYSTEMD.is_dir() or environ.get(LIMITER_VARIABLE):
        return ()
    manager = "--system" if os.geteuid() == 0 else "--user"
    prefix = (program, manager, "--scope", "--quiet", "--collect", "--property=Delegate=yes", "--")
    try:
        done = subprocess.run(
            [*prefix, "true"], env=dict(environ), capture_output=True, timeout=_SCOPE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return prefix if done.returncode == 0 else ()


def find_places(root: Path = ROOT, *, take: bool = False) -> dict[Limiter, Places]:
    """Find where this process may make control groups, by making one.

    take: also take possession of a group of version 2 that is given to this process alone.
    """
    lines = own_groups()
    found = {}
    unified = root / "unified" if (root / "unified").is_dir() else root
    own = lines.get("")
    if own is not None:
        own = own.removesuffix(f"/{_LEAF}")  # where it was taken before
        if second := _second(_below(unified, own), take=take):
            found[Limiter.SYSTEMD_SCOPE if own.endswith(".scope") else Limiter.CGROUP_V2] = second
    first = {
        kind: place
        for kind in (MEMORY, CPU)
        for names, path in lines.items()
        if kind in names.split(",") and _may_make(place := _below(_mount(root, names, kind), path), kind)
    }
    if first:
        found[Limiter.CGROUP_V1] = Places(1, first)
    return found


def own_groups() -> dict[str, str]:
    """Return this process's groups: their controllers, empty for version 2, → path."""
    try:
        text = Path("/proc/self/cgroup").read_text()
    except OSError:
        return {}
    return {line.split(":", 2)[1]: line.split(":", 2)[2] for line in text.splitlines() if line.count(":") >= 2}


def _mount(root: Path, names: str, kind: str) -> Path:
    return root / names if (root / names).is_dir() else root / kind


def _below(mount: Path, path: str) -> Path:
    # In a container the path may be that of the host, and the mount the container's own group.
    own = mount / path.lstrip("/")
    return own if own.is_dir() else mount


def _may_make(place: Path, kind: str) -> bool:
    probe = place / f"miyabi-probe-{os.getpid()}"
    needed = {MEMORY: "memory.limit_in_bytes", CPU: "cpu.cfs_quota_us"}[kind]
    try:
        probe.mkdir()
    except OSError:
        return False
    try:
        return os.access(probe / needed, os.W_OK) and os.access(probe / "cgroup.procs", os.W_OK)
    finally:
        with contextlib.suppress(OSError):
            probe.rmdir()


def _second(place: Path, *, take: bool) -> Places | None:
    """Return the place for groups of version 2: both controllers must be given to the groups below it."""
    if not os.access(place / "cgroup.subtree_control", os.W_OK):
        return None
    try:
        if not {MEMORY, CPU} <= _words(place / "cgroup.controllers"):
            return None
        if not {MEMORY, CPU} <= _words(place / "cgroup.subtree_control"):
            if not take:
                return None
            _give(place)
    except OSError:
        return None
    return Places(2, {MEMORY: place, CPU: place})


def _give(place: Path) -> None:
    """Give the controllers to the groups below, for which no process may be left in the group itself."""
    own = {str(os.getpid()), str(os.getppid())}
    if not _words(place / "cgroup.procs") <= own:
        raise PermissionError("other processes live in this group")
    leaf = place / _LEAF
    leaf.mkdir(exist_ok=True)
    for pid in _words(place / "cgroup.procs"):
        (leaf / "cgroup.procs").write_text(pid)
    (place / "cgroup.subtree_control").write_text(f"+{MEMORY} +{CPU}")


def _words(path: Path) -> set[str]:
    return set(path.read_text().split())
