"""MIYABI_HOME: where an instance of the local cloud keeps everything, and the record of what it leased."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from miyabi.model.errors import Conflict, InvalidInput

FORMAT = 3
"""Version of the home's layout. A higher one was written by a newer Miyabi and is refused; `upgrade` mends a lower one.

1: the journal is `state/journal.jsonl`. 2: it is a directory of segments, `state/journal/`. 3: alarms
are rows of the control plane's database, not the journal's.
"""


@dataclass(frozen=True, slots=True)
class Instance:
    """What an instance of the local cloud holds for life."""

    format: int
    instance_id: str
    """Eight hex digits."""
    block: int
    """The x in 127.x.0.0/16, the addresses of load balancers and tasks."""
    api_port: int
    """The API's port on 127.0.0.1."""
    account: str
    region: str
    access_key: str
    secret_key: str
    clock_speed: int = 1
    """How many times faster control loops run than the wall clock; the one thing here that may change."""

    @property
    def endpoint(self) -> str:
        """The API's URL."""
        return f"http://127.0.0.1:{self.api_port}"


class _Format(msgspec.Struct):
    format: int


@dataclass(frozen=True, slots=True)
class Home:
    """The paths inside one MIYABI_HOME. Directories are 0700, files 0600."""

    root: Path

    @property
    def instance_file(self) -> Path:
        return self.root / "instance.json"

    @property
    def run(self) -> Path:
        """Sockets and process ids; worthless after a restart."""
        return self.root / "run"

    @property
    def state(self) -> Path:
        """The journal and the databases: what must survive."""
        return self.root / "state"

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def haproxy(self) -> Path:
        return self.root / "haproxy"

    @property
    def tasks(self) -> Path:
        return self.root / "tasks"

    @property
    def databases(self) -> Path:
        """A directory for each DB instance, and their certificate authority."""
        return self.root / "databases"

    @property
    def terraform(self) -> Path:
        return self.root / "terraform"

    @property
    def aws(self) -> Path:
        return self.root / "aws"

    @property
    def bin(self) -> Path:
        """Programs that `miyabi env` puts in front of others, where that is needed."""
        return self.root / "bin"

    @property
    def caches(self) -> Path:
        """A directory for each cache node."""
        return self.root / "caches"

    @property
    def mail(self) -> Path:
        """The mails that alarms and other topics send: a directory an address."""
        return self.root / "mail"

    @property
    def audit(self) -> Path:
        """Records of the audit that AWS has not taken yet, a directory for each environment of each cloud."""
        return self.root / "audit"

    @property
    def log(self) -> Path:
        return self.root / "log"

    def directories(self) -> tuple[Path, ...]:
        """Return every directory that Miyabi makes in a home."""
        cloud = (self.run, self.state, self.images, self.haproxy, self.tasks, self.databases, self.caches, self.log)
        return (*cloud, self.terraform, self.aws, self.bin, self.audit, self.mail)

    def create(self) -> None:
        """Make the directories, private to the user."""
        try:
            make_private(self.root)
            for path in self.directories():
                make_private(path)
        except OSError as error:
            raise InvalidInput(
                f"{error.filename or self.root} cannot be made: {error.strerror}",
                hint="MIYABI_HOME names another directory, one that is yours.",
            ) from error

    def read_instance(self) -> Instance | None:
        """Return the instance's record, or None where `up` has never run.

        Conflict: another version's home, or a damaged one. InvalidInput: not a directory that can be read.
        """
        try:
            content = self.instance_file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InvalidInput(
                f"{self.instance_file} cannot be read: {error.strerror}",
                hint="MIYABI_HOME names another directory, one that is yours.",
            ) from error
        try:
            written = msgspec.json.decode(content, type=_Format).format
            if written > FORMAT:
                raise Conflict(
                    f"{self.root} was written by a newer Miyabi (format {written}; this one knows {FORMAT})",
                    hint="Use that version, or choose another directory with MIYABI_HOME.",
                )
            return msgspec.json.decode(content, type=Instance)
        except msgspec.MsgspecError as error:
            raise Conflict(
                f"{self.instance_file} is damaged: {error}",
                hint="Restore it from a backup, or remove the directory: the local cloud in it is lost.",
            ) from error

    def upgrade(self) -> Instance | None:
        """Bring a home of an earlier format to this one; return its record. Interrupted, it goes on where it was."""
        instance = self.read_instance()
        if instance is None or instance.format == FORMAT:
            return instance
        journal = self.state / "journal.jsonl"
        if journal.exists():
            make_private(self.state / "journal")
            journal.replace(self.state / "journal" / "00000001.jsonl")
        upgraded = replace(instance, format=FORMAT)
        self.write_instance(upgraded)
        return upgraded

    def write_instance(self, instance: Instance) -> None:
        """Record the instance, atomically."""
        write_private(self.instance_file, msgspec.json.format(msgspec.json.encode(instance)))


def make_private(directory: Path) -> None:
    """Make a directory that only the user can look into; one that is there becomes so.

    InvalidInput: a directory that others work in too, such as /tmp.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.stat()
    mode = stat.S_IMODE(found.st_mode)
    if mode & stat.S_ISVTX or found.st_uid != os.geteuid():
        raise InvalidInput(
            f"{directory} is not this user's alone", hint="MIYABI_HOME names a directory; choose one that is yours."
        )
    if mode & 0o077:
        directory.chmod(0o700)


def write_private(path: Path, content: bytes) -> None:
    """Replace a file by one that only the user can read, whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
