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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", ".mypy_cache", ".pytest_cache", ".ruff_cache", "__pycache__")


def ordinary_user() -> int | None:
    """Return the id of an ordinary user where this process is root's, else None.

    PostgreSQL wants a user that the machine knows, so it is `nobody`.
    """
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def identity(user: int | None) -> dict[str, Any]:
    """Return the arguments of subprocess that make a command run as the user."""
    return {} if user is None else {"user": user, "group": user, "extra_groups": []}


def own(user: int, *paths: Path) -> None:
    """Give files to the user."""
    for path in paths:
        os.chown(path, user, user, follow_symlinks=False)


def programs_for(user: int, place: Path, source: Path) -> Path | None:
    """Return a directory with `python`, `miyabi` and what else is installed here, for a user who may not run ours.

    None: no interpreter of this version can be run by the user, or the installed packages cannot be read. place: a
    directory of the user's. source: where `miyabi` is imported from.
    """
    packages = Path(shutil.__file__).parent / "site-packages" if sys.prefix == sys.base_prefix else _own_packages()
    for interpreter in _interpreters():
        environment = place / "venv"
        made = _as(user, str(interpreter), "-m", "venv", "--without-pip", "--clear", str(environment))
        if made:
            (found,) = environment.glob("lib/python*/site-packages")
            (found / "installed.pth").write_text(f"{source}\n{packages}\n")
            _install_what_is_missing(environment / "bin" / "python")
            _copy_scripts(environment / "bin")
            if _as(user, str(environment / "bin" / "miyabi"), "version"):
                return environment / "bin"
    return None


def _own_packages() -> Path:
    (found,) = Path(sys.prefix).glob("lib/python*/site-packages")
    return found


def _install_what_is_missing(interpreter: Path) -> None:
    """Another patch release may want packages that ours does without; where that fails, it is of no use."""
    pip = [sys.executable, "-m", "pip", "--python", str(interpreter), "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", "--require-hashes", "-r", str(ROOT / "requirements/all.lock")], check=False)


def _interpreters() -> Iterator[Path]:
    """Yield this interpreter, which may lie in a home that is closed, then the system's of the same version."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    yield Path(os.path.realpath(sys.executable))
    yield from (path for path in (Path("/usr/local/bin", name), Path("/usr/bin", name)) if path.exists())


def _copy_scripts(target: Path) -> None:
    for script in BIN.iterdir():
        content = script.read_bytes() if script.is_file() else b""
        if content.startswith(b"#!" + os.fsencode(BIN)) and not (target / script.name).exists():
            (target / script.name).write_bytes(b"#!%s/python\n" % os.fsencode(target) + content.partition(b"\n")[2])
            (target / script.name).chmod(0o755)


def _as(user: int, *command: str) -> bool:
    try:
        done = subprocess.run(
            command, cwd="/", env={"PATH": os.defpath}, capture_output=True, check=False, **identity(user)
        )
    except PermissionError:
        return False
    return done.returncode == 0


def main(arguments: list[str]) -> int:
    """Run pytest and return its exit code."""
    user = ordinary_user()
    if user is None:
        return subprocess.call([sys.executable, "-m", "pytest", *arguments], cwd=ROOT)
    place = Path(tempfile.mkdtemp(prefix="miyabi-as-user-"))
    try:
        checkout = place / "checkout"
        shutil.copytree(ROOT, checkout, ignore=LEFT_OUT, symlinks=True)
        own(user, place, *place.rglob("*"))
        programs = programs_for(user, place, checkout / "src")
        if programs is None:
            sys.exit("error: no Python of this version can be run by nobody; hint: apt-get install python3")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        env = {**kept, "HOME": str(place), "TMPDIR": str(place), "PATH": f"{programs}:{kept.get('PATH', os.defpath)}"}
        pytest = [str(programs / "python"), "-m", "pytest", *arguments]
        return subprocess.call(pytest, cwd=checkout, env=env, **identity(user))
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
