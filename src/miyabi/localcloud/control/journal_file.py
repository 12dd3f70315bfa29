"""The journal's file: whole lines, or nothing."""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)


class JournalFile:
    """An append-only file of lines, the first of which is a header."""

    def __init__(self, path: Path, header: bytes) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._cut_torn()
        if not self._size():
            self.append(header)

    def read(self) -> list[bytes]:
        """Return all lines, the header first."""
        return self.path.read_bytes().split(b"\n")[:-1]

    def append(self, line: bytes) -> None:
        """Write a line. Raises `OSError` with the file as it was before."""
        before, rest = self._size(), memoryview(line + b"\n")
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            os.ftruncate(self._descriptor, before)
            raise

    def close(self) -> None:
        """Flush to disk and close."""
        os.fsync(self._descriptor)
        os.close(self._descriptor)

    def _size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def _cut_torn(self) -> None:
        torn = len(self.path.read_bytes().rpartition(b"\n")[2])
        if torn:
            log.warning("the journal's last line is torn; it was never acknowledged and is cut")
            os.ftruncate(self._descriptor, self._size() - torn)
