"""What an instance of the local cloud leases for life: its block of addresses, its port and its keys.

The leases of one user are in `$XDG_STATE_HOME/miyabi/instances/`. Those of others show as listening sockets, and from
the choice until somebody listens as claims: sockets that are bound to addresses which serve nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from miyabi.environment.config import FILE_NAME
from miyabi.environment.home import FORMAT, Home, Instance, make_private, write_private
from miyabi.environment.readiness import Port, look_at_port
from miyabi.model.errors import Conflict, InvalidInput, Unavailable

DEFAULT_PORT = 4566
_KEY_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BLOCKS = 254  # 127.1 to 127.254; 127.0 is everybody's
_PORT_CLAIMS = "127.255.0.1"
_BLOCK_CLAIMS, _FIRST_BLOCK_CLAIM = "127.255.0.2", 10000


@dataclass(frozen=True, slots=True)
class _Entry:
    home: str
    instance_id: str
    block: int
    api_port: int


def state_directory(environ: Mapping[str, str]) -> Path:
    """Return where Miyabi keeps what is the user's and not a checkout's."""
    base = environ.get("XDG_STATE_HOME")
    if base and Path(base).is_absolute():
        return Path(base) / "miyabi"
    return Path(environ.get("HOME") or Path.home()) / ".local" / "state" / "miyabi"


def checkout_name(file: Path) -> str:
    """Return the name under which a miyabi.toml's state is kept: its directory's, and 8 digits of its path.

    A second file in the same directory has a state of its own.
    """
    path = file.resolve()
    subject = path.parent if path.name == FILE_NAME else path
    digest = hashlib.sha256(os.fsencode(subject)).hexdigest()[:8]
    return f"{path.parent.name or 'root'}-{digest}"


def home_of(file: Path, environ: Mapping[str, str]) -> Home:
    """Return the MIYABI_HOME of a miyabi.toml: the variable, else one in the user's state directory."""
    named = environ.get("MIYABI_HOME")
    if named:
        return Home(Path(named).absolute())
    return Home(state_directory(environ) / checkout_name(file))


def open_instance(
    home: Home, *, account: str, region: str, environ: Mapping[str, str], claims: contextlib.ExitStack
) -> Instance:
    """Return the home's instance; on first use make the home and lease what it needs.

    claims: keeps others, whoever they are, from leasing the same until it is closed. Keep it until the API listens.
    """
    instance = home.read_instance()
    if instance is not None:
        return instance
    asked = _asked_port(environ)
    home.create()
    with _registry(state_directory(environ)) as registry:
        instance = home.read_instance()  # another command may have been first
        if instance is not None:
            return instance
        entries = _live_entries(registry)
        instance = Instance(
            format=FORMAT,
            instance_id=secrets.token_hex(4),
            block=_choose_block(home, entries, claims),
            api_port=_choose_port(entries, claims) if asked is None else _take_port(asked, claims),
            account=account,
            region=region,
            access_key="AKIA" + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(16)),
            secret_key=secrets.token_urlsafe(30),
        )
        entry = _Entry(str(home.root), instance.instance_id, instance.block, instance.api_port)
        write_private(registry / f"{instance.instance_id}.json", msgspec.json.encode(entry))
        home.write_instance(instance)
    return instance


def release(instance: Instance, environ: Mapping[str, str]) -> None:
    """Give an instance's block and port back."""
    with _registry(state_directory(environ)) as registry:
        (registry / f"{instance.instance_id}.json").unlink(missing_ok=True)


