"""ECR as botocore sees it: a real client, its requests carried to the services without a socket."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore import xform_name
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from moto.core.request import Request
from moto.ecr.models import ECRBackend, ecr_backends

from miyabi.aws.clients import Cloud
from miyabi.environment.home import Home
from miyabi.localcloud.control.ecr import EcrLayers, ImageNotFound, resolve
from miyabi.localcloud.control.ecr_images import install_ecr
from miyabi.localcloud.control.journal import Journal
from miyabi.localcloud.control.service import Caller, answer, operation_of
from miyabi.localcloud.control.stock import StockServices
from miyabi.localcloud.data.images import Blobs, unpack
from miyabi.model.errors import Conflict, NotFound
from miyabi.model.image import MANIFEST_MEDIA_TYPE, Bundle, ImageManifest
from miyabi.operations.bundle import make_bundle
from miyabi.operations.images import list_images, push_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

REGION = "us-west-2"
ACCOUNT = os.environ["MOTO_ACCOUNT_ID"]
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


class LocalEcr:
    """The control plane's route for ECR: layers live, the rest moto with its journal."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.layers = EcrLayers(Blobs(home))
        self.sent: list[str] = []
        self.start()

    def start(self) -> int:
        """Build moto's state afresh from the journal; return how many requests it held."""
        ecr_backends.clear()
        install_ecr(Blobs(self.home))
        self.journal = Journal(self.home.state, StockServices(ACCOUNT))
        return self.journal.replay()

    def send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        headers = {name: v if isinstance(v, str) else v.decode() for name, v in request.headers.items()}
        body = request.body.encode() if isinstance(request.body, str) else request.body
        incoming = Request.from_primitives("POST", str(request.url), headers, body)
        incoming.environ["RAW_URI"] = "/"
        incoming.from_wsgi_server = True
        operation = operation_of(incoming)
        self.sent.append(operation)
        now = datetime.now(UTC)
        if hasattr(self.layers, xform_name(operation)):
            caller = Caller(ACCOUNT, REGION, "AKIA", now)
            status, out, content = answer(self.layers, incoming, caller, "id")
        else:
            status, out, content = self.journal.run(incoming, "ecr", REGION, now=now)
        return AWSResponse(str(request.url), status, HTTPHeaders.from_dict(out), _Raw(content))


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalEcr]:
    home = Home(tmp_path / "home")
    home.create()
    yield LocalEcr(home)
    ecr_backends.clear()
    ecr_backends.backend = ECRBackend


@pytest.fixture
def cloud(local: LocalEcr) -> Cloud:
    cloud = Cloud(region=REGION, endpoint="http://127.0.0.1:1", access_key="AKIA", secret_key="x")
    cloud.client("ecr").meta.events.register("before-send.ecr", local.send)  # type: ignore[arg-type]
    cloud.client("ecr").create_repository(repositoryName="shop")
    return cloud


@pytest.fixture
def ecr(cloud: Cloud) -> ECRClient:
    return cloud.client("ecr")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return image(tmp_path, "one")


def image(root: Path, content: str) -> Bundle:
    (root / "server.py").write_text(content, "utf-8")
    manifest = ImageManifest("python:3.11-slim", ("python3", "server.py"), "HOST", files={"server.py": "server.py"})
    return make_bundle(manifest, root)


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def test_a_pushed_image_is_found_by_tag_with_the_manifest_s_digest_and_the_layer_s_size(
    cloud: Cloud, ecr: ECRClient, bundle: Bundle, local: LocalEcr
) -> None:
    pushed = push_image(cloud, bundle, "shop", "v1")
    assert (pushed.uri, pushed.digest, pushed.changed) == (f"{REGISTRY}/shop:v1", bundle.digest, True)
    [detail] = ecr.describe_images(repositoryName="shop", imageIds=[{"imageTag": "v1"}])["imageDetails"]
    assert detail["imageDigest"] == bundle.digest
    assert detail["imageTags"] == ["v1"]
    assert detail["imageSizeInBytes"] == bundle.layer.size_bytes
    assert detail["imageManifestMediaType"] == MANIFEST_MEDIA_TYPE
    [got] = ecr.batch_get_image(repositoryName="shop", imageIds=[{"imageDigest": bundle.digest}])["images"]
    assert got["imageManifest"].encode() == bundle.manifest.content
    resolved = resolve(ACCOUNT, REGION, pushed.uri)
    assert resolved.digest == bundle.digest
    unpacked = unpack(local.home, resolved.manifest)
    assert (unpacked.workdir / "server.py").read_text("utf-8") == "one"


