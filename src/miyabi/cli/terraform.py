"""`terraform`: the program itself, in the right directory with the right variables."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import click

from miyabi.cli.session import Session
from miyabi.environment.terraform.program import Program, find_program

_WITHOUT_CLOUD = {"version", "fmt", "-version", "--version", "-help", "--help", "-h"}


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def terraform(session: Session, arguments: tuple[str, ...]) -> None:
    """Run terraform for the environment: miyabi terraform plan.

    Everything after the word is terraform's own, and so is the exit code. --cloud and the like stand before it.
    """
    session.output.reserved = True  # standard output is terraform's
    if not arguments or arguments[0] in _WITHOUT_CLOUD:
        _become(find_program(session.environ), arguments, session.environment().terraform, session.environ)
    access = session.access()
    found = access.terraform()
    session.output.note("   ".join(f"{name} {value}" for name, value in access.target.fields().items()))
    if arguments[0] != "init" and found.needs_init():
        found.init()
    os.umask(0o077)  # state and plans may hold secrets
    _become(found.program, arguments, found.configuration.directory, found.env)


def _become(program: Program, arguments: Sequence[str], directory: Path, environ: Mapping[str, str]) -> NoReturn:
    """Let Terraform take this process's place: signals, terminal and exit code are its own."""
    sys.stdout.flush()
    os.chdir(directory)
    env = dict(environ)
    if not Path(env.get("TF_CLI_CONFIG_FILE", "/")).exists():
        del env["TF_CLI_CONFIG_FILE"]  # it would only be warned about
    os.execvpe(program.argv[0], [*program.argv, *arguments], env)  # noqa: S606
