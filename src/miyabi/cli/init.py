"""`init`: make a repository one that Miyabi operates."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from miyabi.cli.commands import shared_options
from miyabi.cli.session import Session
from miyabi.environment.cloud import aws_target
from miyabi.environment.config import FILE_NAME, Environment, load_project
from miyabi.environment.scaffold import (
    TERRAFORM,
    WORKFLOW,
    Scaffold,
    image_toml,
    miyabi_toml,
    terraform_files,
    workflow,
    write_files,
)
from miyabi.model.errors import InvalidInput


@click.command()
@shared_options
@click.option("--name", help="First part of every name (default: the directory's name).")
@click.option("--port", type=click.IntRange(1, 65535), default=8080, help="Port that the service listens on.")
@click.option("--health-path", default="/health", help="Path that answers 200 while a task can serve.")
@click.option("--region", default="us-west-2", help="AWS region.")
@click.option("--account", default="112530848482", help="AWS account, twelve digits.")
@click.option("--from-aws", is_flag=True, help="Describe a service that exists on AWS instead of making one.")
@click.option("--cluster", help="With --from-aws: the ECS cluster.")
@click.option("--service", help="With --from-aws: the ECS service.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@click.pass_obj
def init(
    session: Session,
    *,
    name: str | None,
    port: int,
    health_path: str,
    region: str,
    account: str,
    from_aws: bool,
    cluster: str | None,
    service: str | None,
    force: bool,
) -> None:
    """Write miyabi.toml, an image manifest, the Terraform and a workflow for GitHub into the current directory.

    With --from-aws only miyabi.toml is written, with the names of a service found by AWS's API.
    """
    directory = Path.cwd()
    project = name or _project_name(directory)
    scaffold = Scaffold(project, account, region, port=port, health_path=health_path)
    if (cluster or service) and not from_aws:
        raise click.UsageError("--cluster and --service belong to --from-aws.")
    if from_aws:
        scaffold = _described(session, _checked(scaffold), scaffold, cluster, service)
        contents = {FILE_NAME: miyabi_toml(scaffold).encode()}
    else:
        contents = {
            FILE_NAME: miyabi_toml(scaffold).encode(),
            "image.toml": image_toml(scaffold).encode(),
            WORKFLOW: workflow(scaffold),
            **terraform_files(),
        }
    environment = _checked(scaffold)
    target = aws_target(environment)
    session.output.head({**target.fields(), "cloud": target.name if from_aws else session.cloud_name()})
    write_files(directory, contents, force=force)
    _tell(session, list(contents), from_aws=from_aws)


def _project_name(directory: Path) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", directory.name.lower()).strip("-")
    return re.sub(r"^[^a-z]+", "", words)[:24].strip("-") or "app"


def _checked(scaffold: Scaffold) -> Environment:
    """Read what would be written, so that nothing is written that cannot be read."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / FILE_NAME
        path.write_text(miyabi_toml(scaffold), encoding="utf-8")
        try:
            return load_project(path).environment()
        except InvalidInput as error:
            key, _, reason = error.message.removeprefix(f"{path}: ").partition(": ")
            option = {"project": "--name"}.get(key, f"--{key.rpartition('.')[2].replace('_', '-')}")
            raise InvalidInput(f"{option}: {reason}", hint="`miyabi init --help` shows what it takes.") from error


def _described(
    session: Session, environment: Environment, scaffold: Scaffold, cluster: str | None, service: str | None
) -> Scaffold:
    from miyabi.operations.existing import describe_existing  # noqa: PLC0415

    found = describe_existing(session.cloud(aws_target(environment)), cluster, service)
    return replace(
        scaffold,
        account=found.account,
        region=found.region,
        image=None,
        health_path=found.health_path or scaffold.health_path,
        port=found.container_port or scaffold.port,
        names={
            "cluster": found.cluster,
            "service": found.service,
            "container": found.container,
            "task_family": found.task_family,
            "log_group": found.log_group,
            "load_balancer": found.load_balancer,
            "target_group": found.target_group,
            "repository": found.repository,
        },
    )


def _tell(session: Session, written: list[str], *, from_aws: bool) -> None:
    output = session.output
    top = [name for name in written if not name.startswith(f"{TERRAFORM}/")]
    for name in top:
        output.line(f"  wrote {name}")
    if len(written) > len(top):
        output.line(f"  wrote {len(written) - len(top)} files below {TERRAFORM}")
    output.line()
    if from_aws:
        output.commands({"miyabi --cloud aws status": "how the service stands"})
    else:
        output.commands(
            {
                "image.toml": "say there what your service is made of, then:",
                "miyabi up": "bring it up on this machine",
            }
        )
    output.result({"written": written})
