"""The lines of the journal."""

from __future__ import annotations

import hashlib
import re
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final

import msgspec

from miyabi.localcloud.control.api_error import Answer
from miyabi.model.errors import Internal

FORMAT = 2
AFRESH = "or start afresh with `miyabi destroy --force`"
SUBSCRIBERS_APART: Final = ContextVar("SUBSCRIBERS_APART", default=True)
"""Whether a subscriber of SNS that fails concerns itself alone; in entries that do not say so the publisher failed."""
_WORDS = re.compile(rb"[\w./+=:-]+")


class Header(msgspec.Struct, frozen=True):
    """The journal's first line."""

    format: int
    moto: str


class Made(msgspec.Struct, frozen=True, tag="made"):
    """A backend that came into being."""

    at: datetime
    service: str
    """moto's name."""
    region: str
    keys: tuple[str, ...] = ()
    """The private keys that were made meanwhile: DER in base64."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, tag="call"):
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
    digest: str = ""
    """Empty for a read that made a backend: nothing depends on what it answered."""
    keys: tuple[str, ...] = ()
    apart: bool = False
    """What `SUBSCRIBERS_APART` was."""


def digest_of(answer: Answer) -> str:
    """Return what an answer is recognised by: its words, whose order may be that of a set."""
    status, _, body = answer
    words = b"\n".join(sorted(_WORDS.findall(body)))
    return hashlib.sha256(str(status).encode() + b"\n" + words).hexdigest()[:32]


def decoded(line: bytes, where: str, kind: Any) -> Any:
    """Return a line as one of the kinds above. `Internal` where it is none."""
    try:
        return msgspec.json.decode(line, type=kind)
    except msgspec.DecodeError as error:
        raise Internal(
            f"{where} cannot be read: {error}",
            hint=f"restore state/journal from a backup, {AFRESH}",
        ) from error
