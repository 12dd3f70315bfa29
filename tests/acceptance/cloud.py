"""A local cloud as a user has it: own directory, own home, the installed commands."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from tests.ordinary import identity

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
T = TypeVar("T")


@dataclass
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str
    seconds: float

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Rehearsal:
    """One checkout with its environment."""

    directory: Path
    home: Path
    environment: str = "dev"
    extra: dict[str, str] = field(default_factory=dict)
    exported: dict[str, str] = field(default_factory=dict)
    user: int | None = None
    """The user id that commands run as, where that is not this process's."""
    programs: Path = BIN
    """Where `miyabi` is."""

    def variables(self) -> dict[str, str]:
        """Return the environment of a user's shell, before `miyabi env`."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_", "MIYABI_"))}
        return {
            **kept,
            "PATH": f"{self.programs}:{kept['PATH']}",
            "MIYABI_HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home.parent / "xdg"),
            **({} if self.user is None else {"HOME": str(self.directory), "TMPDIR": str(self.directory.parent)}),
            **self.extra,
        }

    def miyabi(self, *arguments: str, seconds: float = 300) -> Ran:
        """Run `miyabi` as the user does."""
        return self._run([str(self.programs / "miyabi"), *arguments], self.variables(), self.directory, seconds)

    def load_env(self) -> None:
        """Take over what `miyabi env` prints, as `eval` does."""
        script = 'eval "$("$0" env)" && env -0'
        ran = subprocess.run(
            ["bash", "-c", script, str(self.programs / "miyabi")],
            env=self.variables(),
            cwd=self.directory,
            capture_output=True,
            check=True,
            timeout=30,
            **identity(self.user),
        )
        pairs = (entry.split("=", 1) for entry in ran.stdout.decode().split("\0") if "=" in entry)
        self.exported = dict(pairs)

    def shell(self, command: str, *, seconds: float = 120, cwd: Path | None = None) -> Ran:
        """Run a line of shell after `eval "$(miyabi env)"`."""
        if not self.exported:
            self.load_env()
        return self._run(["bash", "-c", command], self.exported, cwd or self.directory, seconds)

    def terraform(self, *arguments: str, seconds: float = 240) -> Ran:
        """Run terraform in the environment's directory, as the runbook does."""
        where = self.directory / "infrastructure" / "terraform" / "environments" / "dev"
        return self.shell(shlex.join(["terraform", *arguments]), seconds=seconds, cwd=where)

    def aws(self, command: str) -> Any:
        """Run an `aws` command and return its JSON."""
        ran = self.shell(f"aws {command} --output json")
        assert ran.code == 0, ran.err
        return json.loads(ran.out) if ran.out.strip() else None

    def client(self, service: str) -> Any:
        """Return a boto3 client: where a test measures time, the `aws` command's own start would count."""
        instance = self.instance()
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=f"http://127.0.0.1:{instance['api_port']}",
            region_name=instance["region"],
            aws_access_key_id=instance["access_key"],
            aws_secret_access_key=instance["secret_key"],
            config=Config(proxies={}),
        )

    def get(self, url: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
        """Send a GET and return status, headers and body, also of an error."""
        request = urllib.request.Request(url, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    def instance(self) -> dict[str, Any]:
        """Return the instance's record."""
        found: dict[str, Any] = json.loads((self.home / "instance.json").read_text())
        return found

    def processes(self) -> list[int]:
        """Return the pids of all processes of this instance."""
        marker = f"MIYABI_INSTANCE_HOME={self.home}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if marker in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
                except OSError:
                    continue
        return found

    def _run(self, command: list[str], env: Mapping[str, str], cwd: Path, seconds: float) -> Ran:
        began = time.monotonic()
        done = subprocess.run(
            command,
            env=env,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            **identity(self.user),
        )
        return Ran(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


def until(check: Callable[[], T | None], *, seconds: float, what: str) -> T:
    """Return the first true value of `check`; fail with `what` after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


def copy_checkout(target: Path) -> None:
    """Copy what `miyabi up` reads, so that a test may change it."""
    for name in ("miyabi.toml", "image.toml"):
        shutil.copy(ROOT / name, target / name)
    ignored = shutil.ignore_patterns(".terraform*", "terraform.tfstate*", "__pycache__")
    for name in ("infrastructure", "src"):
        shutil.copytree(ROOT / name, target / name, ignore=ignored)
