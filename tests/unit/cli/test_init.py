"""`init`: what it writes can be read, and by Terraform too."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Miyabi
from tests.unit.environment.test_exports import TARGET

from miyabi.environment.config import load_project
from miyabi.environment.home import Home
from miyabi.environment.terraform.mirrors import find_mirrors, missing_providers, packages, this_platform
from miyabi.environment.terraform.setup import local_terraform
from miyabi.operations.manifest import read_manifest


def test_what_is_written_is_read_back(miyabi: Miyabi) -> None:
    ran = miyabi("init", "--port", "3000", "--health-path", "/ping", "--region", "eu-west-1", "--account", "1" * 12)
    assert ran.code == 0, ran.err
    environment = load_project(Path("miyabi.toml")).environment()
    assert (environment.project, environment.region, environment.account) == ("shop", "eu-west-1", "1" * 12)
    assert environment.health_path == "/ping"
    assert environment.variables == {"container_port": 3000}
    assert environment.image is not None
    assert read_manifest(environment.image).environment == {"PORT": "3000"}
    assert (environment.terraform / "main.tf").is_file()
    assert not list(Path().rglob("*.tfstate*"))


def test_nothing_is_overwritten_unless_it_is_asked_for(miyabi: Miyabi) -> None:
    Path("image.toml").write_text("mine")
    ran = miyabi("init")
    assert ran.code == 5
    assert "image.toml" in ran.err
    assert not Path("miyabi.toml").exists()
    assert miyabi("init", "--force").code == 0
    assert Path("image.toml").read_text() != "mine"


def test_what_is_in_the_way_is_named(miyabi: Miyabi) -> None:
    Path("infrastructure").write_text("a file")
    ran = miyabi("init")
    assert ran.code == 2
    assert "infrastructure" in ran.err


@pytest.mark.parametrize("wrong", [("--name", "Shop!"), ("--account", "12"), ("--region", "Oregon"), ("--port", "0")])
def test_what_could_not_be_read_is_not_written(miyabi: Miyabi, wrong: tuple[str, str]) -> None:
    ran = miyabi("init", *wrong)
    assert ran.code == 2
    assert wrong[0] in ran.err
    assert "miyabi.toml:" not in ran.err
    assert not Path("miyabi.toml").exists()


def test_terraform_validates_what_is_written(miyabi: Miyabi, tmp_path: Path) -> None:
    assert miyabi("init", "--name", "shop", "--port", "3000", "--json").code == 0
    environment = load_project(Path("miyabi.toml").absolute()).environment()
    home = Home(tmp_path / "home")
    home.create()
    target = replace(TARGET, account=environment.account, region=environment.region)
    terraform = local_terraform(environment, target, home, environ=dict(os.environ))
    mirrors = find_mirrors(os.environ, directory=environment.terraform)
    held = [package for mirror in mirrors for package in packages(mirror, system=this_platform())]
    if missing_providers(terraform.configuration.constraints, held, terraform.program.registry):
        pytest.skip("the provider is in no mirror of this machine")
    terraform.init()
    ran = subprocess.run(
        [*terraform.program.argv, "validate", "-json"],
        cwd=environment.terraform,
        env=dict(terraform.env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(ran.stdout)["diagnostics"] == []
