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
from datetime import timedelta

from miyabi.localcloud.processes import ProcessSpec, ProcessState
from miyabi.localcloud.supervisor import wire
from miyabi.localcloud.supervisor.identity import kill_marked
from miyabi.localcloud.supervisor.limits import Group, Limits
from miyabi.localcloud.supervisor.memory import over_limit
from miyabi.localcloud.supervisor.spawning import Spawner
from miyabi.localcloud.supervisor.wire import Refusal
from miyabi.policy.limiter import POLL_EVERY
from miyabi.policy.restart import PATIENCE, Part, Restart, describe_end, judge_silence, next_restart

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
    restart: Restart | None = None
    """The decision that it was, or waits to be, started again by."""
    restart_at: float | None = None
    asked_to_end: bool = False
    group: Group | None = None
    out_of_memory: bool = False
    alive_at: float | None = None
    """When it last said that it is alive, on the monotonic clock; None: it never did, so it need not."""
    reason: str = ""

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
            out_of_memory=self.out_of_memory,
            reason=self.reason,
        )


class Children:
    """All children of one home by name. `changed` is told of every start and end."""

    def __init__(
        self, home: str, spawner: Spawner, limits: Limits, changed: Callable[[str, ProcessState], None]
    ) -> None:
        self._home = home
        self._spawner = spawner
        self._limits = limits
        self._next_look_at_memory = 0.0
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

    def alive(self, name: str) -> None:
        """Note that a child says it is alive. One that has said so is killed when it no longer does."""
        self._find(name).alive_at = time.monotonic()

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
        # Told first, because a balancer sends requests to a dead task until it is told. No request is heeded before the
        # rest is done.
        for child, code in ended:
            self._record(child, code)
        if ended:
            kill_marked(self._home, {child.spec.name for child, _ in ended})  # what left the group
        for group in (child.group for child, _ in ended if child.group is not None):
            group.kill()
            group.remove()

    def _record(self, child: Child, code: int) -> None:
        child.process.returncode = code  # reaped here, not by Popen
        child.exit_code = code if code >= 0 else 128 - code
        child.ended_at = time.time()
        if child.group is not None:
            child.out_of_memory = child.exit_code != 0 and child.group.out_of_memory()
        end = describe_end(child.exit_code, out_of_memory=child.out_of_memory)
        child.reason = f"{child.reason}, {end}" if child.reason else end
        if child.spec.restart and not child.asked_to_end and not self._closed:
            self._await_restart(child, time.monotonic() - child.started, child.reason)
            log.warning("%s: %s", child.spec.name, child.reason)
        else:
            log.info("%s (pid %d): %s", child.spec.name, child.process.pid, child.reason)
        self._changed("ended", child.state())

    def _await_restart(self, child: Child, ran_seconds: float, why: str) -> None:
        child.restart = next_restart(child.restart, ran=timedelta(seconds=ran_seconds), why=why)
        child.restart_at = time.monotonic() + child.restart.delay.total_seconds()
        child.reason = child.restart.reason

    def attend(self, now: float, *, caught_up: bool) -> None:
        """Do what is due: kill what hangs or uses too much memory, restart what has waited long enough.

        caught_up: everything that was sent has been read, so silence is silence.
        """
        if caught_up:
            self._judge_silence(now)
        self._look_at_memory(now)
        self._restart_due(now)

    def _judge_silence(self, now: float) -> None:
        for child in self._children.values():
            if child.running and child.alive_at is not None:
                hangs = judge_silence(Part.CONTROL, timedelta(seconds=now - child.alive_at))
                if hangs is not None:
                    self._kill(child, hangs)

    def _kill(self, child: Child, why: str) -> None:
        log.error("%s (pid %d): %s; killing it", child.spec.name, child.process.pid, why)
        child.reason, child.alive_at = why, None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)

    def _look_at_memory(self, now: float) -> None:
        """Kill what uses more memory than it may and is in no group that would."""
        if now < self._next_look_at_memory:
            return
        watched = {child.process.pid: child for child in self._unconfined()}
        if watched:
            self._next_look_at_memory = now + POLL_EVERY.total_seconds()
            for pid in over_limit({pid: child.spec.memory_bytes for pid, child in watched.items()}):
                watched[pid].out_of_memory = True
                self._kill(watched[pid], "")

    def _unconfined(self) -> list[Child]:
        running = (child for child in self._children.values() if child.running)
        return [child for child in running if child.spec.memory_bytes and child.group is None]

    def _restart_due(self, now: float) -> None:
        for name, child in list(self._children.items()):
            if child.restart_at is None or child.restart_at > now:
                continue
            try:
                fresh = self._spawned(child.spec)
            except Refusal as refusal:
                self._await_restart(child, 0, refusal.message)
                log.warning("%s", child.reason)
                continue
            fresh.restarts, fresh.restart = child.restarts + 1, child.restart
            self._children[name] = fresh
            self._changed("started", fresh.state())

    def next_due(self) -> float | None:
        """Return when `attend` has something to do."""
        due = [child.restart_at for child in self._children.values() if child.restart_at is not None]
        patience = PATIENCE[Part.CONTROL].total_seconds()
        due += [child.alive_at + patience for child in self._children.values() if child.running and child.alive_at]
        if self._unconfined():
            due.append(self._next_look_at_memory)
        return min(due, default=None)

    def _spawned(self, spec: ProcessSpec) -> Child:
        group = None
        try:
            group = self._limits.group(spec)
        except OSError as error:
            log.warning("%s: no control group, so its memory is looked at instead: %s", spec.name, error)
        try:
            process = self._spawner.spawn(spec, group)
        except Refusal:
            if group is not None:
                group.remove()
            raise
        child = Child(spec, process, started_at=time.time(), started=time.monotonic(), group=group)
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
