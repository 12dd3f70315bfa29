"""Turns declared operations into commands: options from the parameters, help from the docstrings."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from datetime import timedelta
from typing import Any

import click

from miyabi.cli.commands import shared_options
from miyabi.cli.output import Output
from miyabi.cli.session import Session
from miyabi.cli.watching import Watching, pause_while_read
from miyabi.model.errors import Unavailable
from miyabi.operations.execution.declaration import Effect, Operation
from miyabi.operations.execution.executor import Outcome, Settings, execute
from miyabi.operations.execution.parameters import Parameter
from miyabi.operations.execution.stream import Streamed
from miyabi.operations.registry import NOUNS, find, verbs

_BARE = {"secrets.get"}
"""Operations whose output is a value and nothing else: it goes into a pipe."""

_HELP = {"help_option_names": ["--help", "-h"]}


class OperationGroup(click.Group):
    """The operations on one noun; each is loaded when it is called or listed."""

    def __init__(self, noun: str) -> None:
        super().__init__(noun, help=NOUNS[noun], context_settings=_HELP)
        self._noun = noun

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the verbs."""
        return list(verbs(self._noun))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the command of a verb."""
        return command(f"{self._noun}.{cmd_name}", cmd_name) if cmd_name in verbs(self._noun) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb in the arguments; a mistyped one gets a suggestion."""
        from miyabi.environment.config import suggestion  # noqa: PLC0415

        if args and args[0] not in verbs(self._noun) and not args[0].startswith("-"):
            near = suggestion(args[0], list(verbs(self._noun)))
            ctx.fail(f"no such command '{args[0]}'." + (f" {near}" if near else ""))
        return super().resolve_command(ctx, args)


def command(name: str, shown_as: str) -> click.Command:
    """Return the command of an operation."""
    operation = find(name)

    @click.pass_obj
    def run(session: Session, /, **values: Any) -> None:
        run_operation(session, operation, values)

    options: list[click.Parameter] = [_option(one) for one in operation.parameters()]
    if operation.effect is not Effect.READ:
        options.append(
            click.Option(["--dry-run", "dry_run"], is_flag=True, help="Show the API calls; send none that changes.")
        )
    if operation.effect is Effect.DESTROY:
        options.append(click.Option(["--yes", "typed"], metavar="NAME", help="Confirm with the name of what is lost."))
    text = "\n\n".join(part for part in (operation.summary, operation.description) if part)
    made = shared_options(
        click.Command(
            shown_as, callback=run, params=options, help=text, short_help=operation.summary, context_settings=_HELP
        )
    )
    made.params[len(options) :] = reversed(made.params[len(options) :])  # decorators add from below
    return made


def _option(parameter: Parameter) -> click.Parameter:
    if parameter.argument:
        return click.Argument(
            [parameter.key],
            required=parameter.required,
            nargs=-1 if parameter.multiple else 1,
            default=None,
            metavar=parameter.option,
        )
    names = [parameter.option, parameter.key] + ([f"-{parameter.short}"] if parameter.short else [])
    if parameter.kind is bool:
        return click.Option(names, is_flag=True, default=None, help=_help(parameter))
    return click.Option(
        names,
        required=parameter.required,
        multiple=parameter.multiple,
        default=None,
        type=click.Choice(parameter.choices) if parameter.choices else None,
        metavar=None if parameter.choices else _metavar(parameter),
        help=_help(parameter),
    )


def _metavar(parameter: Parameter) -> str:
    return {int: "N", float: "N", timedelta: "DURATION"}.get(parameter.kind, "TEXT")


def _help(parameter: Parameter) -> str:
    unit = f", {parameter.unit}" if parameter.unit else ""
    default = "" if parameter.default in {None, False, ()} else f" (default: {_default(parameter.default)})"
    return f"{parameter.help.rstrip('.')}{unit}{default}."


def _default(value: object) -> str:
    if not isinstance(value, timedelta):
        return str(value)
    seconds = int(value.total_seconds())
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def run_operation(session: Session, operation: Operation, values: dict[str, Any]) -> None:
    """Carry out an operation with the values of its command's options, and show what came of it."""
    dry_run = bool(values.pop("dry_run", False))
    typed = values.pop("typed", None)
    given = {key: value for key, value in values.items() if value not in {None, ()}}
    session.output.reserved = operation.name in _BARE
    access = session.access()
    settings = Settings(
        cloud=session.cloud(access.target),
        environment=access.environment,
        account=access.target.account,
        audit_directory=access.audit_directory,
        reporter=Watching(session.output),
        sleep=pause_while_read if operation.effect is Effect.READ else time.sleep,
    )
    if operation.destroys is not None and typed is None and not dry_run and not session.output.json:
        typed = _ask(operation, given, settings)
    try:
        outcome = execute(operation, given, settings, dry_run=dry_run, typed=typed)
        show(session.output, outcome)
    except Unavailable as error:
        raise _with_hint(error, access.target.start_hint) from error


def _with_hint(error: Unavailable, start: str) -> Unavailable:
    if "Could not connect" not in error.message:
        return error
    return Unavailable(error.message, hint=start)


def _ask(operation: Operation, given: dict[str, Any], settings: Settings) -> str | None:
    """Let a person type the name of what is lost; None where nobody can."""
    from miyabi.operations.execution.parameters import read_params  # noqa: PLC0415

    destroys = operation.destroys
    if destroys is None or not sys.stdin.isatty():
        return None
    name = destroys(settings.environment, read_params(operation.params, given))
    typed: str = click.prompt(f"{operation.name} destroys '{name}'. Type its name to confirm", err=True)
    return typed


def show(output: Output, outcome: Outcome) -> None:
    """Write an outcome: for a person by its view, else as JSON."""
    if outcome.dry_run:
        _show_dry_run(output, outcome)
        return
    if output.json and isinstance(outcome.result, Streamed):
        try:
            for item in outcome.result.items:
                output.json_line(item)
        except KeyboardInterrupt:
            output.json = False  # it is how a stream ends: no error belongs between its objects
            raise
        return
    if not output.json:
        from miyabi.cli.views import view_of  # noqa: PLC0415

        view = view_of(outcome.operation)
        view(output, outcome.result)
        return
    values = {field.name: getattr(outcome.result, field.name) for field in dataclasses.fields(outcome.result)}
    if outcome.warnings:
        values["warnings"] = outcome.warnings
    output.result(values)


def _show_dry_run(output: Output, outcome: Outcome) -> None:
    for call in outcome.calls:
        output.line(f"{call.service} {output.colour(call.operation, 'bold')}")
        output.line("  " + json.dumps(call.params, indent=2, default=str).replace("\n", "\n  "))
    if not outcome.calls:
        output.line("no call would change anything")
    if outcome.then:
        output.line(f"then it would wait for {outcome.then}")
    output.line(output.colour("dry run: nothing was sent", "dim"))
    calls = [
        # By way of JSON's text: an answer that a call would have had is no plain value.
        {"service": one.service, "operation": one.operation, "params": json.loads(json.dumps(one.params, default=str))}
        for one in outcome.calls
    ]
    output.result({"dry_run": True, "calls": calls, "then": outcome.then, "warnings": outcome.warnings})


service = OperationGroup("service")
tasks = OperationGroup("tasks")
metrics = OperationGroup("metrics")
alarms = OperationGroup("alarms")
health = OperationGroup("health")
secrets = OperationGroup("secrets")
lock = OperationGroup("lock")
audit = OperationGroup("audit")
