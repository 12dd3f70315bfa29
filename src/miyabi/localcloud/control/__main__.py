"""`python -m miyabi.localcloud.control --home H`: the control plane's process. The supervisor starts it."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from pathlib import Path

from miyabi.environment.home import Home
from miyabi.model.errors import MiyabiError, NotFound


def main() -> int:
    """Serve one home until told to stop."""
    parser = argparse.ArgumentParser(prog="miyabi-control")
    parser.add_argument("--home", type=Path, required=True)
    home = Home(parser.parse_args().home)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    os.umask(0o077)
    try:
        instance = home.upgrade()
        if instance is None:
            raise NotFound(f"no local cloud was made in {home.root}", hint="miyabi up makes one")
        gc.disable()  # until `serve` has loaded and replayed everything: a quarter of the start
        # moto reads these when it is imported, which is why the import is below.
        os.environ["MOTO_ACCOUNT_ID"] = instance.account
        os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
        os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
        from miyabi.localcloud.control.server import serve  # noqa: PLC0415

        serve(home, instance)
    except MiyabiError as error:
        logging.getLogger(__name__).critical("%s%s", error.message, f" ({error.hint})" if error.hint else "")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
