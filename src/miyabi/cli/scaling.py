"""`scaling`: `limits` shows or, with --min or --max, sets."""

from __future__ import annotations

from typing import Any

import click

from miyabi.cli.commands import shared_options
from miyabi.cli.operations import OperationGroup, command, run_operation
from miyabi.cli.session import Session
from miyabi.operations.registry import find

_SET = "set-limits"


class ScalingGroup(OperationGroup):
    """The operations on autoscaling."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs; the two on limits are one command."""
        return [verb for verb in super().list_commands(ctx) if verb != _SET]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a verb."""
        return _limits() if cmd_name == "limits" else super().get_command(ctx, cmd_name)


def _limits() -> click.Command:
    setting = command(f"scaling.{_SET}", "limits")

    @click.pass_obj
    def run(session: Session, /, **values: Any) -> None:
        if values["min"] is not None or values["max"] is not None:
            run_operation(session, find(f"scaling.{_SET}"), values)
            return
        if values["dry_run"]:
            raise click.UsageError("--min or --max is missing: without them the limits are only shown.")
        run_operation(session, find("scaling.limits"), {})

    own = [one for one in setting.params if one.expose_value]
    text = "Show between which counts the service is scaled; with --min or --max, change it.\n\n"
    text += find(f"scaling.{_SET}").description
    made = click.Command("limits", callback=run, params=own, help=text, context_settings=setting.context_settings)
    return shared_options(made)


scaling = ScalingGroup("scaling")
