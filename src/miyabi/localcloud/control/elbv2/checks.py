"""The loop that probes targets as a load balancer does: each at its own pace, many at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta

from miyabi.localcloud.control.elbv2.targets import Checked, Targets
from miyabi.localcloud.control.engine import Engine
from miyabi.model.load_balancing import TRAFFIC_PORT, HealthCheck
from miyabi.policy.target_health import FAILED, TIMED_OUT, CheckResult, judge_status, next_check_after
from miyabi.policy.tempo import WALL, Tempo

log = logging.getLogger(__name__)

_IDLE = timedelta(seconds=5)
_UNDER_WAY = timedelta(milliseconds=100)
_SHORTEST = timedelta(milliseconds=250)
_AT_ONCE = 64
_HEAD_BYTES = 1 << 16
_Key = tuple[str, str]


class CheckLoop:
    """Starts the checks that are due and hands their results to the service in batches."""

    name = "elbv2-checks"

    def __init__(self, engine: Engine, service: Targets, tempo: Tempo = WALL) -> None:
        self._engine = engine
        self._service = service
        self._tempo = tempo
        self._started: dict[_Key, datetime] = {}
        self._running: dict[_Key, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._results: list[tuple[Checked, CheckResult]] = []
        self._flush: asyncio.Task[None] | None = None

    async def step(self) -> timedelta:
        """Start what is due; return when the next check is."""
        wanted = await self._engine.run(self._service.checked_targets)
        now = self._engine.clock()
        keys = {_key(checked) for checked in wanted}
        self._started = {key: at for key, at in self._started.items() if key in keys}
        pauses = [_IDLE]
        for checked in wanted:
            key = _key(checked)
            interval = next_check_after(checked.target.health, checked.check)
            if interval is None:
                continue
            interval = max(self._tempo.shortened(interval), min(interval, _SHORTEST))
            last = self._started.get(key)
            if key in self._running:  # its next one is not to be missed: nothing wakes this loop when a check ends
                pauses.append(max(_UNDER_WAY, (last or now) + interval - now))
            elif last is None or now >= last + interval:
                self._started[key] = now
                self._running[key] = asyncio.create_task(self._check(checked))
                pauses.append(interval)
            else:
                pauses.append(last + interval - now)
        return max(min(pauses), timedelta(milliseconds=20))

    async def close(self) -> None:
        """Abandon the checks that are running: the loop takes no further step."""
        tasks = [*self._running.values(), *([self._flush] if self._flush else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()  # a task that had not begun removes nothing

    async def _check(self, checked: Checked) -> None:
        try:
            async with self._slots:
                result = await probe(checked.target.address, checked.target.port, checked.check)
        except Exception:
            log.exception("the health check of %s cannot be made", checked.target.key)
            result = FAILED
        finally:
            self._running.pop(_key(checked), None)
        self._results.append((checked, result))
        if self._flush is None:
            self._flush = asyncio.create_task(self._record())

    async def _record(self) -> None:
        """Hand over what has come in, and what comes in meanwhile."""
        try:
            while self._results:
                batch, self._results = self._results, []
                await self._engine.run(self._service.record_checks, batch, self._engine.clock())
        except Exception:
            log.exception("the results of health checks are lost; the next checks replace them")
        finally:
            self._flush = None


def _key(checked: Checked) -> _Key:
    return checked.region, checked.target.key


async def probe(address: str, port: int, check: HealthCheck) -> CheckResult:
    """Send one health check: an HTTP/1.1 GET that says what AWS's says."""
    checked_port = port if check.port == TRAFFIC_PORT else int(check.port)
    try:
        async with asyncio.timeout(check.timeout.total_seconds()):
            status = await _status(address, checked_port, check.path)
    except TimeoutError:
        return TIMED_OUT
    except (OSError, EOFError, ValueError, OverflowError):  # the last: a port that is none
        return FAILED
    return judge_status(status, check.matcher)


async def _status(address: str, port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection(address, port, limit=_HEAD_BYTES)
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {address}:{port}\r\nConnection: close\r\n"
            "User-Agent: ELB-HealthChecker/2.0\r\nAccept-Encoding: gzip, compressed\r\n\r\n".encode()
        )
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError as error:
            raise ValueError("the head of the answer is too long") from error
        version, status, *_ = head.split(b"\r\n", 1)[0].split(b" ", 2)
        if not version.startswith(b"HTTP/1."):
            raise ValueError("not an HTTP answer")
        # Take the body too, or the target sees its answer refused.
        await reader.read(_HEAD_BYTES)
        return int(status)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
