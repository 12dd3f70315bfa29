"""`env`: the variables that point a shell at a cloud."""

from __future__ import annotations

import click

from miyabi.cli.commands import shared_options
from miyabi.cli.session import Session
from miyabi.environment.exports import shell_unset


@click.command()
@shared_options
@click.option("--unset", is_flag=True, help="Print what puts the shell back to what it was.")
@click.pass_obj
def env(session: Session, *, unset: bool) -> None:
    """Print the variables that point aws, terraform and every SDK at the cloud: eval "$(miyabi env)"."""
    output = session.output
    output.reserved = not output.json  # a shell evaluates it: the heading goes to standard error below
    undo = shell_unset(session.raw_environ)
    if unset:
        if not undo:
            output.note("nothing to undo: `miyabi env` was not evaluated in this shell")
        output.raw(undo)
        return
    exports = (access := session.access()).exports()
    if output.json:
        path = str(exports.path) if exports.path else None
        output.result({"set": exports.values, "unset": exports.removed, "path": path})
        return
    output.note("   ".join(f"{name} {value}" for name, value in access.target.fields().items()))
    output.raw("\n".join(part for part in (undo, exports.shell(session.environ)) if part))
