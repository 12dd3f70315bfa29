"""Short forms: `miyabi deploy` for `miyabi service deploy`. Each is made when it is called."""

from __future__ import annotations

from typing import Any

import click

from miyabi.cli.operations import command


def _deploy() -> click.Command:
    """Return `deploy`, which with --diff is `service diff`."""
    made, diff = command("service.deploy", "deploy"), command("service.diff", "deploy")
    deploy: Any = made.callback
    compare: Any = diff.callback

    def run(**values: Any) -> None:
        if values.pop("diff"):
            compare(tag=values["tag"])
        else:
            deploy(**values)

    made.callback = run
    made.params.append(click.Option(["--diff"], is_flag=True, help="Say what would change; change nothing."))
    return made


def __getattr__(name: str) -> click.Command:
    match name:
        case "deploy":
            return _deploy()
        case "rollback":
            return command("service.rollback", "rollback")
    raise AttributeError(name)
