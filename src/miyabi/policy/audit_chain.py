"""The audit's hash chain: every record of a writer carries the hash of the one before.

A record is a JSON object: the fields of AuditEntry, and `writer`, `sequence` (from 1), `previous` and `hash`, which
is the SHA-256 of the rest, written with sorted keys and without spaces. Changing, removing or inserting a record
breaks the chain at that place; removing the newest ones does not, so the writer remembers how far it came.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]

START = "0" * 64
"""What the first record of a chain names as the one before."""


@dataclass(frozen=True, slots=True)
class Head:
    """How far a writer's chain has come."""

    writer: str
    sequence: int = 0
    hash: str = START


@dataclass(frozen=True, slots=True)
class Break:
    """A place where a chain does not hold."""

    writer: str
    sequence: int
    what: str


def sealed(entry: Mapping[str, object], head: Head) -> dict[str, Any]:
    """Return the record that follows the head."""
    body = {**entry, "writer": head.writer, "sequence": head.sequence + 1, "previous": head.hash}
    return {**body, "hash": hash_of(body)}


def head_of(record: Record) -> Head:
    """Return the head that a record makes."""
    return Head(str(record["writer"]), int(record["sequence"]), str(record["hash"]))


def hash_of(record: Record) -> str:
    """Return the hash that a record must carry."""
    body = {key: value for key, value in record.items() if key != "hash"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def breaks(records: Sequence[Record], *, head: Head | None = None) -> tuple[Break, ...]:
    """Return where one writer's chain is broken.

    records: as stored, in any order; the same record twice is none (it was sent again after a lost answer). The first
    may have a number above 1: the older ones have expired.
    head: what the writer itself remembers; None where only the store is at hand.
    """
    found: list[Break] = []
    kept: dict[int, Record] = {}
    for record in sorted(records, key=lambda one: int(one["sequence"])):
        number, writer = int(record["sequence"]), str(record["writer"])
        if record.get("hash") != hash_of(record):
            found.append(Break(writer, number, f"record {number} was altered: its hash is not that of its content"))
        elif number in kept and kept[number]["hash"] != record["hash"]:
            found.append(Break(writer, number, f"there are two different records {number}"))
        kept.setdefault(number, record)
    numbers = list(kept)
    for before, number in itertools.pairwise(numbers):
        found.extend(_link(kept[before], kept[number]))
    if head is not None and head.sequence > (numbers[-1] if numbers else 0):
        last = numbers[-1] if numbers else 0
        found.append(
            Break(head.writer, last + 1, f"records {last + 1} to {head.sequence} are missing: the writer wrote them")
        )
    return tuple(sorted(found, key=lambda one: one.sequence))


def _link(before: Record, record: Record) -> list[Break]:
    number, earlier, writer = int(record["sequence"]), int(before["sequence"]), str(record["writer"])
    if number != earlier + 1:
        gap = f"record {earlier + 1} is" if number == earlier + 2 else f"records {earlier + 1} to {number - 1} are"
        return [Break(writer, earlier + 1, f"{gap} missing: {number} follows {earlier}")]
    if record["previous"] != before["hash"]:
        return [Break(writer, number, f"record {number} does not follow the record {earlier} that is there")]
    return []
