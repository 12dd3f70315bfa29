"""moto's ECR backend, made to keep images as ECR does.

Stock moto takes whatever digest the client claims and otherwise hashes the layers' digests, reports the size
of the configuration as that of the image, deletes an image whose last tag moves to another one (ECR keeps it
untagged, and running services pin it by digest), accepts manifests whose layers were never uploaded, and
breaks where the repository does not exist.
"""

from __future__ import annotations

import hashlib
import json
from types import ModuleType
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ecr import urls
from moto.ecr.exceptions import ImageAlreadyExistsException, InvalidParameterException
from moto.ecr.models import ECRBackend, Image, Repository, ecr_backends

from miyabi.localcloud.control.service import ApiError
from miyabi.localcloud.data.images import Blobs, BrokenImage


class EcrImage(Image):
    """An image whose digest and size are its own."""

    def get_image_digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.image_manifest.encode()).hexdigest()}"

    def get_image_size_in_bytes(self) -> int | None:
        layers = json.loads(self.image_manifest).get("layers")
        return None if layers is None else sum(layer["size"] for layer in layers)

    def remove_tag(self, tag: str) -> None:
        super().remove_tag(tag)
        if not self.image_tags:
            self.image_tag = None  # type: ignore[assignment]


def install_ecr(blobs: Blobs) -> None:
    """Make moto's ECR use this backend. Call it before ECR is used for the first time."""
    if ecr_backends:
        raise RuntimeError("ECR is in use already")
    ecr_backends.backend = _backend(blobs)


def _backend(blobs: Blobs) -> type[ECRBackend]:
    class EcrBackend(ECRBackend):
        @property
        def _url_module(self) -> ModuleType:
            return urls  # moto derives it from the name of the backend's module

        def put_image(
            self,
            repository_name: str,
            image_manifest: str,
            image_tag: str,
            image_manifest_mediatype: str | None = None,
            digest: str | None = None,
        ) -> Image:
            repository = self._get_repository(repository_name)
            document = _parse(image_manifest, blobs, repository)
            media_type = image_manifest_mediatype or document.get("mediaType")
            if not media_type:
                raise InvalidParameterException("image manifest mediatype not provided in manifest or parameter")
            image = EcrImage(self.account_id, image_tag, image_manifest, repository_name, media_type)
            return _put(repository, image, image_tag, digest)

    return EcrBackend


def _parse(manifest: str, blobs: Blobs, repository: Repository) -> dict[str, Any]:
    """Return the manifest, all of whose blobs are there."""
    try:
        document: dict[str, Any] = json.loads(manifest)
        needed = [document[key] for key in ("config",) if key in document] + document.get("layers", [])
        missing = [blob["digest"] for blob in needed if blobs.size_bytes(blob["digest"]) is None]
    except (ValueError, KeyError, TypeError, AttributeError, BrokenImage) as error:
        raise InvalidParameterException(
            "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"
        ) from error
    if missing:
        raise ApiError(
            "LayersNotFoundException",
            f"Layers with digests '{missing}' required for pushing image into repository with name "
            f"'{repository.name}' in the registry with id '{repository.registry_id}' do not exist",
        )
    return document


def _put(repository: Repository, image: EcrImage, tag: str | None, claimed: str | None) -> Image:
    digest = image.get_image_digest()
    if claimed and claimed != digest:
        raise ApiError(
            "ImageDigestDoesNotMatchException", f"The image's digest is '{digest}', not the given '{claimed}'"
        )
    there = next((found for found in repository.images if found.get_image_digest() == digest), None)
    if there is not None and (tag is None or tag in there.image_tags):
        raise ImageAlreadyExistsException(repository.registry_id, repository.name, digest, tag or "null")
    if tag is not None:
        _take_tag(repository, tag)
        if there is not None:
            there.update_tag(tag)
            return there
    repository.images.append(image)
    return image


def _take_tag(repository: Repository, tag: str) -> None:
    """Take the tag from the image that has it; the image stays."""
    for holder in repository.images:
        if tag in holder.image_tags:
            _refuse_immutable(repository, tag)
            holder.remove_tag(tag)


def _refuse_immutable(repository: Repository, tag: str) -> None:
    backend = ecr_backends[repository.account_id][repository.region_name]
    try:
        backend._resolve_image_tag_mutability(repository, tag)  # noqa: SLF001 - moto's rule with its exclusion filters
    except ServiceException as error:
        raise ApiError(
            "ImageTagAlreadyExistsException",
            f"The image tag '{tag}' already exists in the '{repository.name}' repository "
            "and cannot be overwritten because the tag is immutable.",
        ) from error
