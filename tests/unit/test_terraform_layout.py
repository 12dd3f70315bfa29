"""The Terraform keeps its shape: the same five files a module, every input said what it is, nothing tied to a cloud."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from miyabi.operations.execution.executor import PERMISSIONS
from miyabi.operations.registry import find, names

TERRAFORM = Path(__file__).parents[2] / "infrastructure" / "terraform"
MODULES = sorted(path for path in (TERRAFORM / "modules").iterdir() if path.is_dir())
ENVIRONMENTS = sorted(path for path in (TERRAFORM / "environments").iterdir() if path.is_dir())
FILES = ("main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md")

each_directory = pytest.mark.parametrize(
    "directory", [*MODULES, *ENVIRONMENTS], ids=lambda path: f"{path.parent.name}/{path.name}"
)


def blocks(kind: str, directory: Path) -> dict[str, str]:
    """Return the body of every `kind "name" { … }` block of a directory's formatted files, by name."""
    text = "".join(file.read_text() for file in sorted(directory.glob(f"{kind}s*.tf")))
    return dict(re.findall(rf'^{kind} "(\w+)" {{\n(.*?)^}}', text, re.MULTILINE | re.DOTALL))


@each_directory
def test_it_has_the_five_files_and_each_is_short(directory: Path) -> None:
    for name in FILES:
        assert (directory / name).is_file(), f"{directory.name} has no {name}"
    for file in directory.glob("*.tf"):
        assert len(file.read_text().splitlines()) <= 200, f"{file} is longer than 200 lines"


@each_directory
def test_every_input_is_described_and_typed_and_null_only_where_null_means_something(directory: Path) -> None:
    for name, body in blocks("variable", directory).items():
        assert re.search(r'^  description = "\S', body, re.MULTILINE), f"{name} has no description"
        assert re.search(r"^  type +=", body, re.MULTILINE), f"{name} has no type"
        null_is_the_default = re.search(r"^  default +(= null)$", body, re.MULTILINE)
        refuses_null = re.search(r"^  nullable += false$", body, re.MULTILINE)
        assert bool(null_is_the_default) != bool(refuses_null), f"{name}: nullable = false, or default = null"


@each_directory
def test_the_readme_lists_every_input_and_output_and_no_others(directory: Path) -> None:
    listed = re.findall(r"^\| `(\w+)` \|", (directory / "README.md").read_text(), re.MULTILINE)
    variables = blocks("variable", directory)
    outputs = blocks("output", directory)
    assert listed == [*variables, *outputs]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.name)
def test_an_environment_composes_modules_and_makes_nothing_itself(environment: Path) -> None:
    for file in environment.glob("*.tf"):
        assert not re.search(r'^resource "', file.read_text(), re.MULTILINE), f"{file} makes a resource"


def test_every_file_is_the_same_for_every_cloud() -> None:
    for file in TERRAFORM.rglob("*.tf"):
        text = file.read_text()
        for word in (r"endpoints\b", "endpoint_url", "access_key", r"127\.", "localhost", "skip_credentials"):
            assert not re.search(rf"^[^#]*{word}", text, re.MULTILINE | re.IGNORECASE), f"{file}: {word}"
        names_the_local_cloud = file.parent.name == "cloud"
        assert names_the_local_cloud or "miyabi-local" not in text, f"{file} knows the local cloud's caller"


def test_no_module_is_switched_off_by_an_input() -> None:
    for directory in MODULES:
        toggles = [name for name in blocks("variable", directory) if name.startswith("create_")]
        assert not toggles, f"{directory.name} has {toggles}"


def test_no_secret_is_an_input_and_every_one_is_written_once_and_kept_nowhere() -> None:
    for directory in [*MODULES, *ENVIRONMENTS]:
        for name, body in blocks("variable", directory).items():
            assert "sensitive" not in body, f"{directory.name}: {name} carries a secret into the plan"
            says_where = name.endswith(("_arn", "_arns", "_version", "_days", "container_secrets"))
            assert says_where or not re.search("password|secret|token", name), f"{directory.name}: {name}"
        for file in directory.glob("*.tf"):
            kept = re.search(
                r"^\s+(password|secret_string|auth_token|master_password) +=", file.read_text(), re.MULTILINE
            )
            assert kept is None, f"{file}: {kept.group().strip()} is kept in the state"


def test_every_accepted_finding_of_the_scan_has_its_reason_beside_it() -> None:
    for file in TERRAFORM.rglob("*.tf"):
        for skip in re.findall(r"checkov:skip=(.*)", file.read_text()):
            assert re.fullmatch(r"CKV2?_AWS_\d+:\S.{10,}", skip), f"{file}: {skip}"


def test_write_only_arguments_are_not_read_by_a_terraform_that_does_not_know_them() -> None:
    for directory in [*MODULES, *ENVIRONMENTS]:
        assert 'required_version = ">= 1.11"' in (directory / "versions.tf").read_text(), directory.name


def test_who_deploys_may_pass_the_two_roles_of_the_tasks_and_to_tasks_only() -> None:
    text = "".join(file.read_text() for file in TERRAFORM.rglob("*.tf"))
    statements = [body for body in re.findall(r"statement {\n(.*?)\n  }", text, re.DOTALL) if "iam:PassRole" in body]
    assert len(statements) == 1
    assert "resources = [var.execution_role_arn, var.task_role_arn]" in statements[0]
    assert '"ecs-tasks.amazonaws.com"' in statements[0]


def test_the_backend_in_s3_keeps_its_lock_in_a_file() -> None:
    example = (TERRAFORM / "environments" / "dev" / "backend.s3.tf.example").read_text()
    assert re.search(r"^    use_lockfile = true$", example, re.MULTILINE)
    assert "dynamodb_table" not in example
    bucket = (TERRAFORM / "modules" / "state" / "main.tf").read_text()
    assert re.search(r'versioning_configuration {\n    status = "Enabled"', bucket)


def test_who_deploys_may_do_what_deploying_and_rolling_back_call_and_what_pushing_does() -> None:
    text = (TERRAFORM / "modules" / "deploy_policy" / "main.tf").read_text()
    granted = set(re.findall(r'"([a-z]+:[A-Z]\w+)"', text)) - {"iam:PassedToService"}  # a condition's key
    needed = {*PERMISSIONS, *find("service.deploy").permissions, *find("service.rollback").permissions}
    assert needed <= granted, needed - granted
    pushing = {action for action in granted if action.startswith("ecr:")}
    assert granted - needed - pushing <= {"elasticloadbalancing:DescribeTargetHealth"}


def test_who_operates_may_do_just_what_the_operations_declare() -> None:
    text = (TERRAFORM / "modules" / "operator_policy" / "main.tf").read_text()
    granted = set(re.findall(r'"([a-z-]+:[A-Z]\w+)"', text))
    deploying = {"service.deploy", "service.rollback", "service.diff"}  # the deploy policy's
    declared = {action for name in names() if name not in deploying for action in find(name).permissions}
    assert granted == declared | set(PERMISSIONS)
