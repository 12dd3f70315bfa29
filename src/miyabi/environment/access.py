"""An environment in one cloud: how to speak to it, and the Terraform that makes it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from miyabi.environment.cloud import LOCAL, Target, aws_target, local_target
from miyabi.environment.config import Environment
from miyabi.environment.home import Home
from miyabi.environment.lease import home_of, open_instance
from miyabi.model.errors import NotFound

if TYPE_CHECKING:
    from miyabi.environment.exports import Exports
    from miyabi.environment.losses import Conditions
    from miyabi.environment.terraform.runs import Terraform


@dataclass(frozen=True, slots=True)
class Access:
    """An environment as a command reaches it."""

    environment: Environment
    target: Target
    home: Home | None
    """Where the local cloud keeps everything; None for AWS."""
    environ: Mapping[str, str]

    @property
    def audit_directory(self) -> Path:
        """Where records of the audit wait until this cloud takes them."""
        home = self.home or home_of(self.environment.file, self.environ)
        return home.audit / f"{self.target.name}-{self.environment.project}-{self.environment.name}"

    def conditions(self) -> Conditions:
        """Return under what the cloud runs, and what of AWS is lost there."""
        from miyabi.environment.losses import Conditions, conditions_of  # noqa: PLC0415 - most commands need it not

        return Conditions() if self.home is None else conditions_of(self.home)

    def terraform(self) -> Terraform:
        """Return the Terraform of this environment and cloud."""
        from miyabi.environment.exports import write_aws_files  # noqa: PLC0415 - most commands need none of it
        from miyabi.environment.terraform.setup import aws_terraform, local_terraform, profile_of  # noqa: PLC0415

        if self.home is None:
            return aws_terraform(self.environment, environ=self.environ)
        write_aws_files(self.target, self.home, profile=profile_of(self.environment))
        write_aws_files(self.target, self.home, profile=profile_of(self.environment))
        return local_terraform(self.environment, self.target, self.home, environ=self.environ)

    def exports(self) -> Exports:
        """Return the variables for a shell, writing the files that they name."""
        from miyabi.environment.awscli import find_aws, put_in_front  # noqa: PLC0415
        from miyabi.environment.exports import with_values, write_aws_files  # noqa: PLC0415
        from miyabi.environment.terraform.configuration import read_configuration  # noqa: PLC0415
        from miyabi.environment.terraform.program import find_program  # noqa: PLC0415
        from miyabi.environment.terraform.setup import (  # noqa: PLC0415
            aws_exports_of,
            local_exports,
            profile_of,
            write_cli_configuration,
        )

        if self.home is None:
            return aws_exports_of(self.environment)
        write_aws_files(self.target, self.home, profile=profile_of(self.environment))
        configuration = read_configuration(self.environment.terraform)
        write_cli_configuration(configuration, find_program(self.environ), self.home.terraform, environ=self.environ)
        exports = local_exports(self.environment, self.target, self.home, environ=self.environ)
        cli = find_aws(self.environ, memory=self.home.aws / "cli.json", behind=self.home.bin)
        if cli is None or cli.complete:
            return exports
        put_in_front(self.home, cli)
        return with_values(exports, {}, path=self.home.bin)


def open_access(
    environment: Environment,
    cloud: str,
    *,
    environ: Mapping[str, str],
    claims: contextlib.ExitStack | None = None,
) -> Access:
    """Return the access to an environment.

    claims: where they are given, a local cloud's home is made if there is none; see `open_instance`.
    """
    if cloud != LOCAL:
        return Access(environment, aws_target(environment), None, environ)
    home = home_of(environment.file, environ)
    if claims is not None:
        instance = open_instance(
            home, account=environment.account, region=environment.region, environ=environ, claims=claims
        )
    else:
        found = home.read_instance()
        if found is None:
            raise NotFound(
                f"there is no local cloud for {environment.file} yet",
                hint="`miyabi up` makes one; `--cloud aws` speaks to AWS.",
            )
        instance = found
    _close_states(home)
    return Access(environment, local_target(environment, instance), home, environ)


def _close_states(home: Home) -> None:
    """Take others' rights from state files: a plain terraform writes them with the shell's umask."""
    for path in home.terraform.glob("*/state/*/*"):
        with contextlib.suppress(OSError):
            path.chmod(0o600)
