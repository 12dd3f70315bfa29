"""A disk that is full, or read-only: nothing half done, and a message that says what to do."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from miyabi.environment.home import Home

ROOT = Path(__file__).resolve().parents[2]
OWN_MOUNTS = ("unshare", "-m") if os.geteuid() == 0 else ("unshare", "-rm")
UP = """
import sys
from pathlib import Path
from miyabi.environment.home import Home
from miyabi.localcloud import lifecycle
from miyabi.model.errors import MiyabiError
try:
    with lifecycle.exclusive(Home(Path(sys.argv[1]))):
        pass
except MiyabiError as error:
    print(error.message, error.hint, sep="\\n")
    sys.exit(error.exit_code)
"""


def mounted(*steps: str) -> subprocess.CompletedProcess[str]:
    """Run lines of shell with mounts of their own; skip where this machine refuses those."""
    tried = subprocess.run([*OWN_MOUNTS, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    if tried.returncode != 0:
        pytest.skip("this machine lets nobody mount in a namespace of their own")
    script = " && ".join(steps)
    return subprocess.run(
        [*OWN_MOUNTS, "sh", "-c", script], capture_output=True, text=True, check=False, cwd=ROOT, timeout=200
    )


def test_a_read_only_home_is_refused_in_one_line_with_a_hint(tmp_path: Path) -> None:
    Home(tmp_path / "home").create()
    home = shlex.quote(str(tmp_path / "home"))
    ran = mounted(
        f"mount --bind {home} {home}",
        f"mount -o remount,ro,bind {home}",
        f"exec {shlex.quote(sys.executable)} -c {shlex.quote(UP)} {home}",
    )
    assert ran.returncode == 2, ran.stderr
    message, hint = ran.stdout.splitlines()
    assert message == f"{tmp_path / 'home'} cannot be written to: Read-only file system"
    assert "MIYABI_HOME" in hint


def test_on_a_full_disk_changes_are_refused_with_503_and_the_state_is_that_of_the_acknowledged_ones(
    tmp_path: Path,
) -> None:
    disk = shlex.quote(str(tmp_path))
    ran = mounted(
        f"mount -t tmpfs -o size=4m,mode=0700 none {disk}",
        f"exec {shlex.quote(sys.executable)} -m tests.integration.full_disk {disk}",
    )
    assert ran.returncode == 0, ran.stderr
