"""The journal's directory: segments, the snapshot that replaces the first of them, and an archive.

    00000007.jsonl           a segment; the last one is written to
    snapshot-00000007        the state before segment 7
    snapshot-00000009.part   a snapshot that is being made, or was when its maker died
    archive/00000006.jsonl   a segment that the snapshot replaces

A step changes one name, so a death between any two leaves a directory from which the state can be rebuilt: a segment is
archived only after the snapshot that replaces it has its final name, and a snapshot has that only when it was checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from miyabi.localcloud.control.journal_file import sync_directory

ARCHIVE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class JournalLayout:
    """The paths in a journal's directory."""

    root: Path

    @property
    def archive(self) -> Path:
        return self.root / "archive"

    def create(self) -> None:
        """Make the directories, private to the user."""
        for directory in (self.root, self.archive):
            directory.mkdir(mode=0o700, exist_ok=True)

    def segment(self, number: int) -> Path:
        """Return where a segment is: still in use, or archived."""
        archived = self.archive / f"{number:08}.jsonl"
        return archived if archived.exists() else self.root / archived.name

    def segments(self) -> list[int]:
        """Return the numbers of the segments that are not archived, in order."""
        return sorted(int(path.stem) for path in self.root.glob("[0-9]*.jsonl"))

    def archived(self) -> list[int]:
        """Return the numbers of the archived segments, in order."""
        return sorted(int(path.stem) for path in self.archive.glob("[0-9]*.jsonl"))

    def snapshot(self, number: int) -> Path:
        """Return the path of the snapshot of the state before a segment."""
        return self.root / f"snapshot-{number:08}"

    def part(self, number: int) -> Path:
        """Return the path of a snapshot that is not checked yet."""
        return self.root / f"snapshot-{number:08}.part"

    def snapshots(self) -> list[int]:
        """Return the numbers of the checked snapshots, the newest first."""
        return sorted((int(path.name[9:]) for path in self.root.glob("snapshot-" + "[0-9]" * 8)), reverse=True)

    def adopt(self, number: int) -> None:
        """Give a checked snapshot its final name."""
        self.part(number).replace(self.snapshot(number))
        sync_directory(self.root)

    def tidy(self, *, archive_bytes: int = ARCHIVE_BYTES) -> bool:
        """Remove what the newest snapshot replaces; return whether a segment is gone for good.

        The archive keeps its newest segments, up to a size.
        """
        newest = next(iter(self.snapshots()), 0)
        for number in self.segments():
            if number < newest:
                (self.root / f"{number:08}.jsonl").replace(self.archive / f"{number:08}.jsonl")
        sync_directory(self.archive)
        sync_directory(self.root)
        for number in self.snapshots()[1:]:
            self.snapshot(number).unlink()
        kept, gone = 0, False
        for number in reversed(self.archived()):
            kept += self.segment(number).stat().st_size
            if kept > archive_bytes:
                self.segment(number).unlink()
                gone = True
        return gone

    def discard_parts(self) -> None:
        """Remove snapshots that were never finished."""
        for path in self.root.glob("snapshot-*.part*"):
            path.unlink()
