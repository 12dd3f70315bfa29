"""Build and push an image with Docker, for clouds whose tasks are containers."""

from __future__ import annotations

import base64
import shutil
import subprocess
import tempfile
from pathlib import Path

from miyabi.model.errors import Failed, Unavailable
from miyabi.model.image import ImageManifest
from miyabi.operations.dockerfile import write_dockerfile

_PLATFORM = "linux/amd64"
"""What Fargate runs unless a task definition asks for ARM."""
_STANDARD_ERROR = 2


def build_and_push(manifest: ImageManifest, root: Path, uri: str, grant: str) -> None:
    """Build the manifest's Dockerfile and push the image; Docker's output goes to standard error.

    root: the directory that the manifest's sources are relative to.
    grant: ECR's authorization token, base64 of `user:password`.
    """
    docker = shutil.which("docker")
    if docker is None:
        raise Unavailable("docker is not installed, and images for this cloud are built with it", hint="install Docker")
    user, _, password = base64.b64decode(grant).decode().partition(":")
    registry = uri.partition("/")[0]
    with tempfile.TemporaryDirectory(prefix="miyabi-image-") as directory:
        write_dockerfile(manifest, root, Path(directory))
        _run([docker, "build", "--platform", _PLATFORM, "--tag", uri, directory], "building")
    _run([docker, "login", "--username", user, "--password-stdin", registry], "logging in for", password)
    _run([docker, "push", uri], "pushing")


def _run(argv: list[str], what: str, text: str = "") -> None:
    code = subprocess.run(argv, input=text, text=True, stdout=_STANDARD_ERROR, check=False).returncode
    if code:
        raise Failed(f"{what} image {argv[-1]} failed: docker exited with {code}", hint="its output above says why")
