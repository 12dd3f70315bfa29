"""The supervisor's children: start, signal, reap, restart, and the records of those that ended."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from miyabi.localcloud.processes import ProcessSpec, ProcessState
from miyabi.localcloud.supervisor import wire
from miyabi.localcloud.supervisor.backoff import next_delay
from miyabi.localcloud.supervisor.identity import kill_marked
from miyabi.localcloud.supervisor.spawning import Spawner
from miyabi.localcloud.supervisor.wire import Refusal

log = logging.getLogger("supervisor")

ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL})
"""A process asked to end by one of these does not end by itself: it is not restarted."""


@dataclass(slots=True)
class Child:
    """A child and, once it has ended, its record."""

    spec: ProcessSpec
    process: subprocess.Popen[bytes]
    started_at: float
    started: float
    """On the monotonic clock, as `restart_at`."""
    exit_code: int | None = None
    ended_at: float | None = None
    restarts: int = 0
    delay: float | None = None
    restart_at: float | None = None
    asked_to_end: bool = False

    @property
    def running(self) -> bool:
        return self.ended_at is None

    def state(self) -> ProcessState:
        return ProcessState(
            name=self.spec.name,
            pid=self.process.pid,
            started_at=self.started_at,
            running=self.running,
            exit_code=self.exit_code,
            ended_at=self.ended_at,
            restarts=self.restarts,
        )


class Children:
    """All children of one home by name. `changed` is told of every start and end."""

    def __init__(self, home: str, spawner: Spawner, changed: Callable[[str, ProcessState], None]) -> None:
        self._home = home
        self._spawner = spawner
        self._changed = changed
        self._children: dict[str, Child] = {}
        self._closed = False

    def close(self) -> None:
        """Start and restart nothing from now on."""
        self._closed = True
        for child in self._children.values():
            child.restart_at = None

    def start(self, spec: ProcessSpec) -> ProcessState:
        """Start the process, or do nothing if it runs from an equal spec.

        What is not restarted and has ended is not run a second time: its end has yet to be seen.
        """
        if self._closed:
            raise Refusal(wire.STOPPING, f"{spec.name}: the local cloud is stopping")
        known = self._children.get(spec.name)
        if known is not None:
            waiting = known.restart_at is not None
            if known.spec == spec and (known.running or waiting):
                return known.state()
            if known.running:
                raise Refusal(wire.EXISTS, f"{spec.name}: runs from another spec (pid {known.process.pid})")
            if not known.spec.restart:
                raise Refusal(wire.ENDED, f"{spec.name}: has ended with exit code {known.exit_code}; forget it first")
        self._children[spec.name] = child = self._spawned(spec)
        self._changed("started", child.state())
        return child.state()

    def signal(self, name: str, number: signal.Signals, *, group: bool) -> None:
        """Signal the child's process group, or only its first process."""
        child = self._find(name)
        ending = number in ENDING and name != wire.CONTROL
        if ending and child.restart_at is not None:
            child.restart_at = None
            return
        if not child.running:
            raise Refusal(wire.ENDED, f"{name}: has ended with exit code {child.exit_code}")
        if ending:
            child.asked_to_end = True
        # Not reaped yet, so the number still belongs to it, even if it has just ended.
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(child.process.pid, number)

    def forget(self, name: str) -> None:
        """Drop the record of a child that has ended."""
        child = self._find(name)
        if child.running or child.restart_at is not None:
            raise Refusal(wire.RUNNING, f"{name}: is running; only an ended process can be forgotten")
        del self._children[name]

    def states(self) -> list[ProcessState]:
        return [child.state() for child in self._children.values()]

    def running(self) -> list[str]:
        return [name for name, child in self._children.items() if child.running]

    def reap(self) -> None:
        """Take in what has ended: children, what they leave behind, and orphans of theirs."""
        by_pid = {child.process.pid: child for child in self._children.values() if child.running}
        ended: list[tuple[Child, int]] = []
        while (pid := _next_ended()) is not None:
            child = by_pid.get(pid)
            if child is not None:
                # Before it is reaped: until then the group's number cannot be given to others.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            if child is not None:
                ended.append((child, os.waitstatus_to_exitcode(status)))
        if ended:
            kill_marked(self._home, {child.spec.name for child, _ in ended})  # what left the group
        for child, code in ended:
            self._record(child, code)

    def _record(self, child: Child, code: int) -> None:
        child.process.returncode = code  # reaped here, not by Popen
        child.exit_code = code if code >= 0 else 128 - code
        child.ended_at = time.time()
        if child.spec.restart and not child.asked_to_end and not self._closed:
            now = time.monotonic()
            child.delay = next_delay(child.delay, now - child.started)
            child.restart_at = now + child.delay
            log.warning("%s ended with exit code %d; restart in %.1f s", child.spec.name, child.exit_code, child.delay)
        else:
            log.info("%s (pid %d) ended with exit code %d", child.spec.name, child.process.pid, child.exit_code)
        self._changed("ended", child.state())

    def restart_due(self, now: float) -> None:
        """Restart what has waited long enough."""
        for name, child in list(self._children.items()):
            if child.restart_at is None or child.restart_at > now:
                continue
            try:
                fresh = self._spawned(child.spec)
            except Refusal as refusal:
                child.delay = next_delay(child.delay, 0)
                child.restart_at = now + child.delay
                log.warning("%s; again in %.1f s", refusal.message, child.delay)
                continue
            fresh.restarts, fresh.delay = child.restarts + 1, child.delay
            self._children[name] = fresh
            self._changed("started", fresh.state())

    def next_restart(self) -> float | None:
        """Return when `restart_due` has something to do."""
        return min(
            (child.restart_at for child in self._children.values() if child.restart_at is not None),
            default=None,
        )

    def _spawned(self, spec: ProcessSpec) -> Child:
        child = Child(spec, self._spawner.spawn(spec), started_at=time.time(), started=time.monotonic())
        log.info("%s started (pid %d)", spec.name, child.process.pid)
        return child

    def _find(self, name: str) -> Child:
        child = self._children.get(name)
        if child is None:
            raise Refusal(wire.NOT_FOUND, f"{name}: no such process")
        return child


def _next_ended() -> int | None:
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if ended is None else ended.si_pid
