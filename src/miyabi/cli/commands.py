"""The commands by name. Each is loaded when it is called, so that `--help` and completion are quick."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeVar

import click

from miyabi import __version__
from miyabi.cli.session import Session
from miyabi.environment.cloud import CLOUDS
from miyabi.environment.config import suggestion

F = TypeVar("F", bound=Callable[..., Any])

_COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("miyabi.cli.environment:up", "Bring the environment up: cloud, infrastructure, image, service."),
    "down": ("miyabi.cli.environment:down", "Stop what runs on this machine; everything is kept."),
    "destroy": ("miyabi.cli.environment:destroy", "Destroy the environment and everything in it."),
    "status": ("miyabi.cli.status:status", "Say how the service stands."),
    "service": (
        "miyabi.cli.operations:service",
        "How the service stands; deploy, roll back, restart, scale, stop and resume it.",
    ),
    "deploy": ("miyabi.cli.short:deploy", "Deploy another image and follow it to its verdict."),
    "rollback": ("miyabi.cli.short:rollback", "Go back to the last version that ran steadily."),
    "tasks": ("miyabi.cli.operations:tasks", "List, show and stop the service's tasks."),
    "logs": ("miyabi.cli.logs:logs", "What the tasks print: tail, search, retention."),
    "metrics": ("miyabi.cli.operations:metrics", "The key metrics against their targets."),
    "alarms": ("miyabi.cli.operations:alarms", "How the alarms stand, what happened, and silence for a while."),
    "scaling": ("miyabi.cli.scaling:scaling", "How autoscaling stands, what it did and why, and its limits."),
    "load": ("miyabi.cli.load:load", "Put load on the service, and see what it does."),
    "health": ("miyabi.cli.operations:health", "Whether the service answers those who use it."),
    "secrets": ("miyabi.cli.operations:secrets", "List and read the environment's secrets."),
    "lock": ("miyabi.cli.operations:lock", "Who holds the environment's lock; take it in an emergency."),
    "audit": ("miyabi.cli.operations:audit", "Who did what; whether the records are as they were written."),
    "env": ("miyabi.cli.env:env", "Print the variables that point aws and terraform at the cloud."),
    "terraform": ("miyabi.cli.terraform:terraform", "Run terraform for the environment."),
    "image": ("miyabi.cli.image:image", "Build the image, or list those in the repository."),
    "init": ("miyabi.cli.init:init", "Write miyabi.toml and the Terraform into a repository."),
    "doctor": ("miyabi.cli.doctor:doctor", "Say what this machine lacks, and what mends it."),
    "version": ("miyabi.cli.version:version", "Print the versions of Miyabi, Python and Terraform."),
    "completion": ("miyabi.cli.completion:completion", "Print the completion script for a shell."),
}


class CommandsByName(click.Group):
    """Loads a command when it is called; listing them loads none."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names, in the order of a first use."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command."""
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command in the arguments; a mistyped one gets a suggestion."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            near = suggestion(args[0], list(_COMMANDS))
            ctx.fail(f"no such command '{args[0]}'." + (f" {near}" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


def _store(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    session = ctx.find_object(Session)
    if session is None or value in {None, False}:
        return
    match parameter.name:
        case "json":
            session.output.json = True
        case "no_color":
            session.output.without_colour()
        case name:
            setattr(session.options, str(name), value)


def shared_options(command: F) -> F:
    """Add the options that stand before a command's name as well as after it."""
    options = [
        click.option("--environment", "-e", metavar="NAME", help="Environment of miyabi.toml."),
        click.option("--cloud", type=click.Choice(CLOUDS), help="The cloud to act on (default: the first)."),
        click.option("--file", "-f", metavar="PATH", help="Another miyabi.toml (MIYABI_FILE)."),
        click.option("--json", is_flag=True, help="Write JSON."),
        click.option("--verbose", "-v", is_flag=True, help="Show tracebacks and details."),
        click.option("--no-color", is_flag=True, help="No colours (NO_COLOR)."),
    ]
    for option in reversed(options):
        command = _hidden_value(option)(command)
    return command


def _hidden_value(option: Callable[[F], F]) -> Callable[[F], F]:
    def add(command: F) -> F:
        added = option(command)
        target: Any = added
        parameters = target.params if isinstance(target, click.Command) else target.__click_params__
        parameters[-1].expose_value = False
        parameters[-1].callback = _store
        return added

    return add


@click.command(
    cls=CommandsByName,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Exit codes: 1 bad verdict, 2 wrong input, 3 denied, 4 not found, 5 conflict, 6 try again, 130 interrupted.",
)
@shared_options
@click.version_option(__version__, message="miyabi %(version)s")
def root() -> None:
    """The runbook that runs: an AWS web service on your own machine, then on AWS, by the same commands."""