def test_pushing_again_sends_no_layer_and_puts_no_image(cloud: Cloud, bundle: Bundle, local: LocalEcr) -> None:
    push_image(cloud, bundle, "shop", "v1")
    local.sent.clear()
    assert not push_image(cloud, bundle, "shop", "v1").changed
    assert local.sent == ["DescribeRepositories", "BatchGetImage"]
    local.sent.clear()
    assert push_image(cloud, bundle, "shop", "v2").changed
    assert "InitiateLayerUpload" not in local.sent
    assert [found.tags for found in list_images(cloud, "shop")] == [("v1", "v2")]


def test_a_tag_that_moves_leaves_the_old_image_reachable_by_digest(
    cloud: Cloud, ecr: ECRClient, tmp_path: Path
) -> None:
    old, new = image(tmp_path, "old"), image(tmp_path, "new")
    push_image(cloud, old, "shop", "latest")
    push_image(cloud, new, "shop", "latest")
    assert resolve(ACCOUNT, REGION, f"{REGISTRY}/shop").digest == new.digest
    assert resolve(ACCOUNT, REGION, f"{REGISTRY}/shop@{old.digest}").digest == old.digest
    assert {found.digest: found.tags for found in list_images(cloud, "shop")} == {
        old.digest: (),
        new.digest: ("latest",),
    }
    untagged = ecr.list_images(repositoryName="shop", filter={"tagStatus": "UNTAGGED"})["imageIds"]
    assert untagged == [{"imageDigest": old.digest}]


def test_images_survive_a_restart_of_the_control_plane(cloud: Cloud, local: LocalEcr, bundle: Bundle) -> None:
    push_image(cloud, bundle, "shop", "v1")
    before = list_images(cloud, "shop")
    assert local.start() == 2  # CreateRepository and PutImage
    assert list_images(cloud, "shop") == before
    assert resolve(ACCOUNT, REGION, f"{REGISTRY}/shop:v1").digest == bundle.digest


def test_an_immutable_tag_does_not_move(cloud: Cloud, ecr: ECRClient, tmp_path: Path) -> None:
    ecr.create_repository(repositoryName="fixed", imageTagMutability="IMMUTABLE")
    push_image(cloud, image(tmp_path, "old"), "fixed", "v1")
    with pytest.raises(Conflict, match="cannot be overwritten because the tag is immutable"):
        push_image(cloud, image(tmp_path, "new"), "fixed", "v1")


def test_a_repository_that_does_not_exist_is_named(cloud: Cloud, ecr: ECRClient, bundle: Bundle) -> None:
    with pytest.raises(NotFound, match="repository 'nope' does not exist"):
        push_image(cloud, bundle, "nope", "v1")
    with pytest.raises(NotFound, match="'nope' does not exist"):
        list_images(cloud, "nope")
    for call in (
        lambda: ecr.initiate_layer_upload(repositoryName="nope"),
        lambda: ecr.batch_check_layer_availability(repositoryName="nope", layerDigests=["sha256:0"]),
        lambda: ecr.put_image(repositoryName="nope", imageManifest="{}", imageTag="x"),
    ):
        with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
            call()


def test_a_layer_arrives_in_parts_and_in_order(ecr: ECRClient) -> None:
    upload = ecr.initiate_layer_upload(repositoryName="shop")["uploadId"]
    given: dict[str, Any] = {"repositoryName": "shop", "uploadId": upload}
    first = ecr.upload_layer_part(**given, partFirstByte=0, partLastByte=2, layerPartBlob=b"abc")
    assert first["lastByteReceived"] == 2
    with pytest.raises(ecr.exceptions.InvalidLayerPartException) as caught:
        ecr.upload_layer_part(**given, partFirstByte=5, partLastByte=5, layerPartBlob=b"f")
    assert dict(caught.value.response)["lastValidByteReceived"] == 2
    ecr.upload_layer_part(**given, partFirstByte=3, partLastByte=4, layerPartBlob=b"de")
    digest = digest_of(b"abcde")
    assert ecr.complete_layer_upload(**given, layerDigests=[digest])["layerDigest"] == digest
    missing = digest_of(b"missing")
    found = ecr.batch_check_layer_availability(repositoryName="shop", layerDigests=[digest, missing, "x"])
    assert [(layer["layerDigest"], layer["layerSize"]) for layer in found["layers"]] == [(digest, 5)]
    assert [failure["failureCode"] for failure in found["failures"]] == ["MissingLayerDigest", "InvalidLayerDigest"]


