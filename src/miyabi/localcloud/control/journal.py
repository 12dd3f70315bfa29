"""What stock moto was asked to change: an append-only file, replayed at start.

A line holds the instant, the seed, the request and the digest of the answer. It is written after the request ran and
before its answer leaves, so nothing acknowledged is lost. A replay runs each request at its recorded instant under its
recorded seed and stops at the first answer that differs. A torn last line was never acknowledged: it is cut.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
from collections import OrderedDict
from datetime import datetime
from pathlib import Path

import msgspec
import time_machine
from moto import __version__ as moto_version
from moto.core.request import Request

from miyabi.localcloud.control.service import Answer, operation_of
from miyabi.localcloud.control.stock import StockServices, backend_name, seed
from miyabi.model.errors import Internal

log = logging.getLogger(__name__)

_INLINE_BYTES = 64 * 1024
_REMEMBERED = 512
_READS = (
    "Describe",
    "List",
    "Get",
    "BatchGet",
    "BatchCheck",
    "Head",
    "Search",
    "Lookup",
    "Simulate",
    "Validate",
)
_DROPPED = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "upgrade",
    "expect",
    "amz-sdk-request",
    "user-agent",
}
_INVOCATION = "amz-sdk-invocation-id"


class Header(msgspec.Struct, frozen=True):
    """The journal's first line."""

    format: int
    moto: str


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One mutating request."""

    at: datetime
    seed: int
    service: str
    region: str
    method: str
    target: str
    headers: dict[str, str]
    body: str
    """Base64, or `sha256:<hex>` of a file in the bodies' directory."""
    digest: str


def is_read(request: Request) -> bool:
    """Say whether a request only reads: by its operation's verb, or by its method for REST services."""
    operation = operation_of(request)
    if operation:
        return operation.startswith(_READS)
    return request.method in {"GET", "HEAD", "OPTIONS"}


class Journal:
    """The journal of one instance, and the stock services that it rebuilds."""

    def __init__(self, directory: Path, stock: StockServices) -> None:
        self._path = directory / "journal.jsonl"
        self._bodies = directory / "bodies"
        self._stock = stock
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self.length = 0
        self._bodies.mkdir(mode=0o700, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        if os.fstat(self._file).st_size == 0:
            self._append(msgspec.json.encode(Header(1, moto_version)))

    def run(self, request: Request, service: str, region: str, *, now: datetime) -> Answer:
        """Run a request through moto; journal it if it changes something.

        service: as in the signature's scope.
        """
        name = backend_name(service, region)
        self._stock.ensure(name, region)
        if is_read(request):
            # Not replayed, so not to be foreseen: a random password must not follow from a seed that is written down.
            seed(int.from_bytes(os.urandom(32)))
            return self._stock.answer(name, request)
        invocation = request.headers.get(_INVOCATION, "")
        if invocation in self._answers:
            return self._answers[invocation]  # the client's retry of a request that was carried out
        chosen = int.from_bytes(os.urandom(6))
        answer = self._execute(request, name, region, chosen, now)
        self._record(request, service, region, chosen, now, answer)
        self._remember(invocation, answer)
        return answer

    def replay(self) -> int:
        """Rebuild the stock services; return how many requests were replayed.

        Raises `Internal` where an answer differs from the recorded one.
        """
        lines = self._path.read_bytes().split(b"\n")
        if lines[-1]:
            log.warning("the journal's last line is torn; it was never acknowledged and is cut")
            os.ftruncate(self._file, os.fstat(self._file).st_size - len(lines[-1]))
        header = msgspec.json.decode(lines[0], type=Header)
        if header.format != 1:
            raise Internal(f"the journal {self._path} has format {header.format}", hint="use the Miyabi that wrote it")
        decoder = msgspec.json.Decoder(Entry)
        for line in lines[1:-1]:
            self._replay_one(decoder.decode(line), header)
            self.length += 1
        return self.length

    def _replay_one(self, entry: Entry, header: Header) -> None:
        host = entry.headers.get("host", "127.0.0.1")
        request = Request.from_primitives(
            entry.method, f"http://{host}{entry.target}", entry.headers, self._body(entry)
        )
        request.environ["RAW_URI"] = entry.target
        name = backend_name(entry.service, entry.region)
        answer = self._execute(request, name, entry.region, entry.seed, entry.at)
        if _digest(answer) != entry.digest:
            raise Internal(
                f"replaying {operation_of(request) or entry.target} of {entry.at.isoformat()} gave another answer "
                f"(journal written with moto {header.moto}, this is {moto_version})",
                hint="install the version of Miyabi that wrote it, or start afresh with `miyabi destroy`",
            )
        self._remember(entry.headers.get(_INVOCATION, ""), answer)

    def _execute(self, request: Request, name: str, region: str, chosen: int, at: datetime) -> Answer:
        """Run a change at the instant, and under the seed, that its entry records: a replay then gives the same."""
        with time_machine.travel(at, tick=False):
            self._stock.ensure(name, region)
            seed(chosen)
            return self._stock.answer(name, request)

    def _record(self, request: Request, service: str, region: str, chosen: int, now: datetime, answer: Answer) -> None:
        headers = {name.lower(): value for name, value in request.headers.items() if name.lower() not in _DROPPED}
        if "authorization" in headers:  # the signature is a secret's proof; who signed is what a replay needs
            headers["authorization"] = headers["authorization"].partition(", SignedHeaders")[0]
        body = request.get_data()
        entry = Entry(
            at=now,
            seed=chosen,
            service=service,
            region=region,
            method=request.method,
            target=request.environ.get("RAW_URI") or request.full_path,
            headers=headers,
            body=self._keep(body),
            digest=_digest(answer),
        )
        self._append(msgspec.json.encode(entry))
        self.length += 1

    def _keep(self, body: bytes) -> str:
        if len(body) <= _INLINE_BYTES:
            return base64.b64encode(body).decode()
        name = hashlib.sha256(body).hexdigest()
        path = self._bodies / name
        if not path.exists():
            temporary = path.with_suffix(".part")
            temporary.touch(mode=0o600)
            temporary.write_bytes(body)
            temporary.replace(path)
        return f"sha256:{name}"

    def _body(self, entry: Entry) -> bytes:
        if entry.body.startswith("sha256:"):
            return (self._bodies / entry.body.removeprefix("sha256:")).read_bytes()
        return base64.b64decode(entry.body)

    def _append(self, line: bytes) -> None:
        os.write(self._file, line + b"\n")

    def _remember(self, invocation: str, answer: Answer) -> None:
        if invocation:
            self._answers[invocation] = answer
            if len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)

    def close(self) -> None:
        """Flush to disk and close."""
        os.fsync(self._file)
        os.close(self._file)


def _digest(answer: Answer) -> str:
    status, _, body = answer
    return hashlib.sha256(str(status).encode() + b"\n" + body).hexdigest()[:32]
