"""A supervisor on a home of its own, for the tests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from miyabi.environment.control_groups import find_places
from miyabi.environment.home import Home
from miyabi.localcloud.processes import ProcessSpec, ProcessState
from miyabi.localcloud.supervisor.identity import Identity, identify, lineage, sweep
from miyabi.localcloud.supervisor.limits import sweep_groups
from miyabi.localcloud.supervisor_client import BlockingSupervisorClient, SupervisorClient
from miyabi.model.errors import Unavailable

IDLE = ["/bin/sleep", "1000"]
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "COLOUR": "blue"}


def wait_for(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    until = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < until, "the condition did not come true in time"
        time.sleep(0.01)
    return result


class Cloud:
    """A supervisor on a home of its own."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.client = SupervisorClient(home.run)
        self.blocking = BlockingSupervisorClient(home.run)
        self.process: subprocess.Popen[bytes] | None = None

    def spawn(self, *extra: str, control: list[str] = IDLE) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "miyabi.localcloud.supervisor", "--home", str(self.home.root)]
        command += ["--control-command", json.dumps(control), *extra]
        with (self.home.log / "supervisor.log").open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def up(self, *extra: str, control: list[str] = IDLE) -> subprocess.Popen[bytes]:
        process = self.process = self.spawn(*extra, control=control)

        def answers() -> bool:
            assert process.poll() is None, (self.home.log / "supervisor.log").read_text()
            with contextlib.suppress(Unavailable):
                return process.pid in lineage(self.blocking.pid())
            return False

        wait_for(answers)
        return process

    def down(self) -> None:
        with contextlib.suppress(Unavailable, ProcessLookupError):
            os.kill(self.blocking.pid(), signal.SIGKILL)
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait()
        sweep(str(self.home.root))
        sweep_groups(str(self.home.root))

    def groups(self) -> list[Path]:
        """Return the control groups of this home's children."""
        places = {place for found in find_places().values() for place in found.by_controller.values()}
        mark = f"miyabi-{sha256(str(self.home.root).encode()).hexdigest()[:12]}-*"
        return [group for place in places for group in place.glob(mark)]

    def spec(self, name: str, *argv: str, restart: bool = False, env: dict[str, str] | None = None) -> ProcessSpec:
        output = self.home.log / f"{name.replace('/', '-')}.log"
        root = str(self.home.root)
        return ProcessSpec(name, argv, ENVIRONMENT if env is None else env, root, str(output), restart)

    def shell(self, name: str, script: str, **kwargs: Any) -> ProcessSpec:
        return self.spec(name, "sh", "-c", script, **kwargs)

    def start(self, spec: ProcessSpec) -> ProcessState:
        return asyncio.run(self.client.start(spec))

    def signal(self, name: str, number: signal.Signals, *, group: bool = True) -> None:
        asyncio.run(self.client.signal(name, number, group=group))

    def forget(self, name: str) -> None:
        asyncio.run(self.client.forget(name))

    def state(self, name: str) -> ProcessState | None:
        return next((state for state in self.blocking.list() if state.name == name), None)

    def running(self, name: str) -> ProcessState | None:
        state = self.state(name)
        return state if state and state.running else None

    def ended(self, name: str) -> ProcessState:
        found = wait_for(lambda: (state := self.state(name)) and not state.running and state)
        assert isinstance(found, ProcessState)
        return found

    def output(self, name: str) -> str:
        path = self.home.log / f"{name}.log"
        return path.read_text() if path.exists() else ""


def pid_of(cloud: Cloud, name: str, label: str) -> Identity:
    """Wait for a line `label pid` in the output and return who that is."""

    def find() -> Identity | None:
        for line in cloud.output(name).splitlines():
            if line.startswith(f"{label} "):
                return identify(int(line.split()[1]))
        return None

    found = wait_for(find)
    assert isinstance(found, Identity)
    return found
