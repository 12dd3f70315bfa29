"""An image: from the manifest in a repository to the reference in a task definition.

The manifest says what a program is made of and how it starts. The same manifest makes an OCI image with one
layer, which tasks of the local cloud are unpacked from, and a Dockerfile for a container engine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from miyabi.model.errors import InvalidInput

MANIFEST_MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_MEDIA_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"

LISTEN_LABEL = "miyabi.listen-address-variable"
"""The label of an image that names the variable by which its program takes the address to listen on."""

WORKDIR = "/app"
STOP_SIGNALS = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?"
    r"/(?P<repository>[a-z0-9]+(?:[._/-][a-z0-9]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True, slots=True)
class PythonDistributions:
    """Installed Python distributions that belong into the image, with everything that they require."""

    distributions: tuple[str, ...]
    """Requirements by name and extras: `miyabi[webapi]`."""


@dataclass(frozen=True, slots=True)
class ImageManifest:
    """What `image.toml` says."""

    base: str
    """The image that the Dockerfile starts FROM."""
    command: tuple[str, ...]
    listen_address_variable: str
    """The program listens on the address that it finds in this variable."""
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "SIGTERM"
    files: Mapping[str, str] = field(default_factory=dict)
    """Target below /app = source, relative to the manifest."""
    python: PythonDistributions | None = None

    def __post_init__(self) -> None:
        if not self.base or self.base.split() != [self.base]:
            raise InvalidInput(
                f"base '{self.base}' is not the name of an image", hint='for instance "python:3.11-slim"'
            )
        if not self.command or not all(self.command):
            raise InvalidInput("command is empty", hint='give the argument vector: ["python3", "-m", "server"]')
        if self.stop_signal not in STOP_SIGNALS:
            raise InvalidInput(f"unknown stop_signal '{self.stop_signal}'", hint=f"one of {', '.join(STOP_SIGNALS)}")
        if not self.files and self.python is None:
            raise InvalidInput("the image would be empty", hint="name its [files] or its [python] distributions")
        self._check_variables()
        for target in self.files:
            if not target or target.startswith("/") or ".." in target.split("/"):
                raise InvalidInput(
                    f"target '{target}' leaves {WORKDIR}", hint='targets are relative: "server.py" or "."'
                )

    def _check_variables(self) -> None:
        for name in (self.listen_address_variable, *self.environment):
            if not _VARIABLE.fullmatch(name):
                raise InvalidInput(f"'{name}' is not the name of an environment variable", hint="letters, digits and _")
        if self.listen_address_variable in self.environment:
            raise InvalidInput(
                f"environment sets {self.listen_address_variable}, which is the listen_address_variable",
                hint="leave it out: each task gets its own address there",
            )
        for name, value in self.environment.items():
            if any(character in value for character in "\0\r\n"):
                raise InvalidInput(f"environment variable {name} has a line break", hint="a Dockerfile cannot say that")


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes under their digest."""

    digest: str
    content: bytes = field(repr=False)

    @property
    def size_bytes(self) -> int:
        return len(self.content)


@dataclass(frozen=True, slots=True)
class Bundle:
    """An OCI image with one layer. The same input makes the same digests."""

    manifest: Blob
    config: Blob
    layer: Blob

    @property
    def digest(self) -> str:
        """The image's digest."""
        return self.manifest.digest


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """An image in a repository."""

    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image in ECR, as a task definition names it."""

    account: str
    region: str
    repository: str
    tag: str | None
    digest: str | None


def parse_reference(uri: str) -> ImageReference | None:
    """Return what a URI names in ECR, or None where it names another registry.

    uri: `<account>.dkr.ecr.<region>.amazonaws.com/<repository>[:tag][@digest]`.
    Without a tag and a digest the tag is `latest`, as on ECS.
    """
    found = _REFERENCE.fullmatch(uri)
    if found is None:
        return None
    tag, digest = found["tag"], found["digest"]
    if tag is None and digest is None:
        tag = "latest"
    return ImageReference(found["account"], found["region"], found["repository"], tag, digest)
