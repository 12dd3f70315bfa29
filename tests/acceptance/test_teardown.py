"""The end of the environment that the other tests of this directory share: their files sort before this one."""

from __future__ import annotations

import socket

import pytest

from tests.acceptance.cloud import Ran, Rehearsal
from tests.acceptance.test_first_answer import url_of

First = tuple[Rehearsal, Ran]


def test_destroy_leaves_no_process_port_or_file(first: First) -> None:
    cloud, _ = first
    instance = cloud.instance()
    host = url_of(cloud).removeprefix("http://").partition(":")[0]
    assert cloud.miyabi("destroy", "--yes", "other").code != 0
    ran = cloud.miyabi("destroy", "--yes", "dev")
    assert ran.code == 0, ran.out + ran.err
    assert cloud.processes() == []
    assert not cloud.home.exists()
    for address, port in ((host, 80), ("127.0.0.1", instance["api_port"])):
        with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
            probe.connect((address, port))
    leftovers = [path for path in cloud.directory.rglob(".terraform*") if path.name != ".terraform.lock.hcl"]
    assert leftovers == []
