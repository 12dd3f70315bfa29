"""`python3 -m miyabi.webapi`."""

from __future__ import annotations

import os
import sys

from miyabi.model.errors import InvalidInput
from miyabi.webapi.application import create_application
from miyabi.webapi.logs import log_as_json
from miyabi.webapi.server import serve
from miyabi.webapi.settings import read_settings


def main() -> int:
    """Serve until SIGTERM; return the exit code."""
    try:
        settings = read_settings(os.environ)
    except InvalidInput as error:
        sys.stderr.write(f"error: {error.message}\nhint: {error.hint}\n")
        return error.exit_code
    log_as_json(sys.stdout)
    return serve(lambda stopping: create_application(settings, stopping=stopping), settings)


if __name__ == "__main__":
    sys.exit(main())
