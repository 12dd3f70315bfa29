"""Run pytest as an ordinary user: `python -m tests.ordinary [ARGUMENTS OF PYTEST]`.

By root it is run in a copy of the checkout that `nobody` owns; by anybody else it is run as it is.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", ".mypy_cache", ".pytest_cache", ".ruff_cache", "__pycache__")


def ordinary_user() -> int | None:
    """Return the id of an ordinary user who can run this interpreter; None where this process is no root's.

    PostgreSQL wants a user that the machine knows, so it is `nobody`.
    """
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam("nobody").pw_uid
    tried = subprocess.run(
        [sys.executable, "-c", "import miyabi"],
        cwd="/",
        user=user,
        group=user,
        extra_groups=[],
        capture_output=True,
        check=False,
    )
    return user if tried.returncode == 0 else None


def main(arguments: list[str]) -> int:
    """Run pytest and return its exit code."""
    pytest = [sys.executable, "-m", "pytest", *arguments]
    if os.geteuid() != 0:
        return subprocess.call(pytest, cwd=ROOT)
    user = ordinary_user()
    if user is None:
        sys.exit(f"error: nobody cannot run {sys.executable}; hint: make the virtual environment where others may read")
    place = Path(tempfile.mkdtemp(prefix="miyabi-as-user-"))
    try:
        checkout = place / "checkout"
        shutil.copytree(ROOT, checkout, ignore=LEFT_OUT, symlinks=True)
        for path in (place, *place.rglob("*")):
            os.chown(path, user, user, follow_symlinks=False)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        env = {**kept, "HOME": str(place), "TMPDIR": str(place), "PYTHONPATH": f"{checkout / 'src'}:{checkout}"}
        return subprocess.call(pytest, cwd=checkout, env=env, user=user, group=user, extra_groups=[])
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
