"""The supervisor's loop: requests from the socket, signals, ends of children, restarts, the orderly end."""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import signal
import socket
import time
from types import FrameType

from miyabi.localcloud.processes import ProcessSpec, ProcessState
from miyabi.localcloud.supervisor import wire
from miyabi.localcloud.supervisor.children import Children
from miyabi.localcloud.supervisor.connection import Connection
from miyabi.localcloud.supervisor.guardian import GUARDIAN_LOST
from miyabi.localcloud.supervisor.limits import Limits
from miyabi.localcloud.supervisor.shutdown import Shutdown
from miyabi.localcloud.supervisor.spawning import Spawner
from miyabi.localcloud.supervisor.wire import Body, Refusal

log = logging.getLogger("supervisor")


class Server:
    """Serves one home from one thread until it is told to stop."""

    def __init__(
        self, home: str, spawner: Spawner, limits: Limits, listener: socket.socket, *, task_seconds: float
    ) -> None:
        self._children = Children(home, spawner, limits, self._publish)
        self._task_seconds = task_seconds
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._connections: dict[int, Connection] = {}
        self._wakeup, self._wakeup_end = socket.socketpair()
        self._signals = 0
        self._shutdown: Shutdown | None = None
        self._awaiting_stop: list[Connection] = []

    def run(self, first: ProcessSpec) -> None:
        """Start the first child and serve; return when everything has ended."""
        self._listen_to_signals()
        self._listener.setblocking(False)  # noqa: FBT003 - the socket's own signature
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        self._children.start(first)
        heard = True
        while True:
            self._children.reap()
            self._heed_signals()
            now = time.monotonic()
            self._children.attend(now, caught_up=not heard)
            until = self._children.next_due()
            if self._shutdown is not None:
                until = self._shutdown.advance(now)
                if until is None:
                    return
            pause = None if until is None else max(until - time.monotonic(), 0)
            ready = self._selector.select(pause)
            heard = bool(ready)
            for key, events in ready:
                self._attend(key.fd, events)

    def farewell(self) -> None:
        """Answer those who asked for the end."""
        for connection in self._awaiting_stop:
            with contextlib.suppress(OSError):
                connection.socket.settimeout(1)
                connection.send({"ok": True})

    def _listen_to_signals(self) -> None:
        for end in (self._wakeup, self._wakeup_end):
            end.setblocking(False)  # noqa: FBT003 - the socket's own signature
        signal.set_wakeup_fd(self._wakeup_end.fileno(), warn_on_full_buffer=False)
        # Handled, not ignored: children would inherit that a signal is ignored.
        for number in (signal.SIGCHLD, signal.SIGHUP):
            signal.signal(number, lambda _number, _frame: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note_signal)
        signal.signal(GUARDIAN_LOST, self._note_loss)

    def _note_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1

    def _note_loss(self, _number: int, _frame: FrameType | None) -> None:
        log.warning("the guardian was killed: if this supervisor is killed too, the next `up` ends what is left")

    def _heed_signals(self) -> None:
        count, self._signals = self._signals, 0
        for _ in range(count):
            if self._shutdown is None:
                self._begin_stop(self._task_seconds)
            else:
                self._shutdown.hurry()

    def _begin_stop(self, task_seconds: float) -> None:
        if self._shutdown is None:
            log.info("stopping")
            self._shutdown = Shutdown(self._children, task_seconds)

    def _attend(self, descriptor: int, events: int) -> None:
        if descriptor == self._listener.fileno():
            self._accept()
        elif descriptor == self._wakeup.fileno():
            with contextlib.suppress(BlockingIOError):
                self._wakeup.recv(4096)
        elif (connection := self._connections.get(descriptor)) is not None:
            try:
                if events & selectors.EVENT_WRITE:
                    connection.flush()
                if events & selectors.EVENT_READ:
                    for line in connection.receive():
                        self._answer(connection, line)
            except OSError:
                self._drop(connection)
            else:
                self._expect(connection)

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError as error:
            log.warning("cannot accept a connection: %s", error)
            return
        connection = Connection(peer)
        self._connections[connection.descriptor] = connection
        self._selector.register(peer, selectors.EVENT_READ)

    def _expect(self, connection: Connection) -> None:
        if connection.descriptor in self._connections:
            write = selectors.EVENT_WRITE if connection.backlog else 0
            self._selector.modify(connection.socket, selectors.EVENT_READ | write)

    def _drop(self, connection: Connection) -> None:
        if self._connections.pop(connection.descriptor, None) is not None:
            self._selector.unregister(connection.socket)
            connection.socket.close()

    def _publish(self, event: str, state: ProcessState) -> None:
        for connection in [one for one in self._connections.values() if one.watching]:
            try:
                connection.send({"event": event, "process": wire.state_body(state)})
                self._expect(connection)
            except OSError:
                self._drop(connection)

    def _answer(self, connection: Connection, line: bytes) -> None:
        try:
            body = self._perform(connection, wire.parse(line))
        except Refusal as refusal:
            body = {"ok": False, "code": refusal.code, "error": refusal.message}
        except Exception as error:  # one bad request must not end everybody's parent
            log.exception("a request failed")
            body = {"ok": False, "code": wire.INTERNAL, "error": f"{type(error).__name__}: {error}"}
        if body is not None:
            connection.send(body)

    def _perform(self, connection: Connection, request: Body) -> Body | None:
        match request.get("op"):
            case "start":
                state = self._children.start(wire.spec_of(request.get("spec")))
                return {"ok": True, "process": wire.state_body(state)}
            case "signal":
                group = request.get("group", True) is True
                self._children.signal(wire.text_of(request, "name"), _signal_of(request), group=group)
            case "alive":
                self._children.alive(wire.text_of(request, "name"))
            case "forget":
                self._children.forget(wire.text_of(request, "name"))
            case "list" | "watch" as op:
                connection.watching = connection.watching or op == "watch"
                processes = [wire.state_body(state) for state in self._children.states()]
                return {"ok": True, "pid": os.getpid(), "processes": processes}
            case "stop":
                self._begin_stop(wire.seconds_of(request, "timeout_seconds", self._task_seconds))
                self._awaiting_stop.append(connection)
                return None
            case op:
                raise Refusal(wire.INVALID, f"there is no request {op!r}")
        return {"ok": True}


def _signal_of(request: Body) -> signal.Signals:
    try:
        return signal.Signals(request.get("signal", 0))
    except ValueError as error:
        raise Refusal(wire.INVALID, "signal must be a signal's number") from error
