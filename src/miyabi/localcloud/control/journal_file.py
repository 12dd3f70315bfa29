"""A file of the journal: whole lines, or nothing."""

from __future__ import annotations

import ctypes
import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

_KEEP_SIZE = 1
_SPARE_BYTES = 64 * 1024
_fallocate = ctypes.CDLL(None, use_errno=True).fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


class JournalFile:
    """An append-only file of lines, the first of which is a header."""

    def __init__(self, path: Path, header: bytes) -> None:
        self.path = path
        made = not path.exists()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._cut_torn()
        if not self._size():
            self.append(header)
        if made:
            sync_directory(path.parent)
        self._reserved = 0

    def read(self) -> list[bytes]:
        """Return all lines, the header first."""
        return self.path.read_bytes().split(b"\n")[:-1]

    def reserve(self, size: int) -> None:
        """Take the room for a line of that many bytes. Raises `OSError` where the disk has none left."""
        end = self._size() + size
        if end <= self._reserved:
            return
        if _fallocate(self._descriptor, _KEEP_SIZE, 0, end + _SPARE_BYTES) == 0:
            self._reserved = end + _SPARE_BYTES
            return
        code = ctypes.get_errno()
        if code in {28, 27, 122}:  # ENOSPC, EFBIG, EDQUOT; other file systems cannot reserve at all
            raise OSError(code, os.strerror(code), str(self.path))

    def append(self, line: bytes) -> None:
        """Write a line to the disk itself. Raises `OSError` with the file as it was before."""
        before, rest = self._size(), memoryview(line + b"\n")
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fdatasync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, before)
            raise

    def close(self) -> None:
        """Give back what was reserved, flush and close."""
        os.ftruncate(self._descriptor, self._size())
        os.fsync(self._descriptor)
        os.close(self._descriptor)

    def _size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def _cut_torn(self) -> None:
        torn = len(self.path.read_bytes().rpartition(b"\n")[2])
        if torn:
            log.warning("the journal's last line is torn; it was never acknowledged and is cut")
            os.ftruncate(self._descriptor, self._size() - torn)


def sync_directory(directory: Path) -> None:
    """Make what was made, renamed or removed in a directory last."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
