"""The environments of the acceptance tests: brought up once, side by side, and destroyed at the end."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cloud import ROOT, Ran, Rehearsal, copy_checkout
from tests.ordinary import ordinary_user, own, programs_for


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("acceptance")


@pytest.fixture(scope="session")
def foreign() -> Iterator[tuple[Rehearsal, Started]]:
    """A program in another language, in its own repository, brought up without a terraform on PATH.

    Where the suite runs as root, this environment is an ordinary user's.
    """
    place = Path(tempfile.mkdtemp(prefix="miyabi-shop-"))  # other users can look into it, unlike pytest's
    directory = place / "shop"
    directory.mkdir()
    rehearsal = Rehearsal(directory, place / "shop-home")
    if (user := ordinary_user()) is not None:
        own(user, place, directory)
        if (programs := programs_for(user, place, ROOT / "src")) is not None:
            rehearsal.user, rehearsal.programs = user, programs
    rehearsal.extra["PATH"] = without_terraform(place, rehearsal.variables()["PATH"])
    made = rehearsal.miyabi("init", "--name", "shop", "--port", "3000", "--health-path", "/ping")
    assert made.code == 0, made.err
    (directory / "server.mjs").write_text(SERVER)
    (directory / "image.toml").write_text(MANIFEST)
    try:
        yield rehearsal, Started(rehearsal)
    finally:
        end(rehearsal)
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def first(workshop: Path, foreign: tuple[Rehearsal, Started]) -> Iterator[tuple[Rehearsal, Ran]]:
    """The project's own environment, as `make up` brings it up. The foreign one comes up beside it."""
    directory = workshop / "checkout"
    directory.mkdir()
    copy_checkout(directory)
    rehearsal = Rehearsal(directory, workshop / "home")
    try:
        up = rehearsal.miyabi("up")
        if up.code == 0:
            let_load_scale(rehearsal, scale=False)
        yield rehearsal, up
    finally:
        end(rehearsal)


@pytest.fixture(scope="module")
def configured(first: tuple[Rehearsal, Ran]) -> Rehearsal:
    """The project's own environment as its files say, whatever the tests of other modules did to it.

    Load scales nothing in it: tests that bring some, and those that bring none for a quarter of an hour, count tasks.
    """
    cloud, up = first
    assert up.code == 0, up.out + up.err
    again = cloud.miyabi("up", "--apply")
    assert again.code == 0, again.out + again.err
    cloud.load_env()
    let_load_scale(cloud, scale=False)
    return cloud


def let_load_scale(cloud: Rehearsal, *, scale: bool) -> None:
    """Let scaling policies act, or nothing but people and schedules."""
    cloud.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId="service/miyabi-cluster-dev/miyabi-service-dev",
        ScalableDimension="ecs:service:DesiredCount",
        SuspendedState={"DynamicScalingInSuspended": not scale, "DynamicScalingOutSuspended": not scale},
    )


class Started:
    """`miyabi up` in a thread of its own."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self._ran: list[Ran] = []
        self._thread = threading.Thread(target=lambda: self._ran.append(rehearsal.miyabi("up")))
        self._thread.start()

    def result(self) -> Ran:
        self._thread.join(400)
        assert self._ran, "`miyabi up` did not end"
        return self._ran[0]


def end(rehearsal: Rehearsal) -> None:
    """Remove a home and every process of it, whatever the tests left."""
    if rehearsal.home.exists():
        rehearsal.miyabi("destroy", "--force", "--yes", rehearsal.environment)
    for pid in rehearsal.processes():
        os.kill(pid, signal.SIGKILL)


def without_terraform(workshop: Path, path: str) -> str:
    """Return a PATH on which everything is found but terraform and tofu."""
    directories = []
    for number, name in enumerate(path.split(":")):
        source = Path(name)
        if shutil.which("terraform", path=name) is None and shutil.which("tofu", path=name) is None:
            directories.append(name)
            continue
        target = workshop / f"path-{number}"
        target.mkdir()
        for entry in source.iterdir():
            if entry.name not in {"terraform", "tofu"}:
                (target / entry.name).symlink_to(entry)
        directories.append(str(target))
    return ":".join(directories)


NODE = shutil.which("node")
SERVER = """\
// A shop in plain Node: no dependency, its own port and health path.
import http from "node:http";

const server = http.createServer((request, response) => {
  if (request.url === "/ping") return response.end("pong");
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ host: request.headers.host, pid: process.pid, path: request.url }));
});
server.listen(3000, process.env.LISTEN_ON, () => console.log(`shop listens on ${process.env.LISTEN_ON}`));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
"""
MANIFEST = """\
base = "node:20-slim"
command = ["node", "server.mjs"]
listen_address_variable = "LISTEN_ON"

[files]
"server.mjs" = "server.mjs"
"""
