"""The checks of /health: bounded, shared, honest."""

from __future__ import annotations

import asyncio

from miyabi.model.errors import Unavailable
from miyabi.webapi.health import Body, Check, run_checks


class Dependency:
    """Answers when it is told to."""

    def __init__(self, *, fails: bool = False) -> None:
        self.reason: str | None = None
        self.fails = fails
        self.probes = 0
        self.go = asyncio.Event()

    async def probe(self) -> Body:
        self.probes += 1
        await self.go.wait()
        if self.fails:
            raise Unavailable("no")
        return {"more": 1}


def test_a_dependency_that_answers_is_ok_with_its_latency() -> None:
    async def scenario() -> None:
        dependency = Dependency()
        dependency.go.set()
        found = (await run_checks({"database": Check(dependency, 5), "cache": Check(None, 5)})) | {}
        assert found["cache"] == {"status": "unconfigured"}
        latency = found["database"].pop("latency_ms")
        assert isinstance(latency, float)
        assert found["database"] == {"status": "ok", "more": 1}

    asyncio.run(scenario())


def test_one_that_hangs_is_down_in_time_and_is_asked_once_until_it_answers() -> None:
    async def scenario() -> None:
        dependency = Dependency()
        check = Check(dependency, 0.01)
        answers = await asyncio.gather(*(check() for _ in range(5)))
        assert answers == [{"status": "down", "reason": "no answer in time"}] * 5
        assert dependency.probes == 1
        dependency.go.set()
        await asyncio.sleep(0)
        assert (await Check(dependency, 5)())["status"] == "ok"

    asyncio.run(scenario())


def test_one_that_refuses_is_down_with_its_reason() -> None:
    async def scenario() -> None:
        dependency = Dependency(fails=True)
        dependency.go.set()
        dependency.reason = "ConnectionRefusedError"
        assert await Check(dependency, 5)() == {"status": "down", "reason": "ConnectionRefusedError"}

    asyncio.run(scenario())
