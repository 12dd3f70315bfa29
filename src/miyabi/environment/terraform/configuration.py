"""What a directory of Terraform declares, as far as Miyabi must know it before Terraform runs.

HCL is not parsed: only the few declarations below are looked for, each by its own form.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from miyabi.environment.config import suggestion
from miyabi.model.errors import InvalidInput, NotFound

_VARIABLE = re.compile(r'^\s*variable\s+"([^"]+)"', re.MULTILINE)
_BACKEND = re.compile(r'^\s*(?:backend\s+"([^"]+)"|(cloud)\s*\{)', re.MULTILINE)
_LOCAL_MODULE = re.compile(r'^\s*source\s*=\s*"(\.{1,2}/[^"]*)"', re.MULTILINE)
_PROVIDER = re.compile(r'^\s*[\w-]+\s*=\s*\{([^{}]*\bsource\s*=\s*"([^"]+)"[^{}]*)\}', re.MULTILINE)
_CONSTRAINT = re.compile(r'\bversion\s*=\s*"([^"]+)"')


@dataclass(frozen=True, slots=True)
class Configuration:
    """A root module on disk, with the local modules that it uses."""

    directory: Path
    files: tuple[Path, ...]
    """Every file that Terraform reads of it, sorted."""
    variables: frozenset[str]
    """The input variables of the root module."""
    backend: str | None
    constraints: dict[str, tuple[str, ...]]
    """Provider address, as written, to the version constraints on it."""

    def digest(self, *more: bytes) -> str:
        """Return a digest of every file's place and content, and of `more`."""
        total = hashlib.sha256()
        for path in self.files:
            for part in (os.fsencode(os.path.relpath(path, self.directory)), path.read_bytes()):
                total.update(len(part).to_bytes(8) + part)
        for part in more:
            total.update(len(part).to_bytes(8) + part)
        return total.hexdigest()

    def check_variables(self, names: Iterable[str], *, source: str) -> None:
        """Refuse a variable that the root module does not declare: Terraform would ignore it."""
        for name in names:
            if name not in self.variables:
                raise InvalidInput(
                    f"{source}: '{name}' is not a variable of {self.directory}",
                    hint=suggestion(name, sorted(self.variables)) or f"It has: {', '.join(sorted(self.variables))}.",
                )


def read_configuration(directory: Path) -> Configuration:
    """Read a root module; `NotFound` where there is none."""
    if not any(directory.glob("*.tf")):
        raise NotFound(
            f"no Terraform configuration in {directory}",
            hint="Mend `terraform` in miyabi.toml; `miyabi init` writes a configuration to start from.",
        )
    directories = _with_modules(directory)
    texts = {path: path.read_text(encoding="utf-8") for place in directories for path in sorted(place.glob("*.tf"))}
    root = "\n".join(text for path, text in texts.items() if path.parent == directory)
    backend = _BACKEND.search(root)
    constraints: dict[str, tuple[str, ...]] = {}
    for text in texts.values():
        for body, source in _PROVIDER.findall(text):
            version = _CONSTRAINT.search(body)
            constraints[source] = (*constraints.get(source, ()), *([version[1]] if version else []))
    values = [*directory.glob("*.tfvars"), *directory.glob("*.tfvars.json"), *directory.glob("*.tf.json")]
    return Configuration(
        directory=directory,
        files=tuple(sorted([*texts, *values])),
        variables=frozenset(_VARIABLE.findall(root)),
        backend=(backend[1] or backend[2]) if backend else None,
        constraints=constraints,
    )


def _with_modules(root: Path) -> list[Path]:
    found: list[Path] = []
    waiting = [root]
    while waiting:
        directory = waiting.pop()
        if directory in found or not directory.is_dir():
            continue
        found.append(directory)
        for path in sorted(directory.glob("*.tf")):
            sources = _LOCAL_MODULE.findall(path.read_text(encoding="utf-8"))
            waiting.extend(Path(os.path.normpath(directory / source)) for source in sources)
    return found