@contextlib.contextmanager
def _registry(state: Path) -> Iterator[Path]:
    import fcntl  # noqa: PLC0415 - not on Windows, where there is --cloud aws only

    directory = state / "instances"
    try:
        make_private(state)
        make_private(directory)
        handle = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unavailable(
            f"{directory} cannot be written: {error.strerror}",
            hint="Set XDG_STATE_HOME to a directory of yours.",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield directory
    finally:
        os.close(handle)


def _live_entries(registry: Path) -> list[_Entry]:
    """Return the leases in force; those of homes that are gone are given back."""
    live = []
    for path in registry.glob("*.json"):
        try:
            entry = msgspec.json.decode(path.read_bytes(), type=_Entry)
        except msgspec.MsgspecError:
            path.unlink()
            continue
        if _in_use(entry):
            live.append(entry)
        else:
            path.unlink()
    return live


def _in_use(entry: _Entry) -> bool:
    try:
        instance = Home(Path(entry.home)).read_instance()
    except (Conflict, InvalidInput, OSError):
        return True  # unreadable now is not gone
    return instance is not None and instance.instance_id == entry.instance_id


def _claim(address: str, number: int, claims: contextlib.ExitStack) -> bool:
    """Claim a number, and say whether it was nobody's. The claim ends with the process at the latest."""
    claim = socket.socket()
    try:
        claim.bind((address, number))
    except OSError:
        claim.close()
        return False
    claims.enter_context(claim)
    return True


def _choose_block(home: Home, entries: list[_Entry], claims: contextlib.ExitStack) -> int:
    taken = {entry.block for entry in entries} | _listening_blocks()
    # Homes of other users, or below another state directory, are not in the registry: starting at different places,
    # they rarely meet.
    start = int.from_bytes(hashlib.sha256(f"{os.getuid()}/{home.root}".encode()).digest()[:4]) % _BLOCKS
    for step in range(_BLOCKS):
        block = 1 + (start + step) % _BLOCKS
        free = block not in taken and _bindable(block)
        if free and _claim(_BLOCK_CLAIMS, _FIRST_BLOCK_CLAIM + block, claims):
            return block
    raise Unavailable(
        "no block 127.x.0.0/16 is free for a local cloud",
        hint="`miyabi doctor` shows the machine's addresses; `miyabi destroy` gives a block back.",
    )


def _bindable(block: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((f"127.{block}.0.1", 0))
        except OSError:
            return False
    return True


def _listening_blocks(table: Path = Path("/proc/net/tcp")) -> set[int]:
    """Return the x of every 127.x.0.0/16 with a listening socket, whoever owns it."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return set()
    blocks = set()
    for line in lines:
        _, local, _, state = line.split()[:4]
        octets = bytes.fromhex(local.partition(":")[0])[::-1]  # the kernel prints them in host order
        if state == "0A" and octets[0] == 127:
            blocks.add(octets[1])
    return blocks


def _asked_port(environ: Mapping[str, str]) -> int | None:
    text = environ.get("MIYABI_API_PORT")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise InvalidInput(f"MIYABI_API_PORT: '{text}' is not a port", hint="Give a number from 1024 to 65535.")
    match look_at_port(int(text)):
        case Port.TAKEN:
            raise _asked_port_taken(int(text))
        case Port.REFUSED:
            raise InvalidInput(
                f"MIYABI_API_PORT: this user may not listen on port {text}", hint="Give a number from 1024 to 65535."
            )
        case Port.FREE:
            return int(text)


def _asked_port_taken(port: int) -> Conflict:
    return Conflict(f"port {port} of 127.0.0.1 (MIYABI_API_PORT) is taken", hint="Choose another, or unset it.")


def _take_port(port: int, claims: contextlib.ExitStack) -> int:
    if not _claim(_PORT_CLAIMS, port, claims):
        raise _asked_port_taken(port)
    return port


def _choose_port(entries: list[_Entry], claims: contextlib.ExitStack) -> int:
    leased = {entry.api_port for entry in entries}
    for port in range(DEFAULT_PORT, DEFAULT_PORT + 1000):
        free = port not in leased and look_at_port(port) is Port.FREE
        if free and _claim(_PORT_CLAIMS, port, claims):
            return port
    raise Unavailable("no port from 4566 to 5565 is free on 127.0.0.1", hint="Choose one with MIYABI_API_PORT.")
