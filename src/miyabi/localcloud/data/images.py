"""Image content on disk, by digest: what ECR was given, and the unpacked files that tasks run from.

images/blobs/sha256/<hex>   layers and configurations as uploaded
images/uploads/<id>         an upload that is not complete; it survives a restart
images/<hex>/app/...        an image unpacked, read-only; <hex> is its digest
images/bytecode/<hex>/      what Python compiles of it, since it cannot write beside the sources
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import shutil
import stat
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from miyabi.environment.home import Home
from miyabi.model.errors import InvalidInput
from miyabi.model.image import LISTEN_LABEL

_SHA256 = "sha256:"
_UNFINISHED = ".unpacking-"

Shape = TypeVar("Shape")


class BrokenImage(InvalidInput):
    """The image cannot be unpacked; the message says why."""


@dataclass(frozen=True, slots=True)
class UnpackedImage:
    """An image whose files lie on disk."""

    root: Path
    workdir: Path
    command: tuple[str, ...]
    environment: Mapping[str, str]
    listen_variable: str | None
    """The program takes its listen address from this variable; None for an image that Miyabi did not make."""
    stop_signal: str


class Blobs:
    """The blobs of one instance."""

    def __init__(self, home: Home) -> None:
        self._blobs = home.images / "blobs" / "sha256"
        self._uploads = home.images / "uploads"

    def path(self, digest: str) -> Path:
        """Return where a blob lies or would lie. digest: `sha256:` and 64 hex digits."""
        return self._blobs / hexadecimal(digest)

    def size_bytes(self, digest: str) -> int | None:
        """Return a blob's size, or None where it is not there."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def begin(self, upload_id: str) -> None:
        """Open an upload."""
        self._uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._uploads / upload_id, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

    def received_bytes(self, upload_id: str) -> int | None:
        """Return how much of an upload has arrived, or None where there is no such upload."""
        try:
            return (self._uploads / upload_id).stat().st_size
        except FileNotFoundError:
            return None

    def append(self, upload_id: str, part: bytes) -> None:
        """Add a part to an open upload."""
        with (self._uploads / upload_id).open("ab") as file:
            file.write(part)

    def upload_digest(self, upload_id: str) -> str:
        """Return the digest of what has arrived."""
        with (self._uploads / upload_id).open("rb") as file:
            return _SHA256 + hashlib.file_digest(file, "sha256").hexdigest()

    def complete(self, upload_id: str, digest: str) -> None:
        """Make an upload the blob of that digest, whole and on the disk."""
        upload = self._uploads / upload_id
        self._blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
        with upload.open("rb") as file:
            os.fsync(file.fileno())
        upload.replace(self.path(digest))
        _sync_directory(self._blobs)

    def discard(self, upload_id: str) -> None:
        """Forget an upload."""
        (self._uploads / upload_id).unlink(missing_ok=True)


def unpack(home: Home, manifest: bytes) -> UnpackedImage:
    """Unpack an image unless it is there, and say how it runs. Blocks for seconds: call it in a thread.

    manifest: the OCI manifest, as ECR keeps it. Raises `BrokenImage`. Two at once are fine.
    """
    digest = _SHA256 + hashlib.sha256(manifest).hexdigest()
    document = _decode(manifest, _Manifest, "manifest")
    if len(document.layers) != 1:
        raise BrokenImage(f"it has {len(document.layers)} layers; `miyabi image build` makes images with one")
    blobs = Blobs(home)
    run = _decode(_read(blobs, document.config.digest), _Config, "configuration").config
    root = home.images / hexadecimal(digest)
    if not root.is_dir():
        _unpack_layer(home.images, blobs.path(document.layers[0].digest), root)
    environment = dict(pair.split("=", 1) for pair in run.env or () if "=" in pair)
    environment.setdefault("PYTHONPYCACHEPREFIX", str(home.images / "bytecode" / root.name))
    return UnpackedImage(
        root=root,
        workdir=root / (run.working_dir or "/").lstrip("/"),
        command=(*(run.entrypoint or ()), *(run.cmd or ())),
        environment=environment,
        listen_variable=(run.labels or {}).get(LISTEN_LABEL),
        stop_signal=run.stop_signal or "SIGTERM",
    )