def test_a_layer_with_another_digest_is_refused_and_forgotten(ecr: ECRClient) -> None:
    upload = ecr.initiate_layer_upload(repositoryName="shop")["uploadId"]
    given: dict[str, Any] = {"repositoryName": "shop", "uploadId": upload}
    with pytest.raises(ecr.exceptions.EmptyUploadException):
        ecr.complete_layer_upload(**given, layerDigests=[digest_of(b"")])
    ecr.upload_layer_part(**given, partFirstByte=0, partLastByte=0, layerPartBlob=b"x")
    with pytest.raises(ecr.exceptions.InvalidLayerException):
        ecr.complete_layer_upload(**given, layerDigests=[digest_of(b"y")])
    with pytest.raises(ecr.exceptions.UploadNotFoundException):
        ecr.complete_layer_upload(**given, layerDigests=[digest_of(b"x")])


def test_a_layer_that_is_there_is_not_taken_twice(ecr: ECRClient) -> None:
    def upload() -> None:
        given: dict[str, Any] = {
            "repositoryName": "shop",
            "uploadId": ecr.initiate_layer_upload(repositoryName="shop")["uploadId"],
        }
        ecr.upload_layer_part(**given, partFirstByte=0, partLastByte=0, layerPartBlob=b"x")
        ecr.complete_layer_upload(**given, layerDigests=[digest_of(b"x")])

    upload()
    with pytest.raises(ecr.exceptions.LayerAlreadyExistsException):
        upload()


@pytest.mark.parametrize("upload_id", ["../../../instance.json", "00000000-0000-0000-0000-000000000000", "x"])
def test_an_upload_that_was_never_opened_is_refused(ecr: ECRClient, upload_id: str) -> None:
    with pytest.raises(ecr.exceptions.UploadNotFoundException):
        ecr.upload_layer_part(
            repositoryName="shop", uploadId=upload_id, partFirstByte=0, partLastByte=0, layerPartBlob=b"x"
        )


def test_an_upload_belongs_to_its_repository(ecr: ECRClient) -> None:
    ecr.create_repository(repositoryName="other")
    upload = ecr.initiate_layer_upload(repositoryName="shop")["uploadId"]
    with pytest.raises(ecr.exceptions.UploadNotFoundException):
        ecr.upload_layer_part(
            repositoryName="other", uploadId=upload, partFirstByte=0, partLastByte=0, layerPartBlob=b"x"
        )


def test_a_manifest_is_taken_only_with_its_layers_and_its_own_digest(ecr: ECRClient, bundle: Bundle) -> None:
    given: dict[str, Any] = {"repositoryName": "shop", "imageTag": "v1"}
    text = bundle.manifest.content.decode()
    with pytest.raises(ecr.exceptions.LayersNotFoundException):
        ecr.put_image(**given, imageManifest=text)
    with pytest.raises(ecr.exceptions.InvalidParameterException):
        ecr.put_image(**given, imageManifest="{")
    empty = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST_MEDIA_TYPE, "layers": []})
    with pytest.raises(ecr.exceptions.ImageDigestDoesNotMatchException):
        ecr.put_image(**given, imageManifest=empty, imageDigest=bundle.digest)
    put = ecr.put_image(**given, imageManifest=empty)["image"]
    assert put["imageId"] == {"imageTag": "v1", "imageDigest": digest_of(empty.encode())}
    with pytest.raises(ecr.exceptions.ImageAlreadyExistsException):
        ecr.put_image(**given, imageManifest=empty)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        (f"{REGISTRY}/shop:nope", f"failed to resolve ref {REGISTRY}/shop:nope: {REGISTRY}/shop:nope: not found"),
        (f"{REGISTRY}/nope:v1", f"{REGISTRY}/nope:v1: not found"),
        (f"{REGISTRY.replace(REGION, 'mars-east-1')}/shop", "/shop: not found"),
        ("nginx:latest", f"pulls from the ECR registry of account {ACCOUNT} only"),
        (f"999999999999.dkr.ecr.{REGION}.amazonaws.com/shop", f"the ECR registry of account {ACCOUNT} only"),
    ],
)
def test_an_image_that_is_not_there_gives_the_reason_that_ecs_gives(ecr: ECRClient, uri: str, reason: str) -> None:
    with pytest.raises(ImageNotFound) as caught:
        resolve(ACCOUNT, REGION, uri)
    assert str(caught.value).startswith("CannotPullContainerError: pull image manifest has been retried 1 time(s)")
    assert str(caught.value).endswith(reason)
