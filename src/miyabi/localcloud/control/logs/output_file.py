"""Reading a task's output file: lines out of bytes, and giving the disk space back."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

LONGEST_MESSAGE = 262_144 - 26
"""Bytes; the awslogs driver splits longer lines here."""

_READ_BYTES = 1_048_576

_KEEP_SIZE = 0x01
_PUNCH_HOLE = 0x02
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one look found in a file: the messages between two positions."""

    path: str
    begin: int
    end: int
    messages: tuple[str, ...]
    drained: bool
    """The file was finished, and this is its end."""
    more: bool
    """There is more to read at once."""


def read_chunk(path: str, position: int, *, finished: bool) -> Chunk | None:
    """Read on from a position; None where there is nothing to store yet.

    A last line without a newline waits, unless the file is finished or the line is longer than a message may be.
    """
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = position if size >= position else 0  # it was truncated
            file.seek(start)
            data = file.read(_READ_BYTES)
    except FileNotFoundError:
        return Chunk(path, position, position, (), drained=True, more=False) if finished else None
    at_end = start + len(data) >= size
    messages, used = split_lines(data, last=finished and at_end)
    drained = finished and at_end
    if not used and not drained:
        return None
    return Chunk(path, position, start + used, tuple(messages), drained=drained, more=not at_end)


def split_lines(data: bytes, *, last: bool) -> tuple[list[str], int]:
    """Return the messages in the data, and how many bytes of it they take.

    One message a line, without its newline; empty lines make none; what is not UTF-8 is replaced; a line longer than
    a message may be is split between characters. last: whether the rest without a newline is a line too.
    """
    complete = len(data) if last else data.rfind(b"\n") + 1
    messages: list[str] = []
    for line in data[:complete].split(b"\n"):
        rest = line
        while len(rest) > LONGEST_MESSAGE:
            cut = _between_characters(rest, LONGEST_MESSAGE)
            messages.append(rest[:cut].decode(errors="replace"))
            rest = rest[cut:]
        if rest:
            messages.append(rest.decode(errors="replace"))
    while len(data) - complete > LONGEST_MESSAGE:
        cut = _between_characters(data[complete:], LONGEST_MESSAGE)
        messages.append(data[complete : complete + cut].decode(errors="replace"))
        complete += cut
    return messages, complete


def _between_characters(data: bytes, most: int) -> int:
    """Return the last place, at most `most`, that does not cut a UTF-8 character in two."""
    for cut in range(most, most - 4, -1):
        if data[cut] & 0xC0 != 0x80:
            return cut
    return most


def punch_hole(path: str, begin: int, end: int) -> bool:
    """Free the disk blocks between two positions; the file keeps its size. False where that cannot be done."""
    begin = -(-begin // _BLOCK) * _BLOCK
    length = end // _BLOCK * _BLOCK - begin
    if length <= 0:
        return True
    library = ctypes.CDLL(None, use_errno=True)
    fallocate = getattr(library, "fallocate64", None) or getattr(library, "fallocate", None)
    if fallocate is None:
        return False
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    try:
        with Path(path).open("r+b") as file:
            return bool(fallocate(file.fileno(), _PUNCH_HOLE | _KEEP_SIZE, begin, length) == 0)
    except FileNotFoundError:
        return True
