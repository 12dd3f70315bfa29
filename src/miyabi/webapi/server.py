"""Runs the application on a socket until SIGTERM, then finishes what is open."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from miyabi.webapi.settings import Settings

log = logging.getLogger(__name__)


def serve(create: Callable[[Callable[[], bool]], ASGIApp], settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code.

    create: makes the application, given a function that says whether the process has been asked to stop. Open
    requests get `stop_timeout_seconds`; new connections are refused from the signal on.
    """
    server = Server(settings, lambda: create(lambda: server.should_exit))
    # When it has stopped, uvicorn raises the signal again; by default it would end the process with 143.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        server.run()
    except SystemExit:  # uvicorn could not listen, and has logged why
        return 1
    return 0


class Server(uvicorn.Server):
    """uvicorn, with log lines of ours for what happens to the process."""

    def __init__(self, settings: Settings, create: Callable[[], ASGIApp]) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        super().__init__(_config(settings, create))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        for listener in self.servers:
            host, port = listener.sockets[0].getsockname()[:2]
            log.info("listening on http://%s:%s", host, port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening and finish."""
        log.info("stopping: %d requests are open", len(self.server_state.tasks))
        await super().shutdown(sockets)
        log.info("stopped")


def _config(settings: Settings, create: Callable[[], ASGIApp]) -> uvicorn.Config:
    return uvicorn.Config(
        create,
        factory=True,
        host=settings.host,
        port=settings.port,
        loop="asyncio",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.stop_timeout_seconds,
    )
