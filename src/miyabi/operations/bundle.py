"""Make an OCI image with one layer. Nothing in it depends on when, where or by whom it was made."""

from __future__ import annotations

import gzip
import hashlib
import io
import platform
import tarfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import msgspec

from miyabi.model.errors import InvalidInput
from miyabi.model.image import (
    CONFIG_MEDIA_TYPE,
    LAYER_MEDIA_TYPE,
    LISTEN_LABEL,
    MANIFEST_MEDIA_TYPE,
    WORKDIR,
    Blob,
    Bundle,
    ImageManifest,
)
from miyabi.operations.staging import StagedFile, stage

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def make_bundle(manifest: ImageManifest, root: Path) -> Bundle:
    """Return the image. root: the directory that the manifest's sources are relative to."""
    layer, diff_id = _layer(stage(manifest, root, copy_published=True).files)
    config = _json_blob(_config(manifest, diff_id))
    return Bundle(_json_blob(_image_manifest(config, layer)), config, layer)


class _Hashing(io.RawIOBase):
    """Compresses what is written to it and remembers the digest of the plain bytes."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self._compressed = io.BytesIO()
        self._gzip = gzip.GzipFile("", "wb", compresslevel=6, fileobj=self._compressed, mtime=0)

    def write(self, content: bytes) -> int:  # type: ignore[override]
        self.digest.update(content)
        return self._gzip.write(content)

    def finish(self) -> bytes:
        self._gzip.close()
        return self._compressed.getvalue()


def _layer(files: Iterable[StagedFile]) -> tuple[Blob, str]:
    """Return the layer and the digest of the tar inside."""
    stream = _Hashing()
    top = PurePosixPath(WORKDIR.lstrip("/"))
    directories = {PurePosixPath()}
    # Blocks of a megabyte: the default of 10 KB costs a call into zlib each.
    with tarfile.open(fileobj=stream, mode="w|", bufsize=1 << 20, format=tarfile.PAX_FORMAT) as archive:
        for file in files:
            path = top / file.target
            for parent in reversed(path.parents):
                if parent not in directories:
                    directories.add(parent)
                    archive.addfile(_entry(parent, tarfile.DIRTYPE, 0o555))
            _add(archive, path, file)
    return _blob(stream.finish()), f"sha256:{stream.digest.hexdigest()}"


def _add(archive: tarfile.TarFile, path: PurePosixPath, file: StagedFile) -> None:
    if file.link is not None:
        entry = _entry(path, tarfile.SYMTYPE, 0o777)
        entry.linkname = file.link
        archive.addfile(entry)
        return
    try:
        content = file.source.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{file.source} cannot be read: {error.strerror}", hint="mend its permissions") from error
    entry = _entry(path, tarfile.REGTYPE, 0o555 if file.executable else 0o444)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _entry(path: PurePosixPath, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(str(path))
    entry.type = kind
    entry.mode = mode
    return entry  # owner, group and time are 0


def _config(manifest: ImageManifest, diff_id: str) -> dict[str, object]:
    machine = platform.machine()
    return {
        "created": "1970-01-01T00:00:00Z",
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": {
            "Cmd": list(manifest.command),
            "Env": [f"{name}={value}" for name, value in sorted(manifest.environment.items())],
            "WorkingDir": WORKDIR,
            "StopSignal": manifest.stop_signal,
            "Labels": {LISTEN_LABEL: manifest.listen_address_variable},
        },
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    }


def _image_manifest(config: Blob, layer: Blob) -> dict[str, object]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST_MEDIA_TYPE,
        "config": {"mediaType": CONFIG_MEDIA_TYPE, "size": config.size_bytes, "digest": config.digest},
        "layers": [{"mediaType": LAYER_MEDIA_TYPE, "size": layer.size_bytes, "digest": layer.digest}],
    }


def _json_blob(document: dict[str, object]) -> Blob:
    return _blob(msgspec.json.encode(document))


def _blob(content: bytes) -> Blob:
    return Blob(f"sha256:{hashlib.sha256(content).hexdigest()}", content)
