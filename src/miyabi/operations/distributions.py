"""Installed Python distributions: what they require, and which files they consist of."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from miyabi.model.errors import InvalidInput, NotFound

_INSTALLERS_NOTES = frozenset({"RECORD", "RECORD.jws", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})
"""Files of a .dist-info that speak of this machine and not of the distribution."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """An installed distribution."""

    name: str
    version: str
    local: bool
    """Installed from a directory, an archive or a repository: no package index has this version of it."""
    files: tuple[tuple[str, Path], ...]
    """Target below the image's working directory, and the file or package directory."""


def closure(requirements: Iterable[str]) -> list[Distribution]:
    """Return the named distributions and all that they require here, by name.

    requirements: by name and extras, `miyabi[webapi]`. Raises `NotFound` for one that is not installed.
    """
    wanted = [(_parse(text), "the manifest") for text in requirements]
    seen: dict[str, set[str]] = {}
    found: dict[str, metadata.Distribution] = {}
    while wanted:
        requirement, requirer = wanted.pop()
        name = canonicalize_name(requirement.name)
        known = seen.setdefault(name, set())
        fresh = ({""} | requirement.extras) - known
        if not fresh:
            continue
        known |= fresh
        distribution = found[name] = _installed(requirement, requirer)
        wanted += [(required, name) for required in _required(distribution, fresh)]
    return [_describe(name, found[name]) for name in sorted(found)]


def _parse(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise InvalidInput(
            f"'{text}' is not the name of a distribution", hint='for instance "miyabi[webapi]"'
        ) from error


def _installed(requirement: Requirement, requirer: str) -> metadata.Distribution:
    try:
        found = metadata.distribution(requirement.name)
    except metadata.PackageNotFoundError as error:
        raise NotFound(
            f"Python distribution '{requirement.name}', which {requirer} requires, is not installed",
            hint=f"pip install '{requirement}' into the environment that runs Miyabi",
        ) from error
    if not requirement.specifier.contains(found.version, prereleases=True):
        raise InvalidInput(
            f"{requirer} requires {requirement}, but version {found.version} is installed",
            hint=f"pip install '{requirement}' into the environment that runs Miyabi",
        )
    return found


def _required(distribution: metadata.Distribution, extras: set[str]) -> Iterator[Requirement]:
    for text in distribution.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
            yield requirement


def _describe(name: str, distribution: metadata.Distribution) -> Distribution:
    origin = distribution.read_text("direct_url.json")
    files = sorted(_recorded(distribution))
    if not any(".dist-info/" not in target for target, _ in files):
        files += _packages(name, distribution)
    return Distribution(name, distribution.version, origin is not None, tuple(files))


def _recorded(distribution: metadata.Distribution) -> Iterator[tuple[str, Path]]:
    """Yield what RECORD lists, without programs, bytecode and the notes of the installer."""
    for file in distribution.files or ():
        outside = file.is_absolute() or ".." in file.parts
        if outside or "__pycache__" in file.parts or file.suffix in {".pyc", ".pth"} or file.name in _INSTALLERS_NOTES:
            continue
        yield file.as_posix(), Path(str(file.locate()))


def _packages(name: str, distribution: metadata.Distribution) -> Iterator[tuple[str, Path]]:
    """Yield the packages of a distribution that is installed editable: RECORD lists none of their files."""
    names = (distribution.read_text("top_level.txt") or name.replace("-", "_")).split()
    for package in names:
        spec = importlib.util.find_spec(package)
        if spec is None:
            raise NotFound(f"the files of Python distribution '{name}' cannot be found", hint=f"install {name} again")
        for directory in spec.submodule_search_locations or ():
            yield package, Path(directory)
        if spec.submodule_search_locations is None and spec.origin:
            yield Path(spec.origin).name, Path(spec.origin)