def discard_unfinished(home: Home) -> None:
    """Remove what an unpacking that was killed left behind. Only while nothing unpacks."""
    for path in home.images.glob(f"{_UNFINISHED}*"):
        remove_tree(path)


def remove_tree(path: Path) -> None:
    """Remove a directory with unpacked images in it; they are read-only, which plain removal trips over."""
    for directory, _, _ in os.walk(path):
        Path(directory).chmod(stat.S_IRWXU)
    shutil.rmtree(path)


def hexadecimal(digest: str) -> str:
    """Return the hex digits of a sha256 digest; a colon in a path would end it in PATH and PYTHONPATH."""
    value = digest.removeprefix(_SHA256)
    if len(value) != 64 or value.strip("0123456789abcdef"):
        raise BrokenImage(f"{digest} is not a sha256 digest")
    return value


class _Descriptor(msgspec.Struct):
    digest: str


class _Manifest(msgspec.Struct):
    config: _Descriptor
    layers: list[_Descriptor]


class _Run(msgspec.Struct, rename="pascal"):
    """How an image runs, in OCI's configuration."""

    cmd: list[str] | None = None
    entrypoint: list[str] | None = None
    env: list[str] | None = None
    working_dir: str | None = None
    labels: dict[str, str] | None = None
    stop_signal: str | None = None


class _Config(msgspec.Struct):
    config: _Run


def _decode(content: bytes, kind: type[Shape], what: str) -> Shape:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise BrokenImage(f"its {what} cannot be read: {error}") from error


def _read(blobs: Blobs, digest: str) -> bytes:
    try:
        return blobs.path(digest).read_bytes()
    except FileNotFoundError as error:
        raise BrokenImage(f"blob {digest} is missing") from error


def _unpack_layer(images: Path, layer: Path, root: Path) -> None:
    """Extract into a directory beside `root` and rename it, so that `root` is whole or not there."""
    fresh = Path(tempfile.mkdtemp(dir=images, prefix=_UNFINISHED))
    try:
        with tarfile.open(layer, "r:gz") as archive:
            _extract(archive, fresh)
        _make_read_only(fresh)
        with contextlib.suppress(OSError):
            fresh.rename(root)
    except FileNotFoundError as error:
        raise BrokenImage("its layer is missing") from error
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise BrokenImage(f"its layer cannot be unpacked: {error}") from error
    finally:
        if fresh.exists():
            remove_tree(fresh)


def _extract(archive: tarfile.TarFile, target: Path) -> None:
    if hasattr(tarfile, "data_filter"):
        archive.extractall(target, filter="data")
        return
    # Python before 3.11.4 has no such filter, so what it would refuse is refused here.
    for member in archive.getmembers():
        inside = [member.name] if not member.issym() else [member.name, str(Path(member.name).parent / member.linkname)]
        if not (member.isreg() or member.isdir() or member.issym()) or any(_leads_out(path) for path in inside):
            raise tarfile.ExtractError(f"{member.name!r} is no file, directory or link inside the image")
        member.uid, member.gid, member.mode = os.getuid(), os.getgid(), member.mode & 0o755 | stat.S_IWUSR
        archive.extract(member, target)


def _leads_out(path: str) -> bool:
    return Path(path).is_absolute() or Path(os.path.normpath(path)).parts[:1] == (os.pardir,)


def _make_read_only(root: Path) -> None:
    for directory, _, files in os.walk(root):
        for name in files:
            path = Path(directory, name)
            if not path.is_symlink():
                path.chmod(0o555 if path.stat().st_mode & stat.S_IXUSR else 0o444)
        Path(directory).chmod(0o555)


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
