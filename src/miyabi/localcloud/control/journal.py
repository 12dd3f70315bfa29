"""What stock moto was asked to change: append-only files, replayed at start.

A line holds the instant, the seed, the request and the digest of the answer. It is written after the request ran and
before its answer leaves, so nothing acknowledged is lost. A replay runs each request at its recorded instant under its
recorded seed and stops at the first answer that differs. A torn last line was never acknowledged: it is cut.

Backends are made by the first request that needs them, which may be a read or a request to another service; so that is
recorded as well.

The journal is divided into segments. A snapshot, made and checked by other processes (`compaction.py`), stands for the
segments before it: the start loads it and replays the rest. One that is another version's, or damaged, is passed over
for the whole history, as far as the archive has it.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import re
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import msgspec
import time_machine
from moto import __version__ as moto_version
from moto.core.request import Request

from miyabi.environment.home import write_private
from miyabi.localcloud.control import snapshot
from miyabi.localcloud.control.api_error import Answer, ApiError
from miyabi.localcloud.control.calls import Call, call_of, invocation_of, refuse_malformed, retry_key
from miyabi.localcloud.control.journal_entries import (
    AFRESH,
    FORMAT,
    SUBSCRIBERS_APART,
    Entry,
    Header,
    Made,
    decoded,
    digest_of,
)
from miyabi.localcloud.control.journal_file import JournalFile, sync_directory
from miyabi.localcloud.control.journal_layout import JournalLayout
from miyabi.localcloud.control.stock import StockServices, backend_name, ignore
from miyabi.localcloud.control.stock_objects import State, Unrestorable, backends, registries
from miyabi.model.errors import Internal

log = logging.getLogger(__name__)

_INLINE_BYTES = 64 * 1024
_REMEMBERED = 512
_ENTRY_BYTES = 16 * 1024
"""More than an entry takes beside its body."""
_BODY = re.compile(rb'"body":"sha256:([0-9a-f]{64})"')
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


class Journal:
    """The journal of one instance, and the stock services that it rebuilds."""

    def __init__(
        self,
        directory: Path,
        stock: StockServices,
        *,
        end: Callable[[OSError], NoReturn] | None = None,
        reads_only: bool = False,
    ) -> None:
        """Open or begin the journal.

        end: what to do when an entry could not be written. moto then knows more than the journal, so by default the
        process ends; the supervisor starts it again and what was acknowledged is replayed.
        reads_only: beside another process, which writes it.
        """
        self._bodies = directory / "bodies"
        self.layout = JournalLayout(directory / "journal")
        self._stock = stock
        self._end = end or _end_process
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self.length = 0
        self.segment = max([1, *self.layout.segments(), *self.layout.snapshots()])
        self.uncompacted = 0
        """Entries that no snapshot holds: what the next start replays."""
        if reads_only:
            return
        self._bodies.mkdir(mode=0o700, exist_ok=True)
        self.layout.create()
        self._file = self._open_segment()
        stock.notice = self._made

    def run(self, request: Request, service: str, region: str, *, now: datetime) -> Answer:
        """Run a request through moto; journal it if it changes something.

        service: as in the signature's scope. Raises `ApiError` where the request cannot be moto's.
        """
        call = call_of(request, service)
        name = backend_name(service, region)
        refuse_malformed(call, request.get_data())
        key = retry_key(invocation_of(request), service, region, _target(request), request.get_data())
        if not call.is_read and key in self._answers:
            return self._answers[key]  # the client's retry of a request that was carried out
        body = "" if call.is_read else self._reserve(request)
        self._stock.ensure(name, region)
        seed = int.from_bytes(os.urandom(7))
        answer, fresh = self._execute(request, call, name, region, seed, now)
        if call.is_read and not fresh:
            self._stock.randomness.take_keys()
            return answer
        digest = "" if call.is_read else digest_of(answer)
        self._write(lambda: self._entry(request, service, region, seed, now, digest, body))
        self.length += 1
        if not call.is_read:
            self._remember(key, answer)
        return answer

    def replay(self, *, before: int | None = None) -> int:
        """Rebuild the stock services; return how many requests were replayed.

        before: a segment, to rebuild the state before it. Raises `Internal` where a segment is missing, a line cannot
        be read, or an answer differs from the recorded one.
        """
        end = self.segment + 1 if before is None else before
        notice, self._stock.notice = self._stock.notice, ignore
        try:
            begin = self._load_snapshot(end)
            known = self.length
            for number in range(begin, end):
                self._replay_segment(number)
        finally:
            self._stock.notice = notice
        return self.length - known

    def _load_snapshot(self, end: int) -> int:
        """Load the newest snapshot that can be used; return the first segment that it does not hold."""
        for number in self.layout.snapshots():
            if number > end:
                continue
            try:
                _, content = snapshot.read(self.layout.snapshot(number))
            except Unrestorable as error:
                log.warning("%s: replaying the whole history instead", error)
                continue
            try:
                self.restore(content)
            except Unrestorable as error:
                path = self.layout.snapshot(number)
                raise Internal(
                    f"{path} cannot be loaded: {error}", hint=f"remove it, and the whole history is replayed, {AFRESH}"
                ) from error
            return number
        return 1

    def state(self) -> State:
        """Return all that a snapshot keeps."""
        return {
            "ready": self._stock.ready(),
            "backends": [(*name, vars(backend)) for *name, backend in backends()],
            "registries": registries(),
            "answers": list(self._answers.items()),
            "length": self.length,
        }

    def restore(self, content: bytes) -> None:
        """Bring back what `state` returned, from the pickle of it, in a process whose stock services are unused."""
        state = snapshot.load(content, self._stock.ensure)
        self._answers = OrderedDict(state["answers"])
        self.length = state["length"]

    def rotate(self) -> int:
        """Begin another segment; return its number. What came before it can be replaced by a snapshot."""
        before = self._file
        self.segment += 1
        try:
            self._file = self._open_segment()
        except OSError:
            self.segment -= 1
            raise
        before.close()
        return self.segment

    def compacted(self, entries: int) -> None:
        """Take note that a snapshot holds so many entries that none held before."""
        self.uncompacted -= entries

    def forget_bodies(self) -> int:
        """Remove the bodies that no segment needs any more, archived ones included; return how many."""
        needed: set[str] = set()
        for number in (*self.layout.archived(), *self.layout.segments()):
            needed |= {name.decode() for name in _BODY.findall(self.layout.segment(number).read_bytes())}
        unneeded = [path for path in self._bodies.iterdir() if path.name not in needed]
        for path in unneeded:
            path.unlink()
        return len(unneeded)

    def _open_segment(self) -> JournalFile:
        header = msgspec.json.encode(Header(FORMAT, moto_version))
        return JournalFile(self.layout.root / f"{self.segment:08}.jsonl", header)

    def _replay_segment(self, segment: int) -> None:
        path = self.layout.segment(segment)
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise Internal(
                f"the journal's segment {path} is missing, and no snapshot that this version can load stands for it",
                hint=f"use the Miyabi that wrote the home, restore the file from a backup, {AFRESH}",
            ) from error
        lines = content.split(b"\n")[:-1]
        header = decoded(lines[0], f"{path} line 1", Header)
        if header.format != FORMAT:
            raise Internal(
                f"the journal {path} has format {header.format}, not {FORMAT}",
                hint=f"use the Miyabi that wrote it, {AFRESH}",
            )
        for number, line in enumerate(lines[1:], 2):
            where = f"line {number} of {path}"
            self._replay_one(decoded(line, where, Entry | Made), where, header)
        self.uncompacted += len(lines) - 1

    def _replay_one(self, entry: Entry | Made, where: str, header: Header) -> None:
        self._stock.randomness.give_keys(entry.keys)
        if isinstance(entry, Made):
            with time_machine.travel(entry.at, tick=False):
                self._stock.ensure(entry.service, entry.region)
            self._stock.randomness.take_keys()
            return
        self.length += 1
        host = entry.headers.get("host", "127.0.0.1")
        body = self._body(entry, where)
        request = Request.from_primitives(entry.method, f"http://{host}{entry.target}", entry.headers, body)
        request.environ["RAW_URI"] = entry.target
        call = call_of(request, entry.service)
        name = backend_name(entry.service, entry.region)
        before = SUBSCRIBERS_APART.set(entry.apart)
        try:
            answer, _ = self._execute(request, call, name, entry.region, entry.seed, entry.at)
        finally:
            SUBSCRIBERS_APART.reset(before)
        self._stock.randomness.take_keys()
        if entry.digest and digest_of(answer) != entry.digest:
            raise Internal(
                f"{where}: replaying {call.operation or entry.method + ' ' + entry.target} of "
                f"{entry.at.isoformat()} gave another answer "
                f"(journal written with moto {header.moto}, this is {moto_version})",
                hint=f"install the version of Miyabi that wrote it, {AFRESH}",
            )
        if entry.digest:
            self._remember(
                retry_key(invocation_of(request), entry.service, entry.region, entry.target, body),
                answer,
            )

    def _execute(
        self, request: Request, call: Call, name: str, region: str, seed: int, at: datetime
    ) -> tuple[Answer, bool]:
        """Run a request at the instant, and under the seed, that its entry records: a replay then gives the same."""
        with time_machine.travel(at, tick=False), self._stock.randomness.pinned(seed):
            return self._stock.run(name, region, request, call)

    def _reserve(self, request: Request) -> str:
        """Refuse a change for whose entry the disk has no room, before it is made; return where its body is kept."""
        try:
            body = self._keep(request.get_data())
            self._file.reserve(_ENTRY_BYTES + len(body))
        except OSError as error:
            log.error("a change was refused: %s", error)  # noqa: TRY400 - nothing is known beyond the message
            raise ApiError(
                "ServiceUnavailable", f"The local cloud cannot record this change: {error.strerror}."
            ) from error
        return body

    def _made(self, service: str, region: str, at: datetime) -> None:
        self._write(lambda: Made(at, service, region, self._stock.randomness.take_keys()))

    def _entry(
        self, request: Request, service: str, region: str, seed: int, now: datetime, digest: str, body: str
    ) -> Entry:
        headers = {name.lower(): value for name, value in request.headers.items() if name.lower() not in _DROPPED}
        if "authorization" in headers:  # the signature is a secret's proof; who signed is what a replay needs
            headers["authorization"] = headers["authorization"].partition(", SignedHeaders")[0]
        return Entry(
            at=now,
            seed=seed,
            service=service,
            region=region,
            method=request.method,
            target=_target(request),
            headers=headers,
            body=body or self._keep(request.get_data()),
            digest=digest,
            keys=self._stock.randomness.take_keys(),
            apart=SUBSCRIBERS_APART.get(),
        )

    def _write(self, entry: Callable[[], Entry | Made]) -> None:
        try:
            self._file.append(msgspec.json.encode(entry()))
            self.uncompacted += 1
        except OSError as error:
            self._end(error)

    def _keep(self, body: bytes) -> str:
        if len(body) <= _INLINE_BYTES:
            return base64.b64encode(body).decode()
        name = hashlib.sha256(body).hexdigest()
        path = self._bodies / name
        if not path.exists():
            write_private(path, body)
            sync_directory(self._bodies)
        return f"sha256:{name}"

    def _body(self, entry: Entry, where: str) -> bytes:
        if not entry.body.startswith("sha256:"):
            return base64.b64decode(entry.body)
        path = self._bodies / entry.body.removeprefix("sha256:")
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise Internal(
                f"{where} needs {path}, which is missing",
                hint=f"restore the file from a backup, {AFRESH}",
            ) from error

    def _remember(self, key: str, answer: Answer) -> None:
        if key and answer[0] < 500:
            self._answers[key] = answer
            if len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)

    def close(self) -> None:
        """Flush to disk and close."""
        self._stock.notice = ignore
        self._file.close()


def _target(request: Request) -> str:
    return str(request.environ.get("RAW_URI") or request.full_path)


def _end_process(error: OSError) -> NoReturn:
    log.critical("the journal cannot be written (%s): ending, for a restart from what was acknowledged", error)
    logging.shutdown()
    os._exit(Internal.exit_code)
