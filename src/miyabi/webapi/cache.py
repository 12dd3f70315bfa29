"""Redis: values that are cheaper to find there than in the database. Without it everything still works."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from miyabi.model.errors import Unavailable
from miyabi.webapi.settings import CacheSettings

log = logging.getLogger(__name__)

Load = Callable[[], Awaitable[bytes | None]]

_STALE_RETRIES = 1
"""A connection of the pool may be one to a server that has gone: a second try opens a new one."""


class Cache:
    """Asks Redis for at most `timeout_seconds`. One that fails is a miss, and is left alone for a moment."""

    def __init__(self, settings: CacheSettings) -> None:
        self._settings = settings
        self._pool = BlockingConnectionPool.from_url(
            settings.url,
            max_connections=settings.connections_max,
            timeout=settings.timeout_seconds,
            socket_timeout=settings.timeout_seconds,
            socket_connect_timeout=settings.timeout_seconds,
            retry=Retry(NoBackoff(), _STALE_RETRIES),
        )
        self._redis = Redis.from_pool(self._pool)
        self._asked_again_at = 0.0
        self.reason: str | None = None
        """Why it is not up; None while it is."""

    async def get(self, key: str) -> bytes | None:
        """Return the value; None where there is none, or no cache."""
        if time.monotonic() < self._asked_again_at:
            return None
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                value: bytes | None = await self._redis.get(key)
        except (RedisError, OSError) as error:
            self._failed(error)
            return None
        self._answered()
        return value

    async def put(self, key: str, value: bytes) -> None:
        """Keep a value for a while, where there is a cache."""
        if time.monotonic() < self._asked_again_at:
            return
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                await self._redis.set(key, value, ex=self._settings.keep_seconds)
        except (RedisError, OSError) as error:
            self._failed(error)
        else:
            self._answered()

    async def probe(self) -> dict[str, object]:
        """Ask for an answer. Raises `Unavailable`."""
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                await cast("Awaitable[bool]", self._redis.ping())
        except (RedisError, OSError) as error:
            self._failed(error)
            raise Unavailable("the cache does not answer") from error
        self._answered()
        return {}

    async def close(self) -> None:
        """Let go of every connection."""
        await self._redis.aclose()
        await self._pool.disconnect()

    def _failed(self, error: Exception) -> None:
        self._asked_again_at = time.monotonic() + self._settings.pause_seconds
        if self.reason is None:
            self.reason = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
            log.warning("the cache is down, everything is read from the database: %s: %s", self.reason, error)

    def _answered(self) -> None:
        self._asked_again_at = 0.0
        if self.reason is not None:
            self.reason = None
            log.info("the cache is up")


class ReadThrough:
    """Reads through the cache; many readers of one cold key make one load."""

    def __init__(self, cache: Cache | None) -> None:
        self._cache = cache
        self._loads: dict[str, asyncio.Task[bytes | None]] = {}

    async def get(self, key: str, load: Load) -> tuple[bytes | None, bool]:
        """Return the value, and whether it was in the cache; None where `load` finds none."""
        found = await self._cache.get(key) if self._cache is not None else None
        if found is not None:
            return found, True
        task = self._loads.get(key)
        if task is None:
            task = asyncio.create_task(self._load(key, load))
            self._loads[key] = task
            task.add_done_callback(lambda done: self._loaded(key, done))
        # One reader that goes away must not take the load from the others, nor break its connection.
        return await asyncio.shield(task), False

    async def put(self, key: str, value: bytes) -> None:
        """Keep a value that has just been made."""
        if self._cache is not None:
            await self._cache.put(key, value)

    async def _load(self, key: str, load: Load) -> bytes | None:
        value = await load()
        if value is not None:
            await self.put(key, value)
        return value

    def _loaded(self, key: str, done: asyncio.Task[bytes | None]) -> None:
        self._loads.pop(key, None)
        if not done.cancelled():
            done.exception()  # it may be that nobody waits for it any more
