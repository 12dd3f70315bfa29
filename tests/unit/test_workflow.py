"""The pipeline on GitHub: what it calls exists, and it may do no more than it must."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from miyabi.cli.commands import root
from miyabi.cli.output import Output
from miyabi.cli.session import Options, Session
from miyabi.environment.scaffold import Scaffold, workflow

ROOT = Path(__file__).parents[2]
FILE = ROOT / ".github" / "workflows" / "deploy.yml"
WORKFLOW: dict[Any, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
TRIGGERS = WORKFLOW[True]  # YAML 1.1 reads `on` so


def steps() -> Iterator[dict[str, Any]]:
    for job in JOBS.values():
        yield from job["steps"]


def commands(program: str) -> list[list[str]]:
    """Return the arguments of every call of a program; variables stay as they are written."""
    found = []
    for step in steps():
        for line in step.get("run", "").splitlines():
            for command in re.split(r"\||&&|;", line):
                words = shlex.split(command)
                if words and words[0].rpartition("/")[2] == program:
                    found.append(words[1:])
    return found


def parse(arguments: list[str]) -> None:
    """Parse a command line as `miyabi` does, down to the last command's options, and run nothing."""
    session = Session(Options(), Output(sys.stdout, sys.stderr, environ={}), {}, {})
    command: click.Command = root
    context = root.make_context("miyabi", list(arguments), obj=session)
    while isinstance(command, click.Group):
        # click 8 keeps the name apart until it has found the command
        name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        command, context = found, found.make_context(name, rest, parent=context)


@pytest.mark.parametrize("arguments", commands("miyabi"), ids=" ".join)
def test_every_miyabi_command_exists_with_these_options(arguments: list[str]) -> None:
    parse(arguments)


def test_a_command_or_option_that_does_not_exist_would_be_noticed() -> None:
    with pytest.raises(click.UsageError):
        parse(["--cloud", "aws", "image", "build", "--tagg", "x"])
    with pytest.raises(click.UsageError):
        parse(["--cloud", "aws", "deplpoy"])


def test_it_tests_builds_pushes_and_deploys() -> None:
    called = [" ".join(arguments) for arguments in commands("miyabi")]
    assert "--cloud aws image build --tag $GITHUB_SHA" in called
    assert "--cloud aws deploy $GITHUB_SHA" in called
    assert JOBS["deploy"]["needs"] == "test"
    assert ["check"] in commands("make")
    assert ["test"] in commands("make")


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {*re.findall(r"^([\w.]+):", makefile, re.MULTILINE), ".venv/.ready"}
    for arguments in commands("make"):
        assert set(arguments) <= targets, arguments


def test_every_path_exists() -> None:
    for step in steps():
        where = ROOT / step.get("working-directory", ".")
        assert where.is_dir()
        for copied in re.findall(r"^cp (\S+)", step.get("run", ""), re.MULTILINE):
            assert (where / copied).is_file()


def test_every_action_is_pinned_to_a_commit_and_its_version_said() -> None:
    used = re.findall(r"uses: (.+)", FILE.read_text(encoding="utf-8"))
    assert used
    for use in used:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use), use
    pins = {use.partition("@")[0]: use for use in used}
    assert len(set(used)) == len(pins), "one version of each"


def test_each_job_has_the_permissions_that_it_needs_and_no_others() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert {name: job.get("permissions") for name, job in JOBS.items()} == {
        "test": None,
        "plan": {"contents": "read", "id-token": "write"},
        "comment": {"pull-requests": "write"},
        "deploy": {"contents": "read", "id-token": "write"},
    }


def test_what_writes_to_the_pull_request_runs_none_of_its_code() -> None:
    assert not [step for step in JOBS["comment"]["steps"] if "checkout" in step.get("uses", "")]
    assert "pull_request_target" not in TRIGGERS


def test_no_text_of_a_pull_request_becomes_a_command() -> None:
    for step in steps():
        assert "${{" not in step.get("run", ""), step


def test_no_secret_and_no_key_is_named() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert "secrets." not in text
    assert "aws-access-key" not in text
    roles = re.findall(r"role-to-assume: (.+)", text)
    assert sorted(roles) == ["${{ vars.AWS_DEPLOY_ROLE_ARN }}", "${{ vars.AWS_PLAN_ROLE_ARN }}"]


def test_deployments_come_from_main_one_at_a_time_and_are_never_cut_off() -> None:
    deploy = JOBS["deploy"]
    assert "github.ref == 'refs/heads/main'" in deploy["if"]
    assert deploy["environment"] == "dev"
    assert deploy["concurrency"] == {"group": "deploy-dev", "cancel-in-progress": False}
    assert "pull_request" in WORKFLOW["concurrency"]["cancel-in-progress"]
    assert all(job["timeout-minutes"] <= 60 for job in JOBS.values())


def test_init_writes_the_same_pipeline_for_another_repository() -> None:
    rendered = yaml.safe_load(workflow(Scaffold("shop", region="eu-west-1")))
    theirs = rendered["jobs"]
    assert rendered["env"]["AWS_REGION"] == "eu-west-1"
    assert {key: rendered[key] for key in ("permissions", "concurrency")} == {
        key: WORKFLOW[key] for key in ("permissions", "concurrency")
    }
    text = FILE.read_text(encoding="utf-8").replace(".venv/bin/miyabi", "miyabi")
    installed = text.replace("make .venv/.ready", 'python -m pip install "$MIYABI_PACKAGE"')
    expected = yaml.safe_load(installed)["jobs"]
    assert {name: theirs[name] for name in ("plan", "comment", "deploy")} == {
        name: expected[name] for name in ("plan", "comment", "deploy")
    }
    (build,) = [step["run"] for step in theirs["test"]["steps"] if step.get("run", "").startswith("miyabi")]
    parse(shlex.split(build)[1:])


def test_the_environment_on_github_is_the_one_that_the_role_trusts() -> None:
    variables = (ROOT / "infrastructure/terraform/environments/pipeline/variables.tf").read_text(encoding="utf-8")
    default = re.search(r'variable "environment" {[^}]*default +=\s*"(\w+)"', variables)
    assert default is not None
    assert default[1] == JOBS["deploy"]["environment"]
