"""`doctor`: what this machine lacks."""

from __future__ import annotations

import click

from miyabi.cli.commands import shared_options
from miyabi.cli.session import Session
from miyabi.environment.checks import check_machine
from miyabi.model.errors import Failed, NotFound


@click.command()
@shared_options
@click.pass_obj
def doctor(session: Session) -> None:
    """Say what this machine lacks, and the command that mends it. Fails where something needed is missing."""
    output = session.output
    try:
        environment = session.environment()
    except NotFound as error:
        environment = None
        output.line(f"  ({error.message}: what depends on it is left out)")
    if environment is not None:
        session.head(environment)
    checks = check_machine(environment, session.environ)
    for check in checks:
        mark, colour = (" ok", "green") if check.ok else ("MISSING", "red") if check.needed else (" --", "yellow")
        output.line(f"{output.colour(f'{mark:<8}', colour)} {check.name:<22} {check.found}")
        if not check.ok and check.mend:
            output.line(f"{'':<9}{'':<22} → {check.mend}")
    output.result({"checks": checks})
    lacking = [check.name for check in checks if check.needed and not check.ok]
    if lacking:
        raise Failed(f"missing: {', '.join(lacking)}", hint="The lines above say what mends it.")
