"""The installed `aws` command, and whether it can be pointed at a cloud by a variable."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from miyabi.environment.home import Home, write_private

_VERSION = re.compile(r"aws-cli/(\d+)\.(\d+)\.(\d+)")
# From these on AWS_ENDPOINT_URL is honoured.
_SINCE = {1: (1, 29, 0), 2: (2, 13, 0)}


@dataclass(frozen=True, slots=True)
class AwsCli:
    """An `aws` on the PATH."""

    path: str
    version: tuple[int, int, int]

    @property
    def honours_endpoint(self) -> bool:
        """Whether AWS_ENDPOINT_URL is enough to point it somewhere."""
        return self.version >= _SINCE.get(self.version[0], (0, 0, 0))

    @property
    def tails_logs(self) -> bool:
        """Whether it has `logs tail`, which version 1 never got."""
        return self.version[0] >= 2

    @property
    def complete(self) -> bool:
        """Whether the runbook's commands run with it as it is."""
        return self.honours_endpoint and self.tails_logs

    def text(self) -> str:
        """Return the version as text."""
        return ".".join(str(part) for part in self.version)


class _Remembered(msgspec.Struct, frozen=True):
    path: str
    changed_ns: int
    version: tuple[int, int, int]


def find_aws(environ: Mapping[str, str], *, memory: Path | None = None, behind: Path | None = None) -> AwsCli | None:
    """Return the `aws` on the PATH; None where there is none that answers.

    memory: a file that remembers the version of a program that has not changed: asking takes half a second.
    behind: a directory to overlook: where Miyabi's own `aws` may stand in front.
    """
    parts = [part for part in environ.get("PATH", os.defpath).split(os.pathsep) if part and part != str(behind)]
    path = shutil.which("aws", path=os.pathsep.join(parts))
    if path is None:
        return None
    changed = Path(path).stat().st_mtime_ns
    known = _remembered(memory)
    if known is not None and (known.path, known.changed_ns) == (path, changed):
        return AwsCli(path, known.version)
    version = _ask(path, environ)
    if version is None:
        return None
    if memory is not None:
        write_private(memory, msgspec.json.encode(_Remembered(path, changed, version)))
    return AwsCli(path, version)


def put_in_front(home: Home, cli: AwsCli) -> None:
    """Write an `aws` that does what the installed one lacks: take the endpoint from the variable, tail logs."""
    home.bin.mkdir(mode=0o700, exist_ok=True)
    lines = ["#!/bin/sh", f"# What aws-cli {cli.text()} lacks."]
    if not cli.tails_logs:
        tail = shlex.join([sys.executable, "-P", "-m", "miyabi.cli.aws_logs_tail"])
        lines.append(f'if [ "$1 $2" = "logs tail" ]; then shift 2; exec {tail} "$@"; fi')
    endpoint = "" if cli.honours_endpoint else ' ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"}'
    lines.append(f'exec {shlex.quote(cli.path)}{endpoint} "$@"')
    write_private(home.bin / "aws", "".join(f"{line}\n" for line in lines).encode())
    (home.bin / "aws").chmod(0o700)


def _remembered(memory: Path | None) -> _Remembered | None:
    if memory is None:
        return None
    try:
        return msgspec.json.decode(memory.read_bytes(), type=_Remembered)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _ask(path: str, environ: Mapping[str, str]) -> tuple[int, int, int] | None:
    try:
        answer = subprocess.run(
            [path, "--version"],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(answer.stdout)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None
