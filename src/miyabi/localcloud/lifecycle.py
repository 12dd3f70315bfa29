"""Starting, stopping and looking at a whole local cloud, from outside it."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence

from miyabi.environment.home import Home, Instance
from miyabi.localcloud.launch import await_control, await_supervisor, check_port, spawn_supervisor
from miyabi.localcloud.running import Running, inspect, supervisor_of
from miyabi.localcloud.supervisor import wire
from miyabi.localcloud.supervisor.identity import Identity, sweep
from miyabi.localcloud.supervisor_client import BlockingSupervisorClient
from miyabi.model.errors import Conflict, Failed, InvalidInput, MiyabiError, NotFound, Unavailable

__all__ = ["Progress", "Running", "exclusive", "inspect", "set_clock_speed", "start", "stop"]

Progress = Callable[[str], None]


@contextlib.contextmanager
def exclusive(home: Home) -> Iterator[None]:
    """Hold the right to start or stop this local cloud. Conflict: another command holds it."""
    home.create()
    try:
        lock = os.open(home.root / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidInput(
            f"{home.root} cannot be written to: {error.strerror}",
            hint="Mount it for writing, or let MIYABI_HOME name a directory that is yours.",
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise Conflict(
                f"another miyabi command is starting or stopping this local cloud (pid {holder})",
                hint="Wait until it has ended, or interrupt it.",
            ) from error
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(lock)


def start(
    home: Home,
    *,
    deadline_seconds: float = 20.0,
    progress: Progress | None = None,
    control_command: Sequence[str] | None = None,
) -> None:
    """Start the local cloud, if it does not run; return when its API answers. Hold `exclusive`.

    What this call began is ended again where it fails or is interrupted. Conflict: the port is taken.
    Failed: the control plane keeps ending. Unavailable: not ready in time.

    control_command: another program in the control plane's place.
    """
    instance = home.read_instance()
    if instance is None:
        raise NotFound(f"there is no local cloud in {home.root}", hint="Create it: miyabi up")
    home.create()
    say = progress or (lambda _line: None)
    until = time.monotonic() + deadline_seconds
    begun: subprocess.Popen[bytes] | None = None
    try:
        if supervisor_of(home) is None:
            _make_room(home, instance)
            home.upgrade()
            begun = spawn_supervisor(home, control_command)
            pid = await_supervisor(home, begun, until)
            say(f"supervisor started (pid {pid})")
        await_control(home, instance, until)
        say(f"control plane answers at {instance.endpoint}")
    except BaseException:
        if begun is not None:
            _undo(home, begun)
        raise
    finally:
        if begun is not None and begun.poll() is None:
            begun.returncode = 0  # it outlives this command on purpose: nobody waits for it


def set_clock_speed(home: Home, speed: int, *, deadline_seconds: float = 20.0) -> bool:
    """Let control loops run so many times as fast as the wall clock; return whether that is new. Hold `exclusive`.

    The control plane is started anew for it, while everything that it looks after runs on.
    Unavailable: the former one does not end in time.
    """
    instance = home.read_instance()
    if instance is None:
        raise NotFound(f"there is no local cloud in {home.root}", hint="Create it: miyabi up")
    if instance.clock_speed == speed:
        return False
    home.write_instance(dataclasses.replace(instance, clock_speed=speed))
    running = inspect(home)
    control = running.process(wire.CONTROL) if running is not None else None
    if control is None or not control.running:
        return True
    client = BlockingSupervisorClient(home.run)
    client.signal(wire.CONTROL, signal.SIGTERM)
    until = time.monotonic() + deadline_seconds
    while any(one.name == wire.CONTROL and one.running and one.pid == control.pid for one in client.list()):
        if time.monotonic() > until:
            raise Unavailable(f"the control plane of {home.root} (pid {control.pid}) does not end in time")
        time.sleep(0.02)
    return True


def stop(home: Home, *, deadline_seconds: float = 30.0) -> bool:
    """End the local cloud and return whether anything ran. Hold `exclusive`.

    Failed: something does not end.
    """
    root = os.path.realpath(home.root)
    supervisor = supervisor_of(home)
    if supervisor is None:
        return sweep(root) > 0
    begun = time.monotonic()
    with contextlib.suppress(MiyabiError):
        BlockingSupervisorClient(home.run).stop(timeout_seconds=deadline_seconds * 0.7)
    if not _gone(supervisor, begun + deadline_seconds * 0.75):
        supervisor.kill(signal.SIGTERM)
        if not _gone(supervisor, begun + deadline_seconds * 0.9):
            supervisor.kill(signal.SIGKILL)
            if not _gone(supervisor, begun + deadline_seconds):
                raise Failed(
                    f"the supervisor of {home.root} (pid {supervisor.pid}) does not end, not even by SIGKILL",
                    hint=f"Look at /proc/{supervisor.pid}/status.",
                )
    sweep(root)
    return True


def _make_room(home: Home, instance: Instance) -> None:
    sweep(os.path.realpath(home.root))
    check_port(instance)


def _undo(home: Home, begun: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(MiyabiError):
        stop(home, deadline_seconds=10)
    if begun.poll() is None:  # interrupted before it could be asked: it has no children yet
        begun.terminate()  # the guardian passes it on
        with contextlib.suppress(subprocess.TimeoutExpired):
            begun.wait(5)
        begun.kill()
        begun.wait()


def _gone(identity: Identity, until: float) -> bool:
    while identity.alive():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True
