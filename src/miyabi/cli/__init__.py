"""The `miyabi` command: turns operations into commands, and their results into lines that a person reads.

Decides nothing and speaks no API itself. Only `environment.py` starts and stops the local cloud.
"""

from __future__ import annotations

import gc
import os
import signal
import sys

_OBJECTS_BETWEEN_COLLECTIONS = 100_000
"""Loading makes hardly any garbage, but with Python's 700 looking for it takes a tenth of a short command's time."""


def main() -> None:
    """Run the command line and exit with its code."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    # As Ctrl-C: what was begun, terraform above all, is told to end and its state is said.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # So is a terminal that is closed, but under nohup.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        from miyabi.cli.entry import called_as, run  # noqa: PLC0415 - nothing is loaded on import

        code = run(sys.argv[1:], environ=os.environ, program=called_as(sys.argv[0], os.environ))
    except KeyboardInterrupt:  # so early that nothing had begun
        sys.stderr.write("error: interrupted\nhint: Nothing was begun; run the command again.\n")
        code = 130
    sys.exit(code)
