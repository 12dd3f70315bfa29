"""Write what a container engine builds the image from: a Dockerfile, the files, the pinned versions."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from miyabi.model.image import LISTEN_LABEL, WORKDIR, ImageManifest
from miyabi.operations.staging import Staged, stage

_NOBODY = "65534:65534"


def write_dockerfile(manifest: ImageManifest, root: Path, directory: Path) -> Path:
    """Fill an empty directory and return the Dockerfile in it.

    root: the directory that the manifest's sources are relative to. Distributions that a package index has
    are installed from there by version; the others, and the manifest's files, are copied.
    """
    staged = stage(manifest, root, copy_published=False)
    context = directory / "app"
    context.mkdir(parents=True)
    for file in staged.files:
        target = context / file.target
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.link is not None:
            target.symlink_to(file.link)
            continue
        shutil.copyfile(file.source, target)
        target.chmod(0o755 if file.executable else 0o644)
    if staged.pinned:
        pins = "".join(f"{found.name}=={found.version}\n" for found in staged.pinned)
        (directory / "requirements.txt").write_text(pins, "utf-8")
    dockerfile = directory / "Dockerfile"
    dockerfile.write_text("".join(f"{line}\n" for line in _lines(manifest, staged)), "utf-8")
    return dockerfile


def _lines(manifest: ImageManifest, staged: Staged) -> list[str]:
    install = [
        "COPY requirements.txt /tmp/requirements.txt",
        f"RUN pip install --no-cache-dir --no-deps --target {WORKDIR} -r /tmp/requirements.txt",
    ]
    environment = {**manifest.environment, manifest.listen_address_variable: "0.0.0.0"}
    return [
        "# Made by Miyabi from the image manifest; do not edit.",
        f"FROM {manifest.base}",
        f"WORKDIR {WORKDIR}",
        *(install if staged.pinned else ()),
        f"COPY app/ {WORKDIR}/",
        *(f"ENV {name}={_quoted(value)}" for name, value in sorted(environment.items())),
        f'LABEL {LISTEN_LABEL}="{manifest.listen_address_variable}"',
        f"STOPSIGNAL {manifest.stop_signal}",
        f"USER {_NOBODY}",
        f"CMD {msgspec.json.encode(manifest.command).decode()}",
    ]


def _quoted(value: str) -> str:
    for special in ("\\", '"', "$"):
        value = value.replace(special, "\\" + special)
    return f'"{value}"'
