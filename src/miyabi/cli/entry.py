"""From arguments to an exit code: the one place where errors become lines and codes."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path

import click

from miyabi.cli.commands import root
from miyabi.cli.output import Output
from miyabi.cli.session import Options, Session
from miyabi.environment.exports import original
from miyabi.model.errors import Internal, MiyabiError

INTERRUPTED = 130
_GO_ON = "What was done is kept; run the command again to go on."


def called_as(argv0: str, environ: Mapping[str, str]) -> str:
    """Return how a user calls this program again: by name where the PATH has it, else as it was called now."""
    path = Path(argv0)
    if path.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m miyabi.cli"
    found = shutil.which("miyabi", path=environ.get("PATH", os.defpath))
    if path.name != "miyabi" or (found is not None and path.exists() and Path(found).samefile(path)):
        return "miyabi"
    return shlex.quote(argv0)


def run(arguments: Sequence[str], *, environ: MutableMapping[str, str], program: str = "miyabi") -> int:
    """Run one command line and return its exit code. Puts `environ` back to what it was before `miyabi env`.

    program: how the user called it, for the commands that messages name.
    """
    raw = dict(environ)
    before = original(raw)
    if before != raw:
        # Commands say themselves which cloud they mean; what this shell was pointed at must not decide it.
        environ.clear()
        environ.update(before)
    output = Output(sys.stdout, sys.stderr, environ=before, program=program)
    session = Session(Options(), output, before, raw)
    try:
        result = root.main(list(arguments), prog_name="miyabi", obj=session, standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except BaseException as error:  # noqa: BLE001 - this is where everything ends
        code = _ended(error, session)
    try:
        output.finish()
    except BrokenPipeError as error:
        _ended(error, session)
    return code


def _ended(error: BaseException, session: Session) -> int:  # noqa: PLR0911 - one for each way to end
    output = session.output
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case SystemExit():
            return error.code if isinstance(error.code, int) else 1
        case KeyboardInterrupt() | click.Abort():
            cause = error.__cause__ or error  # click wraps what interrupted it
            output.error(getattr(cause, "message", "interrupted"), getattr(cause, "hint", _GO_ON), kind="Interrupted")
            return INTERRUPTED
        case click.ClickException():
            name = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "miyabi"
            output.error(error.format_message(), f"`{name} --help` shows what it takes.", kind="InvalidInput")
            return 2
        case MiyabiError():
            if session.options.verbose:
                output.note(_trace(error))
            output.report(error)
            return error.exit_code
        case BrokenPipeError():
            # The reader has gone, as with `| head`: not an error, but stdout must not be flushed again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return 0
        case _:
            if session.options.verbose:
                output.note(_trace(error))
            hint = "This is a bug in Miyabi: please report it with what `--verbose` adds."
            output.report(Internal(f"{type(error).__name__}: {' '.join(str(error).split())}", hint=hint))
            return Internal.exit_code


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)).rstrip()
