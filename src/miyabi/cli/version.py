"""`version`: what is in use."""

from __future__ import annotations

import platform

import click

from miyabi import __version__
from miyabi.cli.commands import shared_options
from miyabi.cli.session import Session
from miyabi.environment.checks import terraform_version
from miyabi.environment.terraform.program import find_program
from miyabi.model.errors import MiyabiError


@click.command()
@shared_options
@click.pass_obj
def version(session: Session) -> None:
    """Print the versions of Miyabi, Python and Terraform."""
    try:
        program = find_program(session.environ)
        terraform = f"{terraform_version(program, session.environ) or 'does not answer'} ({program.name})"
    except MiyabiError as error:
        terraform = error.message
    output = session.output
    output.line(f"miyabi     {__version__}")
    output.line(f"python     {platform.python_version()}")
    output.line(f"terraform  {terraform}")
    output.result({"miyabi": __version__, "python": platform.python_version(), "terraform": terraform})
