"""`python -m miyabi.localcloud.supervisor --home H`: serve one home until told to stop."""

from __future__ import annotations

import argparse
import json
import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from miyabi.environment.control_groups import LIMITER_VARIABLE
from miyabi.localcloud.processes import ProcessSpec
from miyabi.localcloud.supervisor import presence, wire
from miyabi.localcloud.supervisor.guardian import guarded
from miyabi.localcloud.supervisor.identity import sweep
from miyabi.localcloud.supervisor.limits import Limits, sweep_groups
from miyabi.localcloud.supervisor.server import Server
from miyabi.localcloud.supervisor.spawning import Spawner

log = logging.getLogger("supervisor")

FAILED, CONFLICT = 1, 5


def main(arguments: Sequence[str]) -> int:
    """Serve a home; with `--guarded`, below a guardian that ends what is left when the supervisor is killed."""
    options = _options(arguments)
    if not options.guarded:
        return supervise(options)
    return guarded(lambda: supervise(options), lambda: sweep_groups(os.path.realpath(options.home)))


def supervise(options: argparse.Namespace) -> int:
    """Claim the home, end what an earlier supervisor left behind, and serve."""
    home = os.path.realpath(options.home)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    # Everything is relative to the home from here: a socket's path may have 107 bytes only.
    os.chdir(home)
    run = Path("run")
    try:
        lock = presence.claim(run)
    except presence.AlreadyRunning:
        log.error("another supervisor serves %s", home)  # noqa: TRY400 - no traceback for a refusal
        return CONFLICT
    spawner = Spawner(home)
    spawner.prepare_self()
    presence.announce(run)
    if swept := sweep(home):
        log.warning("killed %d processes that an earlier supervisor left behind", swept)
    limits = Limits(home, asked=os.environ.get(LIMITER_VARIABLE))
    sweep_groups(home)
    presence.say_limiter(run, limits.choice.text)
    log.info("limits of tasks: %s", limits.choice.text)
    address = str(run / wire.SOCKET)
    with _listen(address) as listener:
        server = Server(home, spawner, limits, listener, task_seconds=options.stop_timeout)
        log.info("serving %s (pid %d)", home, os.getpid())
        try:
            server.run(_control(home, options.control_command))
        except wire.Refusal as refusal:
            log.error("the control plane cannot be started: %s", refusal.message)  # noqa: TRY400 - as above
            return FAILED
        finally:
            sweep(home)
            sweep_groups(home)
            Path(address).unlink(missing_ok=True)
            presence.withdraw(run)
        log.info("stopped")
        server.farewell()
    os.close(lock)
    return 0


def _listen(address: str) -> socket.socket:
    Path(address).unlink(missing_ok=True)  # the lock is ours, so nobody listens there
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    Path(address).chmod(0o600)
    listener.listen(64)
    return listener


def _control(home: str, command: str | None) -> ProcessSpec:
    # -P: the home, which is the working directory, is not a place to import from.
    own = [sys.executable, "-P", "-m", "miyabi.localcloud.control", "--home", home]
    argv = own if command is None else json.loads(command)
    output = str(Path(home, "log", "control.log"))
    # The order of sets must be the same when a journal is replayed.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    return ProcessSpec(wire.CONTROL, tuple(argv), environment, cwd=home, output=output, restart=True)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m miyabi.localcloud.supervisor")
    parser.add_argument("--home", required=True, help="the home of the local cloud")
    parser.add_argument("--stop-timeout", type=float, default=10.0, help="seconds that tasks may take to end")
    parser.add_argument("--guarded", action="store_true", help="run below a guardian")
    # Another program in the control plane's place, as JSON: for tests of the supervisor itself.
    parser.add_argument("--control-command", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
