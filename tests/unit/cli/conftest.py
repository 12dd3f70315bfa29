"""A command line in a directory and a home of its own."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from miyabi.cli.entry import run


@dataclass(frozen=True)
class Ran:
    """What a command line did."""

    code: int
    out: str
    err: str


Miyabi = Callable[..., Ran]


@pytest.fixture
def miyabi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Miyabi:
    """Return what runs `miyabi` in an empty directory, without the user's variables."""
    directory = tmp_path / "shop"
    directory.mkdir()
    monkeypatch.chdir(directory)

    def call(*arguments: str, **environ: str) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        variables = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            **environ,
        }
        with redirect_stdout(out), redirect_stderr(err):
            code = run(arguments, environ=variables)
        return Ran(code, out.getvalue(), err.getvalue())

    return call
