"""Manifest to bundle, manifest to Dockerfile."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import msgspec
import pytest

from miyabi.model.errors import InvalidInput, MiyabiError, NotFound, Unavailable
from miyabi.model.image import Bundle, ImageManifest, PythonDistributions
from miyabi.operations import container_engine
from miyabi.operations.bundle import make_bundle
from miyabi.operations.distributions import closure
from miyabi.operations.dockerfile import write_dockerfile
from miyabi.operations.images import build_image
from miyabi.operations.manifest import read_manifest

ROOT = Path(__file__).parents[3]

MANIFEST = """
base = "node:22-slim"
command = ["node", "server.js"]
listen_address_variable = "BIND"

[environment]
PORT = "3000"

[files]
"server.js" = "build/server.js"
"public" = "assets"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A program in another language, with what must not be copied."""
    for name, content in {
        "build/server.js": "listen()",
        "assets/index.html": "<p>hello",
        "assets/bin/run": "#!/bin/sh\n",
        "assets/.git/config": "secret",
        "assets/__pycache__/x.pyc": "junk",
        "assets/old.pyc": "junk",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    (tmp_path / "assets/bin/run").chmod(0o700)
    (tmp_path / "assets/home").symlink_to("index.html")
    (tmp_path / "image.toml").write_text(MANIFEST, "utf-8")
    return tmp_path


def members(bundle: Bundle) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(bundle.layer.content), mode="r:gz") as archive:
        return {member.name: member for member in archive.getmembers()}


def test_the_layer_holds_what_the_manifest_names_and_no_caches(project: Path) -> None:
    found = members(build_image(project / "image.toml"))
    assert list(found) == [
        "app",
        "app/public",
        "app/public/bin",
        "app/public/bin/run",
        "app/public/home",
        "app/public/index.html",
        "app/server.js",
    ]
    assert {oct(found[name].mode) for name in ("app", "app/public", "app/public/bin/run")} == {"0o555"}
    assert oct(found["app/server.js"].mode) == "0o444"
    assert found["app/public/home"].linkname == "index.html"
    assert {(member.uid, member.gid, member.mtime) for member in found.values()} == {(0, 0, 0)}


def test_every_digest_is_that_of_the_bytes(project: Path) -> None:
    bundle = build_image(project / "image.toml")
    for blob in (bundle.manifest, bundle.config, bundle.layer):
        assert blob.digest == "sha256:" + hashlib.sha256(blob.content).hexdigest()
    manifest = msgspec.json.decode(bundle.manifest.content)
    assert manifest["config"]["digest"] == bundle.config.digest
    assert manifest["layers"][0] == {
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        "size": bundle.layer.size_bytes,
        "digest": bundle.layer.digest,
    }
    config = msgspec.json.decode(bundle.config.content)
    plain = gzip.decompress(bundle.layer.content)
    assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(plain).hexdigest()]
    assert config["config"] == {
        "Cmd": ["node", "server.js"],
        "Env": ["PORT=3000"],
        "WorkingDir": "/app",
        "StopSignal": "SIGTERM",
        "Labels": {"miyabi.listen-address-variable": "BIND"},
    }


def test_the_same_input_has_the_same_digest_whenever_and_with_whatever_permissions(project: Path) -> None:
    before = build_image(project / "image.toml").digest
    os.utime(project / "build/server.js", (1, 1))
    (project / "build/server.js").chmod(0o600)
    assert build_image(project / "image.toml").digest == before
    (project / "build/server.js").write_text("listen();", "utf-8")
    assert build_image(project / "image.toml").digest != before


def test_the_web_api_s_image_is_built_in_two_seconds_and_imports_without_its_environment(tmp_path: Path) -> None:
    manifest = read_manifest(ROOT / "image.toml")
    began = time.process_time()
    bundle = make_bundle(manifest, ROOT)
    assert time.process_time() - began < 2
    assert not [name for name in members(bundle) if "__pycache__" in name or name.endswith(("RECORD", ".pth"))]
    with tarfile.open(fileobj=io.BytesIO(bundle.layer.content), mode="r:gz") as archive:
        archive.extractall(tmp_path, filter="data")
    base = Path(os.path.realpath(sys.executable))
    code = "import miyabi.webapi.application as a, sys; print(a.__file__); print('boto3' in sys.modules)"
    done = subprocess.run([base, "-c", code], cwd=tmp_path / "app", env={}, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(tmp_path / "app/miyabi/webapi/application.py"), "False"]


def test_the_closure_follows_extras_and_markers() -> None:
    names = {found.name for found in closure(["miyabi[webapi]"])}
    assert {"miyabi", "starlette", "anyio", "uvicorn", "httptools", "msgspec"} <= names
    assert "moto" not in names
    assert "pytest" not in names
    assert {found.name for found in closure(["msgspec"])} == {"msgspec"}


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("no-such-thing-at-all", NotFound, "'no-such-thing-at-all', which the manifest requires, is not installed"),
        ("msgspec>=1000", InvalidInput, "requires msgspec>=1000, but version"),
        ("!!", InvalidInput, "is not the name of a distribution"),
    ],
)
def test_a_distribution_that_is_not_there_is_named(text: str, kind: type[MiyabiError], message: str) -> None:
    with pytest.raises(kind) as caught:
        closure([text])
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ('base = "node:22-slim"', 'baze = "x"', "unknown key 'baze'", "did you mean 'base'?"),
        ("[files]", "[python]\ndistribution = []\n[files]", "'python.distribution'", "'python.distributions'"),
        ('command = ["node", "server.js"]', 'command = "node"', "'command' must be a list", "image.toml"),
        ('base = "node:22-slim"', "", "'base' is missing", "image.toml"),
        ("base =", "base", "image.toml", "TOML"),
        ('"assets"', '"/etc"', "/etc is outside of", "below its directory"),
        ('"assets"', '"../secrets"', "../secrets is outside of", "below its directory"),
        ('"assets"', '"nothing"', "nothing of 'public' does not exist", "relative to the manifest"),
        ('"public" = "assets"', '"." = "build/server.js"', "target '.' needs a directory", "server.js"),
    ],
)
def test_a_wrong_manifest_is_refused_in_one_line(project: Path, old: str, new: str, message: str, hint: str) -> None:
    path = project / "image.toml"
    path.write_text(MANIFEST.replace(old, new), "utf-8")
    with pytest.raises(MiyabiError) as caught:
        build_image(path)
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert hint in (caught.value.hint or "")


def test_without_a_manifest_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"image\.toml does not exist"):
        build_image(tmp_path / "image.toml")


def test_a_link_out_of_the_directory_becomes_the_file_and_a_directory_is_refused(project: Path) -> None:
    (project / "assets/outside").symlink_to("../build/server.js")
    assert members(build_image(project / "image.toml"))["app/public/outside"].isfile()
    (project / "assets/outdir").symlink_to("../build")
    with pytest.raises(InvalidInput, match="outside of"):
        build_image(project / "image.toml")


def test_the_dockerfile_pins_what_an_index_has_and_copies_the_rest(tmp_path: Path) -> None:
    manifest = ImageManifest(
        base="python:3.11-slim",
        command=("python3", "-m", "miyabi.webapi"),
        listen_address_variable="HOST",
        environment={"GREETING": 'say "$HOME"\\'},
        python=PythonDistributions(("miyabi[webapi]",)),
    )
    lines = write_dockerfile(manifest, tmp_path, tmp_path / "context").read_text("utf-8").splitlines()
    assert lines[1:] == [
        "FROM python:3.11-slim",
        "WORKDIR /app",
        "COPY requirements.txt /tmp/requirements.txt",
        "RUN pip install --no-cache-dir --no-deps --target /app -r /tmp/requirements.txt",
        "COPY app/ /app/",
        'ENV GREETING="say \\"\\$HOME\\"\\\\"',
        'ENV HOST="0.0.0.0"',
        'LABEL miyabi.listen-address-variable="HOST"',
        "STOPSIGNAL SIGTERM",
        "USER 65534:65534",
        'CMD ["python3","-m","miyabi.webapi"]',
    ]
    pins = (tmp_path / "context/requirements.txt").read_text("utf-8").splitlines()
    assert all("==" in pin for pin in pins)
    assert not [pin for pin in pins if pin.startswith("miyabi")]
    assert (tmp_path / "context/app/miyabi/webapi/__main__.py").is_file()


DOCKER = """#!/bin/sh
{ echo "$@"; cat; echo; } >> "$(dirname "$0")/calls"
for last; do :; done
[ -d "$last" ] && cp "$last/Dockerfile" "$(dirname "$0")/"
exit $(cat "$(dirname "$0")/exit" 2>/dev/null || echo 0)
"""


def test_docker_builds_logs_in_and_pushes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = project / "bin"
    directory.mkdir()
    (directory / "docker").write_text(DOCKER, "utf-8")
    (directory / "docker").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    manifest = read_manifest(project / "image.toml")
    uri = "112530848482.dkr.ecr.us-west-2.amazonaws.com/shop:v1"
    container_engine.build_and_push(manifest, project, uri, "QVdTOnBhc3M=")
    calls = (directory / "calls").read_text("utf-8").split("\n")
    assert calls[0].startswith(f"build --platform linux/amd64 --tag {uri} ")
    assert calls[2:4] == [
        "login --username AWS --password-stdin 112530848482.dkr.ecr.us-west-2.amazonaws.com",
        "pass",
    ]
    assert calls[4] == f"push {uri}"
    assert "FROM node:22-slim" in (directory / "Dockerfile").read_text("utf-8")
    (directory / "exit").write_text("7", "utf-8")
    with pytest.raises(MiyabiError, match="docker exited with 7"):
        container_engine.build_and_push(manifest, project, uri, "QVdTOnBhc3M=")


def test_without_docker_there_is_one_clear_line(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project))
    with pytest.raises(Unavailable, match="docker is not installed") as caught:
        container_engine.build_and_push(read_manifest(project / "image.toml"), project, "x", "")
    assert caught.value.hint
