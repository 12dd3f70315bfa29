"""`aws logs tail` for the AWS CLI's version 1, which has none: its arguments, answered by `miyabi logs tail`.

The `aws` that `miyabi env` puts in front of the installed one comes here.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence


def translated(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of miyabi for those of `aws logs tail`, version 2; wrong ones end the program (exit 2)."""
    parser = argparse.ArgumentParser(
        prog="aws logs tail",
        description="Tail a log group, by `miyabi logs tail`: the installed AWS CLI is version 1 and cannot.",
        allow_abbrev=False,
    )
    parser.add_argument("group_name", help="name of the log group")
    parser.add_argument("--follow", action="store_true", help="go on with what comes")
    parser.add_argument("--since", default="10m", help="a duration such as 30m, or a time in ISO 8601")
    parser.add_argument("--filter-pattern", help="only what a filter pattern matches")
    parser.add_argument("--region", help="must be the environment's")
    parser.add_argument("--profile", help="ignored: the environment says which keys are used")
    given = parser.parse_args(arguments)
    own = ["logs", "tail", "--group", given.group_name, "--since", given.since]
    own += ["--follow"] if given.follow else []
    return own + (["--filter", given.filter_pattern] if given.filter_pattern else [])


if __name__ == "__main__":
    from miyabi.cli.entry import run

    sys.exit(run(translated(sys.argv[1:]), environ=os.environ, program="miyabi"))
