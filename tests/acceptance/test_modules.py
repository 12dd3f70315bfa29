"""The modules' own tests, with the provider mocked: `terraform test` where a module has logic."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.acceptance.cloud import ROOT, Ran, Rehearsal

MODULES = sorted(path.parent.name for path in (ROOT / "infrastructure/terraform/modules").glob("*/tests"))


@pytest.mark.parametrize("module", MODULES)
def test_a_modules_tests_pass(first: tuple[Rehearsal, Ran], module: str, tmp_path: Path) -> None:
    cloud, _ = first
    where = cloud.directory / "infrastructure" / "terraform" / "modules" / module
    alone = f"env -u TF_WORKSPACE -u TF_CLI_ARGS_init TF_DATA_DIR={shlex.quote(str(tmp_path))}"
    init = cloud.shell(f"{alone} terraform init -backend=false -input=false -no-color", cwd=where)
    assert init.code == 0, init.out + init.err
    ran = cloud.shell(f"{alone} terraform test -no-color", cwd=where)
    assert ran.code == 0, ran.out + ran.err
    assert " 0 failed" in ran.out
