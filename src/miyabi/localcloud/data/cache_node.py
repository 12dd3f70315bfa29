"""Drives cache nodes: Redis or Valkey processes, one directory a node. It decides nothing.

A node is saved when it is told to end, as `down` does, and loaded when it starts again. Once it has loaded, the file
is dropped: a node that crashes comes back empty, as on ElastiCache, and never with what was true days ago.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import shutil
import signal as signals
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from miyabi.environment.home import Home, write_private
from miyabi.localcloud.processes import ProcessSpec, ProcessState
from miyabi.model.errors import Conflict, NotFound

PREFIX = "cache/"
_USER = "control"
_ANSWER_SECONDS = 2.0
_FORBIDDEN = (
    "-acl +acl|whoami +acl|cat -bgrewriteaof -bgsave -config +config|get -debug -failover -migrate -module -psync"
    " -replicaof -save -shutdown -slaveof -sync"
)
"""ElastiCache refuses these to its users; `CONFIG GET` it refuses too, here it shows what the parameters did.

Source: docs.aws.amazon.com, "Restricted commands".
"""


class Refused(Exception):
    """The node answered with an error."""


class Silent(Exception):
    """The node says nothing."""


class Processes(Protocol):
    """The part of the supervisor that the driver needs."""

    async def start(self, spec: ProcessSpec) -> ProcessState: ...

    async def signal(self, name: str, number: signals.Signals) -> None: ...

    async def list(self) -> tuple[ProcessState, ...]: ...

    async def forget(self, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class NodeAt:
    """Which node, and where it listens."""

    region: str
    cluster_id: str
    generation: int
    address: str
    port: int

    @property
    def cluster(self) -> str:
        """Prefix of the names of the cluster's processes."""
        return f"{PREFIX}{self.region}/{self.cluster_id}/"

    @property
    def name(self) -> str:
        """The process's name."""
        return f"{self.cluster}{self.generation}"


class CacheDriver:
    """The cache nodes of one instance."""

    def __init__(self, home: Home, processes: Processes) -> None:
        self._home = home
        self._processes = processes

    async def nodes(self) -> dict[str, ProcessState]:
        """Return every cache node's process by name."""
        return {state.name: state for state in await self._processes.list() if state.name.startswith(PREFIX)}

    async def start(self, node: NodeAt, program: str, settings: Mapping[str, str]) -> None:
        """Start the node, to be kept running."""
        folder = self._folder(node)
        for made in (*reversed(folder.relative_to(self._home.root).parents[:-1]), folder):
            (self._home.root / made).mkdir(mode=0o700, exist_ok=True)
        for former in folder.parent.iterdir():
            if former != folder:
                shutil.rmtree(former)
        for leftover in folder.glob("temp-*.rdb"):
            leftover.unlink()
        key = folder / "control.key"
        if not key.exists():  # kept: a process that the supervisor restarts meanwhile has read it
            write_private(key, secrets.token_hex(32).encode())
        secret = key.read_text()
        write_private(folder / "node.conf", _configuration(node, settings, secret).encode())
        spec = ProcessSpec(
            name=node.name,
            argv=(program, "node.conf"),
            env={"PATH": os.defpath},
            cwd=str(folder),
            output=str(self._home.log / f"{node.name.replace('/', '-')}.log"),
            restart=True,
        )
        await self._processes.start(spec)

    async def run_id(self, node: NodeAt) -> str | None:
        """Return the id of the process that answers PING with PONG; None where none does or it is still loading.

        Silent: it takes the question and says nothing within the deadline.
        """
        try:
            pong, server = await self._ask(node, ("PING",), ("INFO", "server"))
        except TimeoutError as error:
            raise Silent(f"{node.name} does not answer within {_ANSWER_SECONDS:.0f} s") from error
        except (OSError, Refused, ValueError):
            return None
        if pong != "PONG":
            return None
        (self._folder(node) / "dump.rdb").unlink(missing_ok=True)
        fields = dict(line.split(":", 1) for line in server.splitlines() if ":" in line)
        return fields.get("run_id")

    async def report(self, node: NodeAt) -> dict[str, str] | None:
        """Return the fields of INFO; None where the node does not answer."""
        try:
            (text,) = await self._ask(node, ("INFO",))
        except (OSError, TimeoutError, Refused, ValueError):
            return None
        return {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines()) if value}

    async def configure(self, node: NodeAt, settings: Mapping[str, str]) -> dict[str, str]:
        """Change settings at run time; return those that the node refused, each with what it said.

        OSError, TimeoutError: the node does not answer.
        """
        refused = {}
        for name, value in settings.items():
            try:
                await self._ask(node, ("CONFIG", "SET", name, value))
            except Refused as error:
                refused[name] = str(error)
        return refused

    async def end(self, processes: Mapping[str, ProcessState]) -> None:
        """Kill processes and forget those that have ended: what they hold is not needed."""
        for name, state in processes.items():
            with contextlib.suppress(NotFound, Conflict):
                if state.running:
                    await self._processes.signal(name, signals.SIGKILL)
                else:
                    with contextlib.suppress(Conflict):  # ends a restart that is due
                        await self._processes.signal(name, signals.SIGKILL)
                    await self._processes.forget(name)

    def remove(self, node: NodeAt) -> None:
        """Remove the files of a cluster whose processes have ended."""
        shutil.rmtree(self._folder(node).parent, ignore_errors=True)
        for path in self._home.log.glob(f"{node.cluster.replace('/', '-')}[0-9]*.log"):
            path.unlink(missing_ok=True)

    def _folder(self, node: NodeAt) -> Path:
        return self._home.caches / node.region / node.cluster_id / str(node.generation)

    async def _ask(self, node: NodeAt, *commands: tuple[str, ...]) -> list[str]:
        secret = (self._folder(node) / "control.key").read_text()
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(node.address, node.port)
            try:
                asked = (("AUTH", _USER, secret), *commands)
                writer.write(b"".join(map(_encode, asked)))
                return [await _reply(reader) for _ in asked][1:]
            except asyncio.IncompleteReadError as error:
                raise ConnectionResetError("the node closed the connection") from error
            finally:
                writer.close()


def _configuration(node: NodeAt, settings: Mapping[str, str], secret: str) -> str:
    digest = hashlib.sha256(secret.encode()).hexdigest()
    lines = [
        f"bind {node.address}",
        f"port {node.port}",
        "protected-mode no",  # bound to a loopback address only
        "daemonize no",
        'logfile ""',
        'save ""',
        "dbfilename dump.rdb",
        "shutdown-on-sigterm save now force",
        "rdbcompression no",  # faster: a stop has few seconds
        f"user default on nopass sanitize-payload ~* &* +@all {_FORBIDDEN}",
        f"user {_USER} on #{digest} ~* &* +@all",
        *(_line(name, value) for name, value in settings.items()),
    ]
    return "\n".join(lines) + "\n"


def _line(name: str, value: str) -> str:
    if name == "client-output-buffer-limit":
        classes = value.split()
        return "\n".join(f"{name} {' '.join(classes[at : at + 4])}" for at in range(0, len(classes), 4))
    return f'{name} "{value}"'


def _encode(command: tuple[str, ...]) -> bytes:
    words = [word.encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


async def _reply(reader: asyncio.StreamReader) -> str:
    line = (await reader.readuntil(b"\r\n"))[:-2].decode()
    kind, rest = line[:1], line[1:]
    if kind == "-":
        raise Refused(rest)
    if kind == "$" and int(rest) >= 0:
        return (await reader.readexactly(int(rest) + 2))[:-2].decode()
    return rest
