"""Blobs and unpacked images on disk."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import msgspec
import pytest

from miyabi.environment.home import Home
from miyabi.localcloud.data.images import Blobs, BrokenImage, discard_unfinished, remove_tree, unpack
from miyabi.model.image import Bundle, ImageManifest
from miyabi.operations.bundle import make_bundle


@pytest.fixture(params=["filter", "no filter"], autouse=True)
def extraction(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test also as Python before 3.11.4 does, which has no filter for archives."""
    if request.param == "no filter":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def keep(home: Home, content: bytes) -> str:
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    blobs = Blobs(home)
    blobs.begin("upload")
    blobs.append("upload", content)
    blobs.complete("upload", digest)
    return digest


def bundle_of(home: Home, root: Path) -> Bundle:
    (root / "run.py").write_text("import helper; print(helper.WORD)", "utf-8")
    (root / "helper.py").write_text("WORD = 'hello'", "utf-8")
    manifest = ImageManifest(
        base="python:3.11-slim",
        command=("python3", "run.py"),
        listen_address_variable="BIND",
        environment={"A": "x=y"},
        stop_signal="SIGINT",
        files={"run.py": "run.py", "helper.py": "helper.py"},
    )
    bundle = make_bundle(manifest, root)
    for blob in (bundle.config, bundle.layer):
        keep(home, blob.content)
    return bundle


def test_an_image_is_unpacked_once_read_only_and_says_how_it_runs(home: Home, tmp_path: Path) -> None:
    bundle = bundle_of(home, tmp_path)
    image = unpack(home, bundle.manifest.content)
    assert image.root == home.images / bundle.digest.removeprefix("sha256:")
    assert image.workdir == image.root / "app"
    assert image.command == ("python3", "run.py")
    assert image.environment["A"] == "x=y"
    assert (image.listen_variable, image.stop_signal) == ("BIND", "SIGINT")
    assert oct(image.workdir.stat().st_mode)[-3:] == "555"
    assert oct((image.workdir / "run.py").stat().st_mode)[-3:] == "444"
    inode = (image.workdir / "run.py").stat().st_ino
    assert unpack(home, bundle.manifest.content) == image
    assert (image.workdir / "run.py").stat().st_ino == inode


def test_an_image_runs_and_python_leaves_nothing_in_it(home: Home, tmp_path: Path) -> None:
    image = unpack(home, bundle_of(home, tmp_path).manifest.content)
    argv = [os.path.realpath(sys.executable), *image.command[1:]]
    done = subprocess.run(argv, cwd=image.workdir, env=dict(image.environment), capture_output=True, check=True)
    assert done.stdout == b"hello\n"
    assert sorted(path.name for path in image.workdir.iterdir()) == ["helper.py", "run.py"]
    assert list((home.images / "bytecode").rglob("helper*.pyc"))


def test_unpacking_the_same_image_from_several_threads_at_once_works(home: Home, tmp_path: Path) -> None:
    manifest = bundle_of(home, tmp_path).manifest.content
    found = []
    threads = [threading.Thread(target=lambda: found.append(unpack(home, manifest))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert not list(home.images.glob(".unpacking-*"))


def test_what_a_killed_unpacking_left_is_removed(home: Home) -> None:
    left = home.images / ".unpacking-x"
    (left / "app").mkdir(parents=True)
    (left / "app").chmod(0o555)
    discard_unfinished(home)
    assert not left.exists()


def test_a_tree_with_unpacked_images_can_be_removed(home: Home, tmp_path: Path) -> None:
    unpack(home, bundle_of(home, tmp_path).manifest.content)
    remove_tree(home.root)
    assert not home.root.exists()


def layer_with(name: str, *, link: str | None = None) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        if link is not None:
            member.type, member.linkname = tarfile.SYMTYPE, link
        archive.addfile(member)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (b"not a layer", "cannot be unpacked"),
        (layer_with("app/x")[:-20], "cannot be unpacked"),
        (layer_with("../outside"), "cannot be unpacked"),
        (layer_with("app/link", link="/etc/passwd"), "cannot be unpacked"),
        (layer_with("app/link", link="../../etc/passwd"), "cannot be unpacked"),
        (None, "layer is missing"),
    ],
)
def test_a_layer_that_cannot_be_trusted_is_refused_and_leaves_nothing(
    home: Home, layer: bytes | None, message: str
) -> None:
    config = keep(home, msgspec.json.encode({"config": {"Cmd": ["x"], "Env": None}}))
    digest = keep(home, layer) if layer is not None else "sha256:" + "0" * 64
    manifest = msgspec.json.encode({"config": {"digest": config}, "layers": [{"digest": digest}]})
    with pytest.raises(BrokenImage, match=message):
        unpack(home, manifest)
    assert sorted(path.name for path in home.images.iterdir()) == ["blobs", "uploads"]
    assert not (home.root / "outside").exists()


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (b"{", "manifest cannot be read"),
        (b'{"config": {"digest": "x"}, "layers": []}', "it has 0 layers"),
        (b'{"config": {"digest": "sha256:../../x"}, "layers": [{"digest": "y"}]}', "is not a sha256 digest"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused(home: Home, manifest: bytes, message: str) -> None:
    with pytest.raises(BrokenImage, match=message):
        unpack(home, manifest)


def test_blobs_are_private_and_survive_as_whole_files(home: Home) -> None:
    digest = keep(home, b"content")
    path = Blobs(home).path(digest)
    assert path.read_bytes() == b"content"
    assert oct(path.stat().st_mode)[-3:] == "600"
    assert Blobs(home).size_bytes(digest) == 7
    assert Blobs(home).received_bytes("upload") is None
