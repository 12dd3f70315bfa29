"""Locust's side of `miyabi load run`: sends each request at its instant, and writes down what came of it.

Locust loads this file in a process of its own: it replaces the standard library's sockets by gevent's. Nothing else may
import it. One user sends everything: requests leave when they are due, however many are under way, up to 5,000. What
is due then is not sent, and written down as such.

MIYABI_LOAD_PLAN: a JSON file with the mix, the deadline and [seconds, place in the mix] of each request.
MIYABI_LOAD_RECORDS: the file that gets a line for each request that ended: number, sent, ended, status, error.
Standard input: a pipe. When its other end is closed, in whatever way, nothing more is sent.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import gevent
import gevent.os
from gevent.pool import Pool
from locust import FastHttpUser, task

_AT_ONCE = 5_000


def _end_with_parent() -> None:
    gevent.os.tp_read(0, 1)
    os._exit(0)  # what has ended is written down, line by line


class Sender(FastHttpUser):
    """The one user."""

    plan = json.loads(Path(os.environ["MIYABI_LOAD_PLAN"]).read_text(encoding="utf-8"))
    network_timeout = plan["timeout_seconds"]
    connection_timeout = plan["timeout_seconds"]
    concurrency = _AT_ONCE

    def on_start(self) -> None:
        """Take every answer as it comes: no redirect is followed, no status is an error, no cookie is kept."""
        gevent.spawn(_end_with_parent)
        agent: Any = self.client.client
        agent.cookiejar = None
        agent.redirect_response_codes = frozenset()
        agent.valid_response_codes = frozenset(range(1000))

    @task
    def send_all(self) -> None:
        """Send everything, wait for the answers, and end the run."""
        pool = Pool(_AT_ONCE)
        with Path(os.environ["MIYABI_LOAD_RECORDS"]).open("w", encoding="utf-8", buffering=1) as records:
            begun = time.monotonic()
            for number, (due, place) in enumerate(self.plan["requests"]):
                wait = begun + due - time.monotonic()
                if wait > 0:
                    gevent.sleep(wait)
                if pool.full():
                    now = time.monotonic() - begun
                    records.write(f"{number}\t{now:.6f}\t{now:.6f}\t0\tnot sent: {_AT_ONCE} were waiting for answers\n")
                    gevent.sleep(0)  # let answers in
                else:
                    pool.spawn(self._send, records, begun, number, self.plan["mix"][place])
            pool.join()
        self.environment.runner.quit()

    def _send(self, records: Any, begun: float, number: int, request: Any) -> None:
        sent = time.monotonic() - begun
        status, error = 0, ""
        try:
            with self.client.request(
                request["method"],
                request["path"],
                headers=request["headers"],
                data=request["body"] or None,
                catch_response=True,
            ) as response:
                failure = response.request_meta["exception"]
                status = 0 if failure else response.status_code or 0
                error = type(failure).__name__ if failure else ("" if status else "no answer")
                response.success()
        except Exception as failed:  # noqa: BLE001 - whatever it is, it is this request's, and has to be told of
            status, error = 0, type(failed).__name__
        ended = time.monotonic() - begun
        records.write(f"{number}\t{sent:.6f}\t{ended:.6f}\t{status}\t{error}\n")
