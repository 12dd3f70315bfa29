"""What the service takes from its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from miyabi.model.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Settings:
    """How the service runs."""

    host: str = "localhost"
    port: int = 8080
    metadata_uri: str | None = None
    """Where ECS tells a task about itself; None outside of ECS."""
    body_limit_bytes: int = 1024 * 1024
    body_timeout_seconds: float = 30.0
    """How long a request's body may take to arrive."""
    keep_alive_seconds: int = 75
    """Longer than the load balancer's idle timeout of 60 s: or it may reuse one that just closed."""
    stop_timeout_seconds: int = 25
    """For open requests after SIGTERM; ECS kills after 30 s."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings; `InvalidInput` for a port that is none."""
    port = environment.get("PORT") or "8080"
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise InvalidInput(f"PORT is '{port}'", hint="give a number up to 65535")
    return Settings(
        host=environment.get("HOST") or "localhost",
        port=int(port),
        metadata_uri=environment.get("ECS_CONTAINER_METADATA_URI_V4") or None,
    )
