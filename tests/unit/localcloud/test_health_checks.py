"""The loop that probes targets ends cleanly, and no failure of a probe is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from miyabi.localcloud.control.elbv2.checks import CheckLoop, probe
from miyabi.localcloud.control.elbv2.targets import Checked, Targets
from miyabi.localcloud.control.engine import Engine
from miyabi.model.load_balancing import HealthCheck, Target
from miyabi.policy.target_health import FAILED, REGISTERED, CheckResult

ADDRESS = "127.0.0.1"


class Inline:
    """An engine without a thread."""

    def clock(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    async def run(self, call: Callable[..., Any], *args: Any) -> Any:
        return call(*args)


class Rows:
    """One target, and what its checks saw."""

    def __init__(self, port: int, check: HealthCheck) -> None:
        self.checked = Checked("us-west-2", Target("tg", ADDRESS, port, None, REGISTERED), check)
        self.results: list[CheckResult] = []
        self.seen = asyncio.Event()

    def checked_targets(self) -> list[Checked]:
        return [self.checked]

    def record_checks(self, results: Sequence[tuple[Checked, CheckResult]], now: datetime) -> None:
        assert now
        self.results += [result for _, result in results]
        self.seen.set()


def loop_over(rows: Rows) -> CheckLoop:
    return CheckLoop(cast("Engine", Inline()), cast("Targets", rows))


@pytest.mark.parametrize("port", [-1, 65536, 99999999])
def test_a_port_that_is_none_is_a_failed_check(port: int) -> None:
    assert asyncio.run(probe(ADDRESS, port, HealthCheck())) == FAILED


def test_a_check_that_cannot_be_made_is_a_failed_one_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> list[CheckResult]:
        rows = Rows(80, HealthCheck(timeout=cast("timedelta", None)))
        checks = loop_over(rows)
        await checks.step()
        await asyncio.wait_for(rows.seen.wait(), 5)
        await checks.close()
        return rows.results

    assert asyncio.run(check()) == [FAILED]
    assert "the health check of tg|127.0.0.1:80 cannot be made" in caplog.text


def test_closing_abandons_the_checks_that_are_running() -> None:
    async def close() -> tuple[int, list[CheckResult]]:
        accepted = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.set()
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, ADDRESS, 0)
        rows = Rows(server.sockets[0].getsockname()[1], HealthCheck())
        checks = loop_over(rows)
        await checks.step()
        await asyncio.wait_for(accepted.wait(), 5)
        await checks.close()
        server.close()
        await server.wait_closed()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        return len([task for task in left if "CheckLoop" in repr(task)]), rows.results

    assert asyncio.run(close()) == (0, [])


def test_a_look_during_a_check_does_not_put_off_the_next_one() -> None:
    async def look_twice() -> list[timedelta]:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, ADDRESS, 0)
        rows = Rows(server.sockets[0].getsockname()[1], HealthCheck())
        checks = loop_over(rows)
        pauses = [await checks.step(), await checks.step()]
        await checks.close()
        server.close()
        await server.wait_closed()
        return pauses

    first, second = asyncio.run(look_twice())
    assert first == second == timedelta(seconds=1)
