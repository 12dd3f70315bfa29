"""Provider mirrors on this machine, and the Terraform CLI configuration that uses them."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from miyabi.environment.terraform.program import TERRAFORM_REGISTRY, Program
from miyabi.environment.terraform.versions import satisfies

_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_PACKED = re.compile(r"terraform-provider-[^_]+_([^_]+)_([a-z0-9]+_[a-z0-9]+)\.zip")


@dataclass(frozen=True, slots=True)
class Package:
    """A provider in a mirror, for this platform."""

    mirror: Path
    host: str
    provider: str
    """Namespace and type: `hashicorp/aws`."""
    version: str
    path: Path


def this_platform() -> str:
    """Return the platform as Terraform names it: `linux_amd64`."""
    machine = platform.machine().lower()
    return f"{'windows' if sys.platform == 'win32' else sys.platform}_{_MACHINES.get(machine, machine)}"


def find_mirrors(environ: Mapping[str, str], *, directory: Path, root: Path = Path("/opt")) -> list[Path]:
    """Return the mirrors: MIYABI_TERRAFORM_MIRROR, Terraform's implied ones, `root`/*/<registry>."""
    home = Path(environ.get("HOME") or Path.home())
    data = environ.get("XDG_DATA_HOME") or str(home / ".local" / "share")
    shares = (environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(os.pathsep)
    named = [Path(part) for part in environ.get("MIYABI_TERRAFORM_MIRROR", "").split(os.pathsep) if part]
    implied = [
        directory / "terraform.d" / "plugins",
        home / ".terraform.d" / "plugins",
        *(Path(share) / "terraform" / "plugins" for share in (data, *shares) if share),
    ]
    installed = [path.parent for path in sorted(root.glob(f"*/{TERRAFORM_REGISTRY}"))]
    found: list[Path] = []
    for path in (*named, *implied, *installed):
        if path.is_dir() and path.absolute() not in found:
            found.append(path.absolute())
    return found


def packages(mirror: Path, *, system: str) -> Iterator[Package]:
    """Yield what a mirror holds for a platform, unpacked or packed."""
    for path in sorted(mirror.glob(f"*/*/*/*/{system}")):
        host, namespace, kind, version = path.relative_to(mirror).parts[:4]
        yield Package(mirror, host, f"{namespace}/{kind}", version, path)
    for path in sorted(mirror.glob("*/*/*/terraform-provider-*.zip")):
        packed = _PACKED.fullmatch(path.name)
        if packed and packed[2] == system:
            host, namespace, kind = path.relative_to(mirror).parts[:3]
            yield Package(mirror, host, f"{namespace}/{kind}", packed[1], path)


def missing_providers(constraints: Mapping[str, Sequence[str]], held: Sequence[Package], registry: str) -> list[str]:
    """Return the providers that must come from the network: those without a fitting version in `held`."""
    return [
        source
        for source, wanted in constraints.items()
        if not any(_address(source, registry) == (p.host, p.provider) and _fits(p, wanted) for p in held)
    ]


def cli_configuration(mirrors: Sequence[Path], excluded: Sequence[str]) -> str:
    """Return a Terraform CLI configuration: each mirror, then the network for all but `excluded`."""
    blocks = [f"  filesystem_mirror {{\n    path = {json.dumps(str(mirror))}\n  }}\n" for mirror in mirrors]
    exclude = f"\n    exclude = {json.dumps(list(excluded))}\n  " if excluded else ""
    return (
        "# Written by miyabi at every command: changes are lost.\n"
        "disable_checkpoint = true\n\n"
        f"provider_installation {{\n{''.join(blocks)}  direct {{{exclude}}}\n}}\n"
    )


def plan_installation(
    constraints: Mapping[str, Sequence[str]], mirrors: Sequence[Path], program: Program, *, view: Path
) -> str:
    """Return the CLI configuration for a program, making `view` where the mirrors name another registry.

    `tofu` looks for the same providers under its own registry's name: `view` shows the packages there.
    """
    system = this_platform()
    held = [package for mirror in mirrors for package in packages(mirror, system=system)]
    places = list(mirrors)
    if program.registry != TERRAFORM_REGISTRY:
        held += _show(held, view, program.registry, system)
        places.insert(0, view)
    missing = missing_providers(constraints, held, program.registry)
    addresses = [_address(source, program.registry) for source in constraints if source not in missing]
    return cli_configuration(
        [place for place in places if place.is_dir()], [f"{host}/{provider}" for host, provider in addresses]
    )


def _show(held: Sequence[Package], view: Path, registry: str, system: str) -> list[Package]:
    shutil.rmtree(view, ignore_errors=True)
    shown = []
    for package in held:
        if package.host != TERRAFORM_REGISTRY or package.path.suffix == ".zip":
            continue
        link = view / registry / package.provider / package.version / system
        link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(package.path, target_is_directory=True)
            shown.append(Package(view, registry, package.provider, package.version, link))
    return shown


def _address(source: str, registry: str) -> tuple[str, str]:
    parts = source.split("/")
    if len(parts) == 3:
        return parts[0], f"{parts[1]}/{parts[2]}"
    return registry, source if len(parts) == 2 else f"hashicorp/{source}"


def _fits(package: Package, constraints: Sequence[str]) -> bool:
    return all(satisfies(package.version, constraint) for constraint in constraints)
