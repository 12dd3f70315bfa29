"""What the service takes from its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import msgspec

from miyabi.model.errors import InvalidInput

_DATABASE_PARTS = ("DATABASE_PORT", "DATABASE_NAME", "DATABASE_USER", "DATABASE_PASSWORD")


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """PostgreSQL, and how many connections one task may hold to it."""

    url: str = field(repr=False)
    """With user and password: postgresql://user:password@host:port/name."""
    connections_min: int = 10
    connections_max: int = 20
    statement_timeout_seconds: float = 5.0
    slow_statement_seconds: float = 1.0
    connect_timeout_seconds: float = 2.0
    """To wait for a connection: a free one of the pool, or a new one."""


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """Redis."""

    url: str = field(repr=False)
    connections_max: int = 20
    timeout_seconds: float = 0.25
    """For anything that is asked of it: the database answers nearly as fast."""
    pause_seconds: float = 1.0
    """How long a cache that failed is left alone."""
    keep_seconds: int = 300


@dataclass(frozen=True, slots=True)
class Settings:
    """How the service runs."""

    host: str = "localhost"
    port: int = 8080
    metadata_uri: str | None = None
    """Where ECS tells a task about itself; None outside of ECS."""
    database: DatabaseSettings | None = None
    cache: CacheSettings | None = None
    api_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Who may use /v1, by name, and the key that proves it."""
    body_limit_bytes: int = 1024 * 1024
    body_timeout_seconds: float = 30.0
    """How long a request's body may take to arrive."""
    check_timeout_seconds: float = 0.4
    """How long /health waits for a dependency."""
    keep_alive_seconds: int = 75
    """Longer than the load balancer's idle timeout of 60 s: or it may reuse one that just closed."""
    stop_timeout_seconds: int = 25
    """For open requests after SIGTERM; ECS kills after 30 s."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings; `InvalidInput` for what cannot be used, naming the variable and never its secret."""
    return Settings(
        host=environment.get("HOST") or "localhost",
        port=_number(environment, "PORT", 8080, 65535),
        metadata_uri=environment.get("ECS_CONTAINER_METADATA_URI_V4") or None,
        database=_database(environment),
        cache=_cache(environment),
        api_keys=_api_keys(environment.get("API_KEYS") or "{}"),
    )


def _number(environment: Mapping[str, str], name: str, default: int, largest: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or int(text) > largest:
        raise InvalidInput(f"{name} is '{text}'", hint=f"give a number up to {largest}")
    return int(text)


def _database(environment: Mapping[str, str]) -> DatabaseSettings | None:
    url = environment.get("DATABASE_URL") or _database_url(environment)
    if url is None:
        return None
    _check_url("DATABASE_URL", url, ("postgresql", "postgres"))
    smallest = _number(environment, "DATABASE_POOL_MIN", 10, 1000)
    largest = _number(environment, "DATABASE_POOL_MAX", 20, 1000)
    if not 0 < smallest <= largest:
        raise InvalidInput(
            f"DATABASE_POOL_MIN is {smallest} and DATABASE_POOL_MAX {largest}",
            hint="give at least 1, and a maximum that is not below the minimum",
        )
    return DatabaseSettings(url, smallest, largest)


def _database_url(environment: Mapping[str, str]) -> str | None:
    """Return the URL that the parts make: on ECS only the password comes from a secret."""
    host = environment.get("DATABASE_HOST")
    if not host:
        return None
    missing = [name for name in _DATABASE_PARTS[1:] if not environment.get(name)]
    if missing:
        raise InvalidInput(f"DATABASE_HOST is set, but {missing[0]} is not", hint="set it, or give DATABASE_URL")
    name, user, password = (quote(environment[part], safe="") for part in _DATABASE_PARTS[1:])
    address = f"[{host}]" if ":" in host else host
    port = _number(environment, "DATABASE_PORT", 5432, 65535)
    sslmode = environment.get("DATABASE_SSLMODE")
    query = f"?sslmode={quote(sslmode, safe='')}" if sslmode else ""
    return f"postgresql://{user}:{password}@{address}:{port}/{name}{query}"


def _cache(environment: Mapping[str, str]) -> CacheSettings | None:
    url = environment.get("REDIS_URL")
    if not url:
        return None
    _check_url("REDIS_URL", url, ("redis", "rediss"))
    return CacheSettings(url)


def _check_url(name: str, url: str, schemes: tuple[str, ...]) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        usable = False
    if not usable:
        raise InvalidInput(f"{name} cannot be used", hint=f"it begins with {schemes[0]}:// and names a host")


def _api_keys(text: str) -> dict[str, str]:
    try:
        keys = msgspec.json.decode(text, type=dict[str, str])
    except msgspec.MsgspecError as error:
        # The decoder's own words could quote a key.
        raise InvalidInput("API_KEYS is not a JSON object of names and keys", hint='{"admin": "<key>"}') from error
    if not all(keys.values()):
        raise InvalidInput("API_KEYS has an empty key", hint='{"admin": "<key>"}')
    return keys
