"""Locust's side of `miyabi load run`: sends each request at its instant, and writes down what came of it.

Locust loads this file in a process of its own: it replaces the standard library's sockets by gevent's. Nothing else may
import it. One user sends everything: requests leave when they are due, however many are under way.

MIYABI_LOAD_PLAN: a JSON file with the mix, the deadline and [seconds, place in the mix] of each request.
MIYABI_LOAD_RECORDS: the file that gets a line for each request that ended: due, sent, ended, status, place, error.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import gevent
from gevent.pool import Pool
from locust import FastHttpUser, task

_AT_ONCE = 5_000


class Sender(FastHttpUser):
    """The one user."""

    plan = json.loads(Path(os.environ["MIYABI_LOAD_PLAN"]).read_text(encoding="utf-8"))
    network_timeout = plan["timeout_seconds"]
    connection_timeout = plan["timeout_seconds"]
    concurrency = _AT_ONCE
    max_redirects = 0

    @task
    def send_all(self) -> None:
        """Send everything, wait for the answers, and end the run."""
        pool = Pool(_AT_ONCE)
        with Path(os.environ["MIYABI_LOAD_RECORDS"]).open("w", encoding="utf-8", buffering=1) as records:
            begun = time.monotonic()
            for due, place in self.plan["requests"]:
                wait = begun + due - time.monotonic()
                if wait > 0:
                    gevent.sleep(wait)
                pool.spawn(self._send, records, begun, due, place)
            pool.join()
        self.environment.runner.quit()

    def _send(self, records: Any, begun: float, due: float, place: int) -> None:
        request = self.plan["mix"][place]
        sent = time.monotonic() - begun
        status, error = 0, ""
        with self.client.request(
            request["method"],
            request["path"],
            headers=request["headers"],
            data=request["body"] or None,
            allow_redirects=False,
            catch_response=True,
        ) as response:
            response.success()
            status = response.status_code or 0
            if not status:
                error = type(response.error).__name__ if response.error else "no answer"
        ended = time.monotonic() - begun
        records.write(f"{due:.6f}\t{sent:.6f}\t{ended:.6f}\t{status}\t{place}\t{error}\n")
