"""The services that only record: stock moto, called without its web server.

One thread calls it. Its randomness is seeded per request and per backend, so a journal of the mutating requests
rebuilds the same ids.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from functools import cache
from typing import Any

from botocore.exceptions import ClientError
from moto.backend_index import backend_url_patterns
from moto.backends import get_backend
from moto.core.base_backend import BackendDict
from moto.core.request import Request
from moto.moto_api._internal import mock_random
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, Map, MapAdapter, Rule

from miyabi.localcloud.control.service import Answer, ApiError

_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS")
_HIDDEN = {"moto_api", "instance_metadata"}
"""moto's own control routes: they can reset everything, so they are not served."""
_REGIONLESS = {"budgets", "cloudfront"}


class _Regex(BaseConverter):
    """moto's paths carry their own regular expressions: `<regex("..."):name>`."""

    part_isolating = False

    def __init__(self, url_map: Map, pattern: str) -> None:
        super().__init__(url_map)
        self.regex = pattern


@cache
def backend_name(service: str, region: str) -> str:
    """Return moto's name of the service that requests are signed for; `ApiError` where moto has none."""
    if service == "dynamodb":
        return "dynamodb"
    host = f"{service}.amazonaws.com" if service in _REGIONLESS else f"{service}.{region}.amazonaws.com"
    for name, pattern in backend_url_patterns:
        if name not in _HIDDEN and pattern.match(f"https://{host}"):
            return str(name)
    raise ApiError("InvalidAction", f"The local cloud does not know the service {service}.")


def seed(value: int) -> None:
    """Make moto's next random choices those of `value`."""
    mock_random.seed(value)
    random.seed(value)


class StockServices:
    """moto's services for one account."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._routes: dict[str, MapAdapter] = {}
        self._ready: set[tuple[str, str]] = set()

    def ensure(self, name: str, region: str) -> None:
        """Create a service's backend for a region under its own seed: its ids do not depend on who asks first.

        Every request of moto looks its key up in IAM, so IAM comes first. The routes are made here too, because making
        them may use up randomness.
        """
        if (name, region) in self._ready:
            return
        if name != "iam":
            self.ensure("iam", region)
        seed(int.from_bytes(hashlib.sha256(f"{name}/{region}".encode()).digest()[:8]))
        backends = get_backend(name)  # type: ignore[call-overload]
        if isinstance(backends, BackendDict):
            account = backends[self._account]
            account[region if region in account.regions else "aws"]
        if name not in self._routes:
            self._routes[name] = self._map(name).bind("127.0.0.1")
        self._ready.add((name, region))

    def answer(self, name: str, request: Request) -> Answer:
        """Run one request through a moto service whose backend exists."""
        try:
            view, _ = self._routes[name].match(request.path, request.method)
        except HTTPException as error:
            return error.code or 404, {}, b""
        return _finish(request, view)

    def _map(self, name: str) -> Map:
        backends = get_backend(name)  # type: ignore[call-overload]
        account = backends[self._account] if isinstance(backends, BackendDict) else backends
        backend = next(iter(account.values()))
        rules = [
            Rule(path, endpoint=view, methods=_METHODS, strict_slashes=False, merge_slashes=False)
            for path, view in backend.flask_paths.items()
            if path
        ]
        return Map(rules, converters={"regex": _Regex}, merge_slashes=False)


def _finish(request: Request, view: Callable[..., Any]) -> Answer:
    try:
        result = view(request, request.raw_url, dict(request.headers))
    except ClientError as error:
        result = 400, {}, str(error.response["Error"]["Message"])
    except HTTPException as error:
        result = error.code or 400, dict(error.get_headers()), error.get_body()
    except NotImplementedError as error:
        raise ApiError("UnsupportedOperation", f"The local cloud does not offer this operation yet: {error}") from error
    status, headers, body = result if len(result) == 3 else (200, {}, result)
    content = body.encode() if isinstance(body, str) else bytes(body or b"")
    kept = {
        str(name): str(value)
        for name, value in headers.items()
        if str(name).lower() not in {"status", "content-length"}
    }
    return int(status), kept, content
