"""The services that only record: stock moto, called without its web server.

One thread calls it. Its randomness is pinned per request and per backend, so a journal of the mutating requests
rebuilds the same ids.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import time_machine
from botocore.exceptions import ClientError
from moto.backend_index import backend_url_patterns
from moto.backends import get_backend
from moto.core.base_backend import BackendDict
from moto.core.exceptions import ServiceException
from moto.core.request import Request
from moto.moto_api._internal import mock_random
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, Map, MapAdapter, Rule

from miyabi.localcloud.control.api_error import Answer, ApiError
from miyabi.localcloud.control.calls import Call
from miyabi.localcloud.control.instantiation import install
from miyabi.localcloud.control.randomness import Randomness
from miyabi.localcloud.control.refusals import refusal, wording

log = logging.getLogger(__name__)

_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS")
_HIDDEN = {"moto_api", "instance_metadata"}
"""moto's own control routes: they can reset everything, so they are not served."""
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
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


def ignore(_service: str, _region: str, _at: datetime) -> None:
    """Take no notice of a new backend."""


class StockServices:
    """moto's services for one account."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._routes: dict[str, MapAdapter] = {}
        self._ready: set[tuple[str, str]] = set()
        self._fresh = False
        self._nested = False
        self.randomness = Randomness()
        self.notice: Callable[[str, str, datetime], None] = ignore
        """Called when a backend was made outside a request to it: a replay makes it at that instant too."""
        install(self._make)

    def ensure(self, name: str, region: str) -> None:
        """Create a service's backend for a region unless it is there.

        Every request of moto looks its key up in IAM, so IAM comes first. Raises `ApiError` where the service is not
        offered in the region.
        """
        if (name, region) in self._ready:
            return
        backends = _backends(name)
        if name != "iam":
            self.ensure("iam", region)
        at = datetime.now(UTC)
        with time_machine.travel(at, tick=False), self.randomness.pinned(_seed(name, self._account, region)):
            fresh = self._noted(lambda: self._prepare(name, region, backends))
        self._ready.add((name, region))
        if fresh and not self._nested:
            self.notice(name, region, at)

    def ready(self) -> list[tuple[str, str]]:
        """Return the backends that requests have used: service and region, in moto's names."""
        return sorted(self._ready)

    def answer(self, name: str, request: Request, call: Call) -> Answer:
        """Run one request through a moto service whose backend exists. What goes wrong inside is an answer too."""
        try:
            view, _ = self._routes[name].match(request.path, request.method)
        except HTTPException:
            return _refusal(call, "UnknownPath", f"{call.service} has no {request.method} {request.path}.")
        return _finish(request, view, call)

    def run(self, name: str, region: str, request: Request, call: Call) -> tuple[Answer, bool]:
        """Answer a request; return also whether it was the first use of another backend."""
        answers: list[Answer] = []
        self.ensure(name, region)
        fresh = self._noted(lambda: answers.append(self.answer(name, request, call)))
        return answers[0], fresh

    def _noted(self, act: Callable[[], None]) -> bool:
        """Act; return whether that made a backend, which is then not announced by itself."""
        outer = self._nested, self._fresh
        self._nested, self._fresh = True, False
        try:
            act()
            return self._fresh
        finally:
            self._nested, self._fresh = outer[0], outer[1] or self._fresh

    def _make(self, service: str, account: str, region: str, make: Callable[[], Any]) -> Any:
        at = datetime.now(UTC)
        with time_machine.travel(at, tick=False), self.randomness.pinned(_seed(service, account, region)):
            backend = make()
        self._fresh = True
        if not self._nested:
            self.notice(service, region, at)
        return backend

    def _prepare(self, name: str, region: str, backends: Any) -> None:
        if isinstance(backends, BackendDict):
            account = backends[self._account]
            try:
                account[region if region in account.regions else "aws"]
            except KeyError as error:
                raise ApiError("InvalidRegion", f"{name} is not offered in the region {region}.") from error
        if name not in self._routes:
            self._routes[name] = self._map(name).bind("127.0.0.1")

    def _map(self, name: str) -> Map:
        backends = _backends(name)
        account = backends[self._account] if isinstance(backends, BackendDict) else backends
        backend = next(iter(account.values()))
        rules = [
            Rule(path, endpoint=view, methods=_METHODS, strict_slashes=False, merge_slashes=False)
            for path, view in backend.flask_paths.items()
            if path
        ]
        return Map(rules, converters={"regex": _Regex}, merge_slashes=False)


def _backends(name: str) -> Any:
    try:
        return get_backend(name)  # type: ignore[call-overload]
    except ImportError as error:
        raise ApiError("UnsupportedOperation", f"The local cloud does not offer {name}: {error}") from error


def _seed(service: str, account: str, region: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{service}/{account}/{region}".encode()).digest()[:8])


def _finish(request: Request, view: Callable[..., Any], call: Call) -> Answer:
    try:
        result = view(request, request.raw_url, dict(request.headers))
    except HTTPException as error:
        if type(error).__module__.startswith("werkzeug"):  # moto's own have bodies in the protocol
            return _refusal(call, "ValidationError", str(error.description))
        result = error.code or 400, dict(error.get_headers()), error.get_body()
    except Exception as error:
        code, message = _worded(error)
        if code == "ValidationError":
            log.exception("moto failed at %s:%s", call.service, call.operation or request.path)
        return _refusal(call, code, message)
    status, headers, body = result if len(result) == 3 else (200, {}, result)
    content = body.encode() if isinstance(body, str) else bytes(body or b"")
    # The answer to HEAD has no body, but the length of the one that GET would bring.
    dropped = {"status"} if request.method == "HEAD" else {"status", "content-length"}
    kept = {str(name): str(value) for name, value in headers.items() if str(name).lower() not in dropped}
    return int(status), kept, content


def _worded(error: Exception) -> tuple[str, str]:
    """Return the code and message of what escaped from moto.

    A plain Python error is nearly always a parameter that moto did not expect. SDKs repeat what fails with status
    500, which mends nothing, so it is the request that is refused.
    """
    match error:
        case ServiceException():
            return error.code, str(error.message)
        case ClientError():
            return str(error.response["Error"]["Code"]), str(error.response["Error"]["Message"])
        case json.JSONDecodeError():
            return "SerializationException", f"The body is not JSON: {error}"
        case NotImplementedError():
            return "UnsupportedOperation", f"The local cloud does not offer this operation yet: {error}"
    text = _ADDRESS.sub("", f"{type(error).__name__}: {error}")
    return "ValidationError", f"The local cloud could not carry this request out: {text}"


def _refusal(call: Call, code: str, message: str) -> Answer:
    return refusal(wording(call.service, call.protocol), code, message, str(mock_random.uuid4()))
