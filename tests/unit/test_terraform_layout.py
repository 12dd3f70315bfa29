"""The Terraform keeps its shape: the same five files a module, every input said what it is, nothing tied to a cloud."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TERRAFORM = Path(__file__).parents[2] / "infrastructure" / "terraform"
MODULES = sorted(path for path in (TERRAFORM / "modules").iterdir() if path.is_dir())
ENVIRONMENTS = sorted(path for path in (TERRAFORM / "environments").iterdir() if path.is_dir())
FILES = ("main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md")

each_directory = pytest.mark.parametrize(
    "directory", [*MODULES, *ENVIRONMENTS], ids=lambda path: f"{path.parent.name}/{path.name}"
)


def blocks(kind: str, file: Path) -> dict[str, str]:
    """Return the body of every `kind "name" { … }` block of a formatted file, by name."""
    return dict(re.findall(rf'^{kind} "(\w+)" {{\n(.*?)^}}', file.read_text(), re.MULTILINE | re.DOTALL))


@each_directory
def test_it_has_the_five_files_and_each_is_short(directory: Path) -> None:
    for name in FILES:
        assert (directory / name).is_file(), f"{directory.name} has no {name}"
    for file in directory.glob("*.tf"):
        assert len(file.read_text().splitlines()) <= 200, f"{file} is longer than 200 lines"


@each_directory
def test_every_input_is_described_and_typed_and_null_only_where_null_means_something(directory: Path) -> None:
    for name, body in blocks("variable", directory / "variables.tf").items():
        assert re.search(r'^  description = "\S', body, re.MULTILINE), f"{name} has no description"
        assert re.search(r"^  type +=", body, re.MULTILINE), f"{name} has no type"
        null_is_the_default = re.search(r"^  default +(= null)$", body, re.MULTILINE)
        refuses_null = re.search(r"^  nullable += false$", body, re.MULTILINE)
        assert bool(null_is_the_default) != bool(refuses_null), f"{name}: nullable = false, or default = null"


@each_directory
def test_the_readme_lists_every_input_and_output_and_no_others(directory: Path) -> None:
    listed = re.findall(r"^\| `(\w+)` \|", (directory / "README.md").read_text(), re.MULTILINE)
    variables = blocks("variable", directory / "variables.tf")
    outputs = blocks("output", directory / "outputs.tf")
    assert listed == [*variables, *outputs]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.name)
def test_an_environment_composes_modules_and_makes_nothing_itself(environment: Path) -> None:
    for file in environment.glob("*.tf"):
        assert not re.search(r'^resource "', file.read_text(), re.MULTILINE), f"{file} makes a resource"


def test_every_file_is_the_same_for_every_cloud() -> None:
    for file in TERRAFORM.rglob("*.tf"):
        text = file.read_text()
        for word in ("endpoint", "access_key", "127.", "localhost", "skip_credentials"):
            assert not re.search(rf"^[^#]*{re.escape(word)}", text, re.MULTILINE | re.IGNORECASE), f"{file}: {word}"
        names_the_local_cloud = file.parent.name == "cloud"
        assert names_the_local_cloud or "miyabi-local" not in text, f"{file} knows the local cloud's caller"


def test_no_module_is_switched_off_by_an_input() -> None:
    for directory in MODULES:
        toggles = [name for name in blocks("variable", directory / "variables.tf") if name.startswith("create_")]
        assert not toggles, f"{directory.name} has {toggles}"
