"""Build images, push them to ECR, list them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from miyabi.aws.clients import Cloud
from miyabi.aws.errors import translated
from miyabi.model.errors import NotFound, Unavailable
from miyabi.model.image import MANIFEST_MEDIA_TYPE, Blob, Bundle, ImageManifest, ImageSummary
from miyabi.operations import container_engine
from miyabi.operations.bundle import make_bundle
from miyabi.operations.manifest import read_manifest

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

ImageEngine = Literal["bundle", "docker"]
"""How an image is made: as a bundle by Miyabi itself, or by Docker from the Dockerfile."""


@dataclass(frozen=True, slots=True)
class PushedImage:
    """An image that is in the repository now."""

    uri: str
    """`<repository's URI>:<tag>`, as a task definition names it."""
    digest: str
    tag: str
    size_bytes: int
    changed: bool
    """False where this digest was there under this tag before."""


def build_image(manifest_path: Path) -> Bundle:
    """Make the bundle that a manifest describes. The same input has the same digest."""
    return make_bundle(read_manifest(manifest_path), manifest_path.resolve().parent)


def publish_image(
    cloud: Cloud, manifest_path: Path, repository: str, tag: str, *, engine: ImageEngine = "bundle"
) -> PushedImage:
    """Build the image with the engine that the environment names, and push it."""
    if engine == "bundle":
        return push_image(cloud, build_image(manifest_path), repository, tag)
    return _push_by_docker(cloud, read_manifest(manifest_path), manifest_path.resolve().parent, repository, tag)


def push_image(cloud: Cloud, bundle: Bundle, repository: str, tag: str) -> PushedImage:
    """Push a bundle through ECR's API. What is there already is not sent again."""
    ecr = cloud.client("ecr")
    with translated(f"pushing image {repository}:{tag}"):
        uri = _repository_uri(ecr, repository)
        there = _digest_of(ecr, repository, tag) == bundle.digest
        if not there:
            _send_layers(ecr, repository, (bundle.config, bundle.layer))
            try:
                ecr.put_image(
                    repositoryName=repository,
                    imageManifest=bundle.manifest.content.decode(),
                    imageManifestMediaType=MANIFEST_MEDIA_TYPE,
                    imageTag=tag,
                    imageDigest=bundle.digest,
                )
            except ecr.exceptions.ImageAlreadyExistsException:
                there = True  # someone else pushed the same image in the meantime
    return PushedImage(f"{uri}:{tag}", bundle.digest, tag, bundle.layer.size_bytes, changed=not there)


def list_images(cloud: Cloud, repository: str) -> list[ImageSummary]:
    """Return the repository's images, newest first."""
    with translated(f"listing images of repository '{repository}'"):
        pages = cloud.client("ecr").get_paginator("describe_images").paginate(repositoryName=repository)
        images = [
            ImageSummary(
                digest=detail["imageDigest"],
                tags=tuple(sorted(detail.get("imageTags", ()))),
                pushed_at=detail["imagePushedAt"],
                size_bytes=detail.get("imageSizeInBytes", 0),
            )
            for page in pages
            for detail in page["imageDetails"]
        ]
    return sorted(images, key=lambda image: (image.pushed_at, image.tags, image.digest), reverse=True)


def _repository_uri(ecr: ECRClient, repository: str) -> str:
    try:
        found = ecr.describe_repositories(repositoryNames=[repository])["repositories"]
    except ecr.exceptions.RepositoryNotFoundException as error:
        raise NotFound(f"repository '{repository}' does not exist", hint="`miyabi up` creates it") from error
    return found[0]["repositoryUri"]


def _digest_of(ecr: ECRClient, repository: str, tag: str) -> str | None:
    found = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag}])["images"]
    return found[0]["imageId"]["imageDigest"] if found else None


def _send_layers(ecr: ECRClient, repository: str, blobs: tuple[Blob, ...]) -> None:
    digests = [blob.digest for blob in blobs]
    answer = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=digests)
    there = {layer["layerDigest"] for layer in answer["layers"] if layer["layerAvailability"] == "AVAILABLE"}
    for blob in blobs:
        if blob.digest not in there:
            _send_layer(ecr, repository, blob)


def _send_layer(ecr: ECRClient, repository: str, blob: Blob) -> None:
    upload = ecr.initiate_layer_upload(repositoryName=repository)
    for first, part in _parts(blob.content, upload["partSize"]):
        ecr.upload_layer_part(
            repositoryName=repository,
            uploadId=upload["uploadId"],
            partFirstByte=first,
            partLastByte=first + len(part) - 1,
            layerPartBlob=part,
        )
    with contextlib.suppress(ecr.exceptions.LayerAlreadyExistsException):  # another push was faster
        ecr.complete_layer_upload(repositoryName=repository, uploadId=upload["uploadId"], layerDigests=[blob.digest])


def _parts(content: bytes, size_bytes: int) -> Iterator[tuple[int, bytes]]:
    for first in range(0, len(content), size_bytes):
        yield first, content[first : first + size_bytes]


def _push_by_docker(cloud: Cloud, manifest: ImageManifest, root: Path, repository: str, tag: str) -> PushedImage:
    ecr = cloud.client("ecr")
    with translated(f"pushing image {repository}:{tag}"):
        uri = f"{_repository_uri(ecr, repository)}:{tag}"
        before = _digest_of(ecr, repository, tag)
        grant = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    container_engine.build_and_push(manifest, root, uri, grant)
    with translated(f"describing image {repository}:{tag}"):
        found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
    if not found:
        raise Unavailable(f"image {uri} was pushed, but ECR does not show it yet", hint="`miyabi image list`")
    digest = found[0]["imageDigest"]
    return PushedImage(uri, digest, tag, found[0].get("imageSizeInBytes", 0), changed=digest != before)
