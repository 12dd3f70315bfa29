"""Reading through the cache."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from miyabi.webapi.cache import ReadThrough


class Loads:
    """A slow place to load from."""

    def __init__(self, value: bytes | None = b"value") -> None:
        self.value = value
        self.count = 0
        self.go = asyncio.Event()

    async def __call__(self) -> bytes | None:
        self.count += 1
        await self.go.wait()
        return self.value


def test_readers_of_one_cold_key_share_a_load_and_the_next_one_loads_again() -> None:
    async def scenario() -> None:
        reads, loads = ReadThrough(None), Loads()
        readers = [asyncio.create_task(reads.get("key", loads)) for _ in range(50)]
        await asyncio.sleep(0)
        loads.go.set()
        assert await asyncio.gather(*readers) == [(b"value", False)] * 50
        assert loads.count == 1
        assert await reads.get("key", loads) == (b"value", False)
        assert loads.count == 2

    asyncio.run(scenario())


def test_a_reader_that_goes_away_does_not_take_the_load_from_the_others() -> None:
    async def scenario() -> None:
        reads, loads = ReadThrough(None), Loads()
        first, second = (asyncio.create_task(reads.get("key", loads)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
        loads.go.set()
        assert await second == (b"value", False)
        assert loads.count == 1

    asyncio.run(scenario())


def test_a_load_that_fails_fails_for_all_and_is_not_kept() -> None:
    async def scenario() -> None:
        reads = ReadThrough(None)

        async def fail() -> bytes | None:
            raise OSError("gone")

        for _ in range(2):
            with pytest.raises(OSError, match="gone"):
                await reads.get("key", fail)
        assert await reads.get("key", found) == (b"found", False)

    async def found() -> bytes | None:
        return b"found"

    asyncio.run(scenario())
