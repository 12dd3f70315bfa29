"""Starting the supervisor in the background, and waiting for it and for the control plane."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from miyabi.environment.control_groups import scope_prefix
from miyabi.environment.home import Home, Instance
from miyabi.environment.readiness import Port, Readiness, look_at_port, probe
from miyabi.localcloud.processes import ProcessState
from miyabi.localcloud.running import inspect
from miyabi.localcloud.supervisor import wire
from miyabi.localcloud.supervisor.identity import lineage
from miyabi.localcloud.supervisor_client import BlockingSupervisorClient
from miyabi.model.errors import Conflict, Failed, InvalidInput, MiyabiError, Unavailable

_LOOK_SECONDS = 0.05
_HOPELESS_RESTARTS = 3
_LAST_LINES = 12
# A background program must not depend on the shell that happened to start it.
_KEPT_VARIABLES = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR"),
        *("PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    }
)
_KEPT_PREFIXES = ("LC_", "XDG_", "MIYABI_")


def spawn_supervisor(home: Home, control_command: Sequence[str] | None) -> subprocess.Popen[bytes]:
    """Start the supervisor's guardian, which starts the supervisor."""
    # -P: the home, which is the working directory, is not a place to import from.
    environment = _environment()
    command = [*scope_prefix(os.environ), sys.executable, "-P", "-m", "miyabi.localcloud.supervisor", "--guarded"]
    command += ["--home", str(home.root.resolve())]
    if control_command is not None:
        command += ["--control-command", json.dumps(list(control_command))]
    descriptor = os.open(_supervisor_log(home), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            command,
            cwd=home.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            umask=0o077,
        )
    finally:
        os.close(descriptor)


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if (name in _KEPT_VARIABLES or name.startswith(_KEPT_PREFIXES)) and not name.startswith("MIYABI_INSTANCE_")
    }
    return {**kept, "PYTHONUNBUFFERED": "1"}


def await_supervisor(home: Home, begun: subprocess.Popen[bytes], until: float) -> int:
    """Wait until the supervisor whose guardian this is answers; return its pid."""
    client = BlockingSupervisorClient(home.run)
    while True:
        with contextlib.suppress(Unavailable):
            pid = client.pid()
            if begun.pid in lineage(pid):
                return pid
        code = begun.poll()
        if code is not None:
            raise Failed(
                f"the supervisor of {home.root} ended at once with exit code {code}",
                hint=_log_hint(_supervisor_log(home)),
            )
        if time.monotonic() > until:
            raise Unavailable(
                f"the supervisor of {home.root} (pid {begun.pid}) does not answer in time",
                hint=_log_hint(_supervisor_log(home)),
            )
        time.sleep(_LOOK_SECONDS)


def await_control(home: Home, instance: Instance, until: float) -> None:
    first: int | None = None
    while True:
        readiness = probe(instance, timeout_seconds=max(0.1, min(1.0, until - time.monotonic())))
        if readiness is Readiness.READY:
            return
        if readiness is Readiness.FOREIGN:
            raise port_taken(instance)
        running = inspect(home)
        if running is None:
            raise Failed(
                f"the supervisor of {home.root} ended while the control plane was starting",
                hint=_log_hint(_supervisor_log(home)),
            )
        control = running.process(wire.CONTROL)
        if control is not None:
            first = control.restarts if first is None else first
            if not control.running and control.restarts - first >= _HOPELESS_RESTARTS:
                raise _hopeless(home, instance, control)
        if time.monotonic() > until:
            raise Unavailable(
                f"the control plane of {home.root} is not ready in time", hint=_log_hint(_control_log(home))
            )
        time.sleep(_LOOK_SECONDS)


def _hopeless(home: Home, instance: Instance, control: ProcessState) -> MiyabiError:
    if look_at_port(instance.api_port) is Port.TAKEN:
        return port_taken(instance)
    return Failed(
        f"the control plane of {home.root} keeps ending (exit code {control.exit_code}, {control.restarts} restarts)",
        hint=_log_hint(_control_log(home)),
    )


def check_port(instance: Instance) -> None:
    """Refuse a port on which the API could never listen. Conflict: taken. InvalidInput: not for this user."""
    match look_at_port(instance.api_port):
        case Port.TAKEN:
            raise port_taken(instance)
        case Port.REFUSED:
            raise InvalidInput(
                f"port {instance.api_port} of 127.0.0.1, the API of this local cloud, may not be used by this user",
                hint=f"sysctl net.ipv4.ip_unprivileged_port_start={instance.api_port} allows it; or remove this local "
                "cloud (miyabi destroy) and make it anew with MIYABI_API_PORT=<port>.",
            )
        case Port.FREE:
            pass


def port_taken(instance: Instance) -> Conflict:
    port = instance.api_port
    return Conflict(
        f"port {port} of 127.0.0.1, the API of this local cloud, is taken by another program",
        hint=f"See whose it is: ss -ltnp 'sport = :{port}'. End that program; or, as a local cloud keeps its "
        "port for life, remove this one (miyabi destroy) and make it anew with MIYABI_API_PORT=<port>.",
    )


def _control_log(home: Home) -> Path:
    return home.log / "control.log"


def _supervisor_log(home: Home) -> Path:
    return home.log / "supervisor.log"


def _log_hint(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8192))
            lines = file.read().decode("utf-8", "replace").splitlines()[-_LAST_LINES:]
    except OSError:
        lines = []
    return "\n".join([f"The last lines of {path}:", *(f"  {line}" for line in lines or ["(empty)"])])
