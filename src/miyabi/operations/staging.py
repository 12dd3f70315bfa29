"""Which files an image is made of: what the manifest names, and the closure of its Python distributions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from miyabi.model.errors import InvalidInput, NotFound
from miyabi.model.image import ImageManifest
from miyabi.operations.distributions import Distribution, closure

_HISTORIES = {".git", ".hg", ".svn"}
_CACHES = {"__pycache__", ".cache", ".hypothesis", ".mypy_cache", ".npm", ".pytest_cache", ".ruff_cache", ".yarn"}
IGNORED = frozenset(_HISTORIES | _CACHES | {".DS_Store", ".tox", ".venv"})
"""Names that are never copied from a directory: caches, histories, virtual environments."""


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file of the image."""

    target: str
    """Relative to the image's working directory, with slashes."""
    source: Path
    executable: bool
    link: str | None = None
    """Where a symbolic link points, relative to its own directory; None for a file."""


@dataclass(frozen=True, slots=True)
class Staged:
    """The files of an image, by target, and the distributions that a package index can install instead."""

    files: tuple[StagedFile, ...]
    pinned: tuple[Distribution, ...]


def stage(manifest: ImageManifest, root: Path, *, copy_published: bool) -> Staged:
    """List the image's files. Where two name the same target, `[files]` wins over distributions.

    root: the directory that the manifest's sources are relative to.
    copy_published: whether distributions from a package index are copied too, or only pinned.
    """
    check_sources(manifest, root)
    files: dict[str, StagedFile] = {}
    pinned = []
    for distribution in closure(manifest.python.distributions if manifest.python else ()):
        if distribution.local or copy_published:
            for target, source in distribution.files:
                files.update((file.target, file) for file in _staged(target, source))
        else:
            pinned.append(distribution)
    for target, name in sorted(manifest.files.items()):
        found = list(_staged("" if target in {".", "./"} else target.strip("/"), root / name))
        if not found:
            raise InvalidInput(f"[files] '{target}': {root / name} is empty", hint="only files are copied")
        files.update((file.target, file) for file in found)
    return Staged(tuple(files[target] for target in sorted(files)), tuple(pinned))


def check_sources(manifest: ImageManifest, root: Path) -> None:
    """Refuse a source that does not exist, or that is not below the manifest's directory."""
    for target, name in sorted(manifest.files.items()):
        source = root / name
        if not source.resolve().is_relative_to(root.resolve()):
            raise InvalidInput(
                f"[files] '{target}': {name} is outside of {root}, where the manifest is",
                hint="Sources are relative to the manifest and below its directory: copy there what the image needs.",
            )
        if not source.exists():
            raise NotFound(
                f"source {source} of '{target}' does not exist", hint="Sources are relative to the manifest."
            )


def _staged(target: str, source: Path) -> Iterator[StagedFile]:
    if source.is_dir():
        yield from _walk(target, source, source)
    elif not source.exists():
        raise NotFound(
            f"source {source} of '{target or '.'}' does not exist",
            hint="sources are relative to the manifest",
        )
    elif not target:
        raise InvalidInput(f"target '.' needs a directory, {source} is a file", hint=f'say "{source.name}" = ...')
    else:
        yield _file(target, source)


def _walk(target: str, directory: Path, root: Path) -> Iterator[StagedFile]:
    for entry in sorted(directory.iterdir()):
        if entry.name in IGNORED or entry.suffix in {".pyc", ".pyo"}:
            continue
        name = f"{target}/{entry.name}" if target else entry.name
        if entry.is_symlink():
            yield _link(name, entry, root)
        elif entry.is_dir():
            yield from _walk(name, entry, root)
        elif entry.is_file():
            yield _file(name, entry)


def _link(target: str, path: Path, root: Path) -> StagedFile:
    """Keep a link that stays inside the copied directory; copy the file that another one points to."""
    pointed = path.readlink()
    if not pointed.is_absolute() and path.resolve().is_relative_to(root.resolve()):
        return StagedFile(target, path, executable=False, link=pointed.as_posix())
    if path.is_file():
        return _file(target, path)
    raise InvalidInput(f"{path} links to {pointed}, outside of {root}", hint="name that directory in [files] as well")


def _file(target: str, source: Path) -> StagedFile:
    return StagedFile(target, source, executable=os.access(source, os.X_OK))
