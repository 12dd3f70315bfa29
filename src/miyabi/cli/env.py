"""`env`: the variables that point a shell at a cloud."""

from __future__ import annotations

import click

from miyabi.cli.commands import shared_options
from miyabi.cli.session import Session
from miyabi.environment.access import Access
from miyabi.environment.exports import shell_unset, with_values
from miyabi.model.errors import Unavailable


@click.command()
@shared_options
@click.option("--secrets", is_flag=True, help="Add DATABASE_URL, with its password, and REDIS_URL.")
@click.option("--unset", is_flag=True, help="Print what puts the shell back to what it was.")
@click.pass_obj
def env(session: Session, *, secrets: bool, unset: bool) -> None:
    """Print the variables that point aws, terraform and every SDK at the cloud: eval "$(miyabi env)"."""
    output = session.output
    output.reserved = not output.json  # a shell evaluates it: the heading goes to standard error below
    undo = shell_unset(session.raw_environ)
    if unset:
        if not undo:
            output.note("nothing to undo: `miyabi env` was not evaluated in this shell")
        output.raw(undo)
        return
    access = session.access()
    # Asked before anything is printed: half of it must not be evaluated.
    connections = _connections(session, access) if secrets else {}
    exports = with_values(access.exports(), connections)
    if output.json:
        path = str(exports.path) if exports.path else None
        output.result({"set": exports.values, "unset": exports.removed, "path": path})
        return
    output.note("   ".join(f"{name} {value}" for name, value in access.target.fields().items()))
    output.raw("\n".join(part for part in (undo, exports.shell(session.environ)) if part))


def _connections(session: Session, access: Access) -> dict[str, str]:
    from miyabi.operations.secrets import describe_connections  # noqa: PLC0415 - boto3 comes with it

    cloud = session.cloud(access.target)
    try:
        return describe_connections(cloud, access.environment).variables()
    except Unavailable as error:
        raise Unavailable(error.message, hint=access.target.start_hint) from error
