"""The API's front door: an ASGI application on loopback.

Refuses what a web page or a stranger could send (a foreign `Host`, any `Origin`, a missing or wrong signature), then
runs the request on the worker thread: a live service where one offers the operation, stock moto otherwise.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any

import msgspec
from botocore import xform_name
from botocore.session import Session
from moto.core.exceptions import ServiceException
from moto.core.request import Request

from miyabi.environment.home import Instance
from miyabi.localcloud.control.authorization import Border, Principals
from miyabi.localcloud.control.calls import Call, call_of, invocation_of, retry_key
from miyabi.localcloud.control.credentials import Keys
from miyabi.localcloud.control.deliveries import Outbox
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.journal import Journal
from miyabi.localcloud.control.refusals import protocol_seen, refusal
from miyabi.localcloud.control.retries import KeptAnswers
from miyabi.localcloud.control.service import Answer, ApiError, Caller, LiveService, answer
from miyabi.localcloud.control.signature import read_scope, verify
from miyabi.localcloud.control.task_endpoint import TaskEndpoint
from miyabi.localcloud.control.work import Stopwatch, Work

log = logging.getLogger(__name__)

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_BODY_LIMIT_BYTES = 64 * 1024 * 1024
_SIGNING_NAMES = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch"}
"""Signature scopes whose botocore service has another name."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Api:
    """The ASGI application."""

    def __init__(
        self,
        instance: Instance,
        engine: Engine,
        journal: Journal,
        keys: Keys,
        services: Mapping[str, LiveService],
        tasks: TaskEndpoint,
        outbox: Outbox,
    ) -> None:
        self._instance = instance
        self._engine = engine
        self._journal = journal
        self._keys = keys
        self._services = services
        self._tasks = tasks
        self._outbox = outbox
        self._border = Border(Principals(instance.account, keys), tasks.roles_of)
        self._kept = KeptAnswers(engine.store)
        self._hosts = {f"{name}:{instance.api_port}" for name in ("127.0.0.1", "localhost")}
        self.work = Work()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request; a WebSocket is refused with 403."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        request_id = secrets.token_hex(16)
        try:
            self._refuse_strangers(headers)
            body = await _read_body(receive)
            incoming = Incoming(scope["method"], f"{path}?{query}" if query else path, headers, body)
            status, out, content = await self._route(path, incoming, request_id)
        except ServiceException as error:
            status, out, content = refusal(protocol_seen(headers), error.code, str(error.message), request_id)
        except sqlite3.OperationalError as error:  # a full disk: the transaction was taken back
            log.error("%s %s was refused: %s", scope["method"], path, error)  # noqa: TRY400 - no traceback each time
            text = f"The local cloud cannot record this now: {error}."
            status, out, content = refusal(protocol_seen(headers), "ServiceUnavailable", text, request_id)
        except Exception as error:
            log.exception("internal error answering %s %s", scope["method"], path)
            status, out, content = refusal(protocol_seen(headers), "InternalFailure", str(error), request_id)
        out.setdefault("x-amzn-RequestId", request_id)
        if scope["method"] != "HEAD" or "content-length" not in map(str.lower, out):
            out = {name: value for name, value in out.items() if name.lower() != "content-length"}
            out["Content-Length"] = str(len(content))
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in out.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})

    def _refuse_strangers(self, headers: Mapping[str, str]) -> None:
        # Browsers say so even where they send no Origin: an image, a form, a navigation from another page.
        if "origin" in headers or headers.get("sec-fetch-site", "none") != "none":
            raise ApiError("AccessDenied", "Requests from web pages are refused.")
        if headers.get("host", "") not in self._hosts:
            raise ApiError("AccessDenied", "This API answers on its own loopback address only.")

    async def _route(self, path: str, incoming: Incoming, request_id: str) -> Answer:
        if path == "/_miyabi/ready":
            return _json({"ready": True, "instance_id": self._instance.instance_id})
        if path == "/_miyabi/work":
            return _json({"calls": self.work.calls, "seconds": self.work.seconds})
        if path.startswith("/_ecs/"):
            return await self._engine.run(self._tasks.answer, path, incoming.headers, self._engine.clock())
        return await self._engine.run(self._answer, incoming, request_id)

    def _answer(self, incoming: Incoming, request_id: str) -> Answer:
        """Runs on the worker thread, in a transaction."""
        watch = Stopwatch()
        now = self._engine.clock()
        scope = read_scope(incoming.headers.get("authorization"))
        verify(
            scope,
            self._keys.secret(scope.access_key, incoming.headers.get("x-amz-security-token"), now=now),
            incoming.method,
            incoming.target,
            incoming.headers,
            incoming.body,
            now=now,
        )
        _require_region(scope.region)
        request = _moto_request(incoming)
        call = call_of(request, scope.service)
        if not self._keys.is_administrator(scope.access_key):
            self._border.check(scope.access_key, request, call, incoming.headers, region=scope.region, now=now)
        caller = Caller(self._instance.account, scope.region, scope.access_key, now)
        live = self._services.get(_SIGNING_NAMES.get(scope.service, scope.service))
        if live is not None and (live.whole or hasattr(live, xform_name(call.operation))):
            result = self._live(live, request, caller, call, request_id)
        else:
            result = self._journal.run(request, scope.service, scope.region, now=now)
            self._outbox.take(now)  # kept with what the request changed, before it is answered
        if not call.is_read:
            self._engine.wake()
        self.work.add(f"{scope.service}:{call.operation or incoming.method}", watch.seconds())
        return result

    def _live(self, live: LiveService, request: Request, caller: Caller, call: Call, request_id: str) -> Answer:
        """Answer a live service's request; a retry of a change gets the answer that the change had."""
        if call.is_read:
            return answer(live, request, caller, request_id)
        target = str(request.environ["RAW_URI"])
        key = retry_key(invocation_of(request), call.service, caller.region, target, request.get_data())
        kept = self._kept.get(key) if key else None
        if kept is not None:
            return kept
        given = answer(live, request, caller, request_id)
        self._kept.put(key, given)
        return given


