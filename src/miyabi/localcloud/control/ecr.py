"""ECR's layers, kept as files, and what an image's name in a task definition stands for.

Repositories, tags and manifests stay with moto, whose requests are journaled. Layers are too big for that, so they
are kept here, by digest; every repository of the instance sees them.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ecr.exceptions import (
    RepositoryNotFoundException,
    UploadNotFoundException,
)
from moto.ecr.models import ecr_backends

from miyabi.localcloud.control.service import ApiError, Caller, LiveService, Params, Result
from miyabi.localcloud.data.images import Blobs
from miyabi.model.errors import NotFound
from miyabi.model.image import LAYER_MEDIA_TYPE, ImageReference, parse_reference

_PART_BYTES = 10 * 1024 * 1024
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_UPLOAD_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class ImageNotFound(NotFound):
    """An image that a task cannot be started from; the message is the task's `stoppedReason`."""


class InvalidLayerPart(ApiError):
    """A part that does not follow the last one."""

    def __init__(self, about: Result, last_byte: int) -> None:
        super().__init__(
            "InvalidLayerPartException",
            f"The part does not follow byte {last_byte} of upload '{about['uploadId']}' "
            f"in the repository with name '{about['repositoryName']}'",
        )
        for name, value in (about | {"lastValidByteReceived": last_byte}).items():
            setattr(self, name, value)  # the serialiser takes the model's members from attributes


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """What an image's name stood for when it was looked up."""

    digest: str
    manifest: bytes


class EcrLayers(LiveService):
    """The layer operations of ECR."""

    name = "ecr"
    whole = False

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def initiate_layer_upload(self, caller: Caller, params: Params) -> Result:
        """Open an upload."""
        _repository(caller, params)
        upload_id = str(uuid.uuid4())
        self._blobs.begin(_upload_name(caller, params, upload_id))
        return {"uploadId": upload_id, "partSize": _PART_BYTES}

    def upload_layer_part(self, caller: Caller, params: Params) -> Result:
        """Add a part; parts come in order."""
        upload, received = self._upload(caller, params)
        part = params["layerPartBlob"]
        first, last = params["partFirstByte"], params["partLastByte"]
        if first != received or last - first + 1 != len(part):
            raise InvalidLayerPart(_about(caller, params), received - 1)
        self._blobs.append(upload, part)
        return _about(caller, params) | {"lastByteReceived": last}

    def complete_layer_upload(self, caller: Caller, params: Params) -> Result:
        """Keep the layer if it has the digest that the caller says."""
        upload, received = self._upload(caller, params)
        repository = params["repositoryName"]
        if not received:
            raise ApiError("EmptyUploadException", f"No layer part was uploaded to the repository '{repository}'")
        digest = self._blobs.upload_digest(upload)
        if digest not in params["layerDigests"]:
            self._blobs.discard(upload)
            given = ", ".join(params["layerDigests"])
            raise ApiError("InvalidLayerException", f"The layer has the digest {digest}, not the given {given}")
        if self._blobs.size_bytes(digest) is not None:
            self._blobs.discard(upload)
            raise ApiError(
                "LayerAlreadyExistsException",
                f"Layer with digest '{digest}' already exists in the repository with name '{repository}' "
                f"in registry with id '{caller.account}'",
            )
        self._blobs.complete(upload, digest)
        return _about(caller, params) | {"layerDigest": digest}

    def batch_check_layer_availability(self, caller: Caller, params: Params) -> Result:
        """Say which layers need not be uploaded."""
        _repository(caller, params)
        layers, failures = [], []
        for digest in params["layerDigests"]:
            if not _DIGEST.fullmatch(digest):
                failures.append(_failure(digest, "InvalidLayerDigest", f"Invalid layer digest '{digest}'"))
            elif (size := self._blobs.size_bytes(digest)) is None:
                failures.append(_failure(digest, "MissingLayerDigest", f"Layer '{digest}' could not be found"))
            else:
                layer = {"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": size}
                layers.append(layer | {"mediaType": LAYER_MEDIA_TYPE})
        return {"layers": layers, "failures": failures}

    def _upload(self, caller: Caller, params: Params) -> tuple[str, int]:
        _repository(caller, params)
        upload_id = params["uploadId"]
        if _UPLOAD_ID.fullmatch(upload_id):
            name = _upload_name(caller, params, upload_id)
            received = self._blobs.received_bytes(name)
            if received is not None:
                return name, received
        raise UploadNotFoundException(upload_id, params["repositoryName"], caller.account)


def resolve(account: str, _region: str, image_uri: str) -> ResolvedImage:
    """Return the image that the URI names now. Raises `ImageNotFound`, worded as ECS words it.

    The task's region does not matter: as on AWS, an image may come from the registry of another one.
    """
    reference = parse_reference(image_uri)
    if reference is None or reference.account != account:
        raise _cannot_pull(image_uri, f"the local cloud pulls from the ECR registry of account {account} only")
    image = _find(account, reference)
    if image is None:
        raise _cannot_pull(image_uri, f"{image_uri}: not found")
    manifest = image.image_manifest.encode()
    return ResolvedImage(f"sha256:{hashlib.sha256(manifest).hexdigest()}", manifest)


def _repository(caller: Caller, params: Params) -> None:
    name, registry = params["repositoryName"], params.get("registryId") or caller.account
    repositories = ecr_backends[caller.account][caller.region].repositories
    if registry != caller.account or name not in repositories:
        raise RepositoryNotFoundException(name, registry)


def _upload_name(caller: Caller, params: Params, upload_id: str) -> str:
    """Return the upload's file name: an upload belongs to the repository that it was opened for."""
    owner = hashlib.sha256(f"{caller.region}/{params['repositoryName']}".encode()).hexdigest()[:16]
    return f"{upload_id}.{owner}"


def _about(caller: Caller, params: Params) -> Result:
    return {
        "registryId": caller.account,
        "repositoryName": params["repositoryName"],
        "uploadId": params["uploadId"],
    }


def _failure(digest: str, code: str, reason: str) -> Result:
    return {"layerDigest": digest, "failureCode": code, "failureReason": reason}


def _find(account: str, reference: ImageReference) -> Any:
    try:
        backend = ecr_backends[account][reference.region]
        repository = backend.repositories[reference.repository]
        # With a digest the tag is a comment, as for every container engine.
        tag = None if reference.digest else reference.tag
        return repository._get_image(tag, reference.digest)  # noqa: SLF001 - moto's only look-up by tag or digest
    except (KeyError, ServiceException):
        return None


def _cannot_pull(uri: str, reason: str) -> ImageNotFound:
    return ImageNotFound(
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
        f"failed to resolve ref {uri}: {reason}"
    )
