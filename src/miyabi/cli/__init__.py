"""The `miyabi` command: turns operations into commands, and their results into lines that a person reads.

Decides nothing and speaks no API itself. Only `environment.py` starts and stops the local cloud.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from miyabi.cli.entry import run  # noqa: PLC0415 - nothing is loaded on import

    sys.exit(run(sys.argv[1:], environ=os.environ))
