"""What this machine lacks."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from miyabi.environment.checks import check_machine, require_local
from miyabi.environment.config import load_project
from miyabi.environment.home import FORMAT, Home, Instance
from miyabi.model.errors import NotFound

CONFIG = """
project = "shop"
[environments.dev]
account = "112530848482"
region = "us-west-2"
terraform = "infra"
"""


def test_a_leased_port_that_something_else_has_is_not_ok(tmp_path: Path) -> None:
    (tmp_path / "miyabi.toml").write_text(CONFIG)
    environment = load_project(tmp_path / "miyabi.toml").environment()
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "MIYABI_HOME": str(tmp_path / "home")}
    home = Home(tmp_path / "home")
    home.create()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        home.write_instance(Instance(FORMAT, "0a1b2c3d", 7, port, "112530848482", "us-west-2", "AKIAX", "secret"))
        taken = next(check for check in check_machine(environment, environ) if check.name == "API port")
    assert not taken.ok
    assert taken.needed
    assert str(port) in (taken.mend or "")
    assert next(check for check in check_machine(environment, environ) if check.name == "API port").ok


def test_an_installation_without_the_local_cloud_says_what_to_install() -> None:
    with pytest.raises(NotFound, match="moto") as caught:
        require_local(lambda name: None if name == "moto" else object())
    assert "pip install 'miyabi[local]'" in (caught.value.hint or "")
    require_local(lambda _name: object())
