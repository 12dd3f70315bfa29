"""The audit on this machine: the head of this writer's chain, and the records that AWS has not taken yet.

    <directory>/writer.json   which writer this is, and how far its chain has come
    <directory>/spool.jsonl   records that are to be sent, oldest first
    <directory>/lock          held while either is changed: several commands may run at once

A record is on the disk before it is sent, and is removed when it was taken; after a crash between the two it is sent
again, and `audit verify` takes the two for one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from miyabi.environment.home import make_private, write_private
from miyabi.model.errors import Unavailable
from miyabi.policy.audit_chain import Head, Record, head_of, sealed


class Spool:
    """One writer's records on their way to CloudWatch Logs. The directory is 0700, its files 0600."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def append(self, entry: Mapping[str, object]) -> dict[str, Any]:
        """Seal an entry into the chain and keep it until it is sent; return the record.

        Unavailable: the disk does not take it.
        """
        try:
            with self._locked():
                records = self._records()
                record = sealed(entry, self._head(records))
                self._write([*records, record])
                write_private(self.directory / "writer.json", json.dumps(asdict(head_of(record))).encode())
                return record
        except OSError as error:
            raise Unavailable(
                f"the audit's spool {self.directory} cannot be written: {error.strerror}",
                hint="Make room, or let MIYABI_HOME name a directory that is yours.",
            ) from error

    def send(self, deliver: Callable[[Sequence[Record]], None]) -> int:
        """Deliver what is kept, and forget it; return how many. What `deliver` raises goes through: all is kept."""
        if not self.directory.exists():
            return 0
        with self._locked():
            records = self._records()
            if records:
                deliver(records)
                self._write([])
            return len(records)

    def waiting(self) -> tuple[Record, ...]:
        """Return what has not been sent, oldest first."""
        if not self.directory.exists():
            return ()
        with self._locked():
            return tuple(self._records())

    def head(self) -> Head | None:
        """Return how far this writer came; None where it never wrote."""
        if not (self.directory / "writer.json").exists():
            return None
        with self._locked():
            return self._head(self._records())

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        make_private(self.directory.parent.parent)
        make_private(self.directory.parent)
        make_private(self.directory)
        handle = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _head(self, records: Sequence[Record]) -> Head:
        try:
            head = Head(**json.loads((self.directory / "writer.json").read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            head = Head(secrets.token_hex(6))  # damaged or new: a chain of its own, the old one stays as it is
        last = head_of(records[-1]) if records else head
        # A record on the disk whose head was not written any more: the crash came between the two.
        return last if last.sequence > head.sequence and last.writer == head.writer else head

    def _records(self) -> list[Record]:
        try:
            lines = (self.directory / "spool.jsonl").read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    def _write(self, records: Sequence[Record]) -> None:
        content = b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)
        write_private(self.directory / "spool.jsonl", content)
