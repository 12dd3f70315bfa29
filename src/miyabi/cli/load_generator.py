"""Locust as the generator of a load: started with a plan, followed by the records that it writes, ended in any case."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from miyabi.model.errors import Failed
from miyabi.policy.load_mix import MixedRequest
from miyabi.policy.load_report import Sent

_LOOK_SECONDS = 1.0
_START_SECONDS = 30.0
_END_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What is to be sent."""

    url: str
    mix: Sequence[MixedRequest]
    requests: Sequence[tuple[float, int]]
    """Seconds after the beginning, never falling, and the place in the mix."""
    seconds: float
    timeout_seconds: float


@dataclass(slots=True)
class Generated:
    """What came of it."""

    ended: list[Sent]
    interrupted: bool = False
    exit_code: int = 0
    """Of Locust; 0 where it was ended from here."""
    said: str = ""
    """The last line that Locust said."""


def generate(plan: LoadPlan, on_look: Callable[[Sequence[Sent], int, float], None]) -> Generated:
    """Send a plan's requests and return those that have ended; Ctrl-C ends it early.

    on_look: gets those that ended since the last look, the number of all, and the seconds between.
    Raises Failed where nothing could be sent at all.
    """
    with tempfile.TemporaryDirectory(prefix="miyabi-load-") as name:
        folder = Path(name)
        _write(plan, folder / "plan.json")
        records = _Records(folder / "records", plan)
        found = Generated([])
        with _locust(plan, folder) as process:
            try:
                found.exit_code = _follow(process, plan, records, found.ended, on_look)
            except KeyboardInterrupt:
                found.interrupted = True
        found.ended += records.take()
        records.close()
        found.said = _last_line(folder / "output")
    if not found.ended and not found.interrupted:
        raise Failed("Locust sent nothing", hint=found.said or None)
    return found


def _write(plan: LoadPlan, path: Path) -> None:
    mix = [{"method": one.method, "path": one.path, "headers": dict(one.headers), "body": one.body} for one in plan.mix]
    document = {"timeout_seconds": plan.timeout_seconds, "mix": mix, "requests": plan.requests}
    path.write_text(json.dumps(document), encoding="utf-8")


@contextmanager
def _locust(plan: LoadPlan, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start Locust in a session of its own. It ends when the pipe to it is closed, as it is when this process dies."""
    worker = Path(__file__).with_name("load_worker.py")
    options = ("--headless", "--users", "1", "--spawn-rate", "1", "--loglevel", "ERROR", "--only-summary")
    with (folder / "output").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "locust", "--locustfile", str(worker), "--host", plan.url, *options],
            cwd=folder,
            env={
                **os.environ,
                "MIYABI_LOAD_PLAN": str(folder / "plan.json"),
                "MIYABI_LOAD_RECORDS": str(folder / "records"),
            },
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _follow(
    process: subprocess.Popen[bytes],
    plan: LoadPlan,
    records: _Records,
    ended: list[Sent],
    on_look: Callable[[Sequence[Sent], int, float], None],
) -> int:
    """Look once a second until Locust has ended, or should have; return its exit code."""
    before = time.monotonic()
    deadline = before + _START_SECONDS + plan.seconds + 2 * plan.timeout_seconds + _END_SECONDS
    while not _has_ended(process.pid):
        if time.monotonic() > deadline:
            return 0  # what it has not told is said to be unknown
        time.sleep(_LOOK_SECONDS)
        new = records.take()
        now = time.monotonic()
        ended += new
        if ended:
            on_look(new, len(ended), now - before)
        before = now
    return process.wait()


def _has_ended(pid: int) -> bool:
    """Say whether a child has ended, without the lock that `Popen.poll` takes: an interrupt in there would keep it."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


class _Records:
    """Reads what Locust writes, as it comes."""

    def __init__(self, path: Path, plan: LoadPlan) -> None:
        self._plan = plan
        self._file = path.open("a+b")
        self._rest = b""

    def take(self) -> list[Sent]:
        """Return the requests that have ended since the last call."""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        return [self._read(line.decode("utf-8", "replace")) for line in lines]

    def _read(self, line: str) -> Sent:
        number, sent, ended, status, error = line.split("\t")
        due, place = self._plan.requests[int(number)]
        right = self._plan.mix[place].is_right(int(status))
        return Sent(due, float(sent), float(ended), int(status), right, error)

    def close(self) -> None:
        self._file.close()


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
