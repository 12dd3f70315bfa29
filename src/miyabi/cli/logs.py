"""`logs`: without a verb it tails; `retention` shows or, with a number of days, sets."""

from __future__ import annotations

from typing import Any

import click

from miyabi.cli.commands import shared_options
from miyabi.cli.operations import OperationGroup, command, run_operation
from miyabi.cli.session import Session
from miyabi.operations.registry import find

_SET = "set-retention"


class LogsGroup(OperationGroup):
    """The operations on logs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let options alone mean `tail`."""
        if not args or (args[0].startswith("-") and args[0] not in {"--help", "-h"}):
            args = ["tail", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs; the two on retention are one command."""
        return [verb for verb in super().list_commands(ctx) if verb != _SET]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a verb."""
        return _retention() if cmd_name == "retention" else super().get_command(ctx, cmd_name)


def _retention() -> click.Command:
    setting = command(f"logs.{_SET}", "retention")

    @click.pass_obj
    def run(session: Session, /, **values: Any) -> None:
        if values["days"] is not None:
            run_operation(session, find(f"logs.{_SET}"), values)
            return
        if values["dry_run"] or values["shorten"]:
            raise click.UsageError("DAYS is missing: without it the retention is only shown.")
        run_operation(session, find("logs.retention"), {"group": values["group"]})

    own = [one for one in setting.params if one.expose_value]
    for parameter in own:
        if parameter.name == "days":
            parameter.required = False
            parameter.metavar = "[DAYS]"
    text = "Show how long the log group keeps its events; with DAYS, set it.\n\n" + find(f"logs.{_SET}").description
    made = click.Command("retention", callback=run, params=own, help=text, context_settings=setting.context_settings)
    return shared_options(made)


logs = LogsGroup("logs")
