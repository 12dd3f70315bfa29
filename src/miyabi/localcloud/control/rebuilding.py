"""The stock services as an instance has them, rebuilt from its journal; and snapshots of them, made and checked.

`python -m miyabi.localcloud.control.rebuilding --home H --before N --parent PID build|check` does either for the state
before a segment.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import logging
import os
import signal
import sys
from pathlib import Path

from miyabi.environment.home import Home, Instance
from miyabi.localcloud.control import snapshot
from miyabi.localcloud.control.cloudwatch import install_cloudwatch
from miyabi.localcloud.control.ec2 import install_ec2
from miyabi.localcloud.control.ecr_images import install_ecr
from miyabi.localcloud.control.fingerprint import fingerprint
from miyabi.localcloud.control.journal import Journal
from miyabi.localcloud.control.stock import StockServices
from miyabi.localcloud.control.stock_objects import Unrestorable
from miyabi.localcloud.data.images import Blobs
from miyabi.model.errors import MiyabiError

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_NICENESS = 15
_DIFFERS, _UNRESTORABLE = 3, 4


def stock_services(home: Home, instance: Instance) -> StockServices:
    """Return moto's services with what Miyabi changes in them."""
    stock = StockServices(instance.account)
    install_ec2()
    install_cloudwatch()
    install_ecr(Blobs(home))
    return stock


def build(state: Path, stock: StockServices, before: int) -> bool:
    """Rebuild the state before a segment and write it. Unrestorable: what cannot be written truly.

    state: the directory of that name in a home. stock: as yet unused.
    """
    journal = Journal(state, stock, reads_only=True)
    journal.replay(before=before)
    rebuilt = journal.state()
    snapshot.write(journal.layout.part(before), rebuilt, fingerprint(rebuilt))
    return True


def check(state: Path, stock: StockServices, before: int) -> bool:
    """Say whether a written state comes back as it was. Parameters as above."""
    journal = Journal(state, stock, reads_only=True)
    header, content = snapshot.read(journal.layout.part(before))
    journal.restore(content)
    return fingerprint(journal.state()) == header.fingerprint


def main() -> int:
    """Build or check a snapshot."""
    parser = argparse.ArgumentParser(prog="miyabi-rebuilding")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--before", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("act", choices=("build", "check"))
    options = parser.parse_args()
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    _die_with(options.parent)
    os.nice(_NICENESS)
    os.umask(0o077)
    gc.disable()
    # moto's own variables (account, policies) are those of the control plane, which starts this.
    home = Home(options.home)
    instance = home.read_instance()
    if instance is None:
        return 1
    act = build if options.act == "build" else check
    try:
        return 0 if act(home.state, stock_services(home, instance), options.before) else _DIFFERS
    except Unrestorable as error:
        log.warning("%s", error)
        return _UNRESTORABLE
    except MiyabiError as error:
        log.error("%s", error.message)  # noqa: TRY400 - the message says it all
        return error.exit_code


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
