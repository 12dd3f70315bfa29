"""`completion`: the script that completes commands in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from miyabi.cli.commands import root
from miyabi.cli.session import Session


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_obj
def completion(session: Session, shell: str) -> None:
    """Print the completion script for a shell: eval "$(miyabi completion bash)"."""
    found = get_completion_class(shell)
    if found is None:  # pragma: no cover - click has all three
        raise click.UsageError(f"no completion for {shell}")
    session.output.raw(found(root, {}, "miyabi", "_MIYABI_COMPLETE").source())
