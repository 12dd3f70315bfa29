"""Puts together the Terraform of an environment: program, providers, variables and places."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from miyabi.environment.cloud import Target
from miyabi.environment.config import Environment
from miyabi.environment.exports import ARGUMENTS, Exports, aws_exports, with_values
from miyabi.environment.home import Home, make_private, write_private
from miyabi.environment.lease import checkout_name, state_directory
from miyabi.environment.terraform.configuration import Configuration, read_configuration
from miyabi.environment.terraform.mirrors import find_mirrors, plan_installation
from miyabi.environment.terraform.program import Program, find_program
from miyabi.environment.terraform.runs import Places, Terraform
from miyabi.environment.terraform.variables import variable_environment
from miyabi.model.errors import InvalidInput

_INIT = "TF_CLI_ARGS_init"


def profile_of(environment: Environment) -> str:
    """Return the name of the AWS profile that stands for an environment: `miyabi-dev`."""
    return f"{environment.project}-{environment.name}"


def local_exports(environment: Environment, target: Target, home: Home, *, environ: Mapping[str, str]) -> Exports:
    """Return everything that points `aws` and `terraform` at the local cloud. Writes nothing."""
    configuration = _configuration(environment)
    places = local_places(home, environment, target)
    return with_values(
        aws_exports(target, home, profile=profile_of(environment), environ=environ),
        {
            "TF_WORKSPACE": target.workspace,
            "TF_DATA_DIR": str(places.data),
            "TF_CLI_CONFIG_FILE": str(home.terraform / "terraformrc"),
            # So that a plain `terraform init` finds the same state.
            _INIT: shlex.join(
                [
                    f"-backend-config=path={places.files / 'terraform.tfstate'}",
                    f"-backend-config=workspace_dir={places.files / 'state'}",
                ]
            ),
            **_variables(environment, configuration),
        },
    )


def local_terraform(environment: Environment, target: Target, home: Home, *, environ: Mapping[str, str]) -> Terraform:
    """Return the Terraform of the local cloud: all that it writes is in the home, but for the lock file."""
    configuration = _configuration(environment)
    if configuration.backend != "local":
        raise InvalidInput(
            f'{environment.terraform} declares no `backend "local" {{}}`, which keeps states apart',
            hint='Add a file backend.tf with: terraform { backend "local" {} }',
        )
    program = find_program(environ)
    write_cli_configuration(configuration, program, home.terraform, environ=environ)
    env = local_exports(environment, target, home, environ=environ).applied_to(environ)
    return Terraform(program, configuration, env, local_places(home, environment, target))


def local_places(home: Home, environment: Environment, target: Target) -> Places:
    """Return where the local cloud's Terraform keeps its files."""
    files = home.terraform / environment.name
    return Places(
        files=files,
        data=files / "data",
        state=files / "state" / target.workspace / "terraform.tfstate",
    )


def aws_terraform(environment: Environment, *, environ: Mapping[str, str]) -> Terraform:
    """Return the Terraform for AWS: as `terraform` in the environment's directory would run by itself.

    Its data directory, backend and workspace are Terraform's own, so that both see the same state. The mirrors
    found are used where the user has no CLI configuration.
    """
    configuration = _configuration(environment)
    program = find_program(environ)
    directory = state_directory(environ) / "aws" / checkout_name(environment.file)
    files = directory / environment.name
    # The arguments of init stay: they say where the user's own state is (-backend-config).
    env = {name: environ[name] for name in environ if name == _INIT or not name.startswith(ARGUMENTS)}
    own = env.get("TF_CLI_CONFIG_FILE")
    if own and not Path(own).is_file():
        del env["TF_CLI_CONFIG_FILE"]
        own = None
    if not own and not (Path(env.get("HOME") or Path.home()) / ".terraformrc").is_file():
        make_private(state_directory(environ))
        files.mkdir(mode=0o700, parents=True, exist_ok=True)
        env["TF_CLI_CONFIG_FILE"] = str(write_cli_configuration(configuration, program, files, environ=environ))
    if environment.profile:
        env["AWS_PROFILE"] = environment.profile
    env.setdefault("AWS_REGION", environment.region)
    env.update(_variables(environment, configuration))
    data = Path(env.get("TF_DATA_DIR") or environment.terraform / ".terraform")
    return Terraform(program, configuration, env, Places(files, data, state=None))


def write_cli_configuration(
    configuration: Configuration, program: Program, directory: Path, *, environ: Mapping[str, str]
) -> Path:
    """Write the Terraform CLI configuration with the provider mirrors of this machine; return its path."""
    mirrors = find_mirrors(environ, directory=configuration.directory)
    view = directory / "tofu-mirror"
    path = directory / "terraformrc"
    content = plan_installation(configuration.constraints, mirrors, program, view=view).encode()
    if not path.is_file() or path.read_bytes() != content:
        write_private(path, content)
    return path


def _configuration(environment: Environment) -> Configuration:
    configuration = read_configuration(environment.terraform)
    source = f"{environment.file}: environments.{environment.name}.variables"
    configuration.check_variables(environment.variables, source=source)
    return configuration


def _variables(environment: Environment, configuration: Configuration) -> dict[str, str]:
    given = environment.terraform_variables()
    return variable_environment({name: given[name] for name in given if name in configuration.variables})


def aws_exports_of(environment: Environment) -> Exports:
    """Return the variables of a shell on AWS: region, profile, Terraform variables."""
    values = {"AWS_REGION": environment.region, "AWS_DEFAULT_REGION": environment.region}
    if environment.profile:
        values["AWS_PROFILE"] = environment.profile
    return Exports({**values, **_variables(environment, _configuration(environment))}, ())