def _require_region(region: str) -> None:
    if region not in known_regions():
        raise ApiError("InvalidRegion", f"Credential should be scoped to a valid region, not '{region}'.")


@cache
def known_regions() -> frozenset[str]:
    """Return the regions that botocore knows of the partition `aws`."""
    return frozenset(Session().get_available_regions("ec2"))


def _moto_request(incoming: Incoming) -> Request:
    url = f"http://{incoming.headers['host']}{incoming.target}"
    request = Request.from_primitives(incoming.method, url, *_unpacked(incoming))
    request.environ["RAW_URI"] = incoming.target
    request.from_wsgi_server = True
    request.get_data()  # keeps the body for the journal: parsing the form first would use it up
    return request


def _unpacked(incoming: Incoming) -> tuple[Mapping[str, str], bytes]:
    """Return headers and body, as they were before an SDK compressed them."""
    if incoming.headers.get("content-encoding", "").lower() != "gzip":
        return incoming.headers, incoming.body
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        body = unpacker.decompress(incoming.body, _BODY_LIMIT_BYTES)
    except zlib.error as error:
        raise ApiError("SerializationException", f"The body is not gzip as its header says: {error}") from error
    if not unpacker.eof:
        raise ApiError("RequestEntityTooLarge", f"A request may have {_BODY_LIMIT_BYTES} bytes, and must be whole.")
    kept = {name: value for name, value in incoming.headers.items() if name != "content-encoding"}
    return kept | {"content-length": str(len(body))}, body


async def _read_body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ApiError("RequestTimeout", "The client went away.")
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > _BODY_LIMIT_BYTES:
            raise ApiError("RequestEntityTooLarge", f"A request may have {_BODY_LIMIT_BYTES} bytes.")
        if not message.get("more_body"):
            return b"".join(chunks)


def _json(content: object) -> Answer:
    return HTTPStatus.OK, {"Content-Type": "application/json"}, msgspec.json.encode(content)
