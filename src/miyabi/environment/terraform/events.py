"""What Terraform says with `-json`, as events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Phase = Literal["started", "running", "done", "failed"]

_PHASES: dict[str, Phase] = {
    "apply_start": "started",
    "apply_progress": "running",
    "apply_complete": "done",
    "apply_errored": "failed",
}


@dataclass(frozen=True, slots=True)
class ResourceProgress:
    """A resource on its way."""

    address: str
    action: str
    """create, update, delete, replace, read …"""
    phase: Phase
    seconds: int


@dataclass(frozen=True, slots=True)
class Planned:
    """A change that the plan holds."""

    address: str
    action: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """An error or a warning, with the place it is about."""

    severity: str
    summary: str
    detail: str
    address: str | None = None
    location: str | None = None
    """`main.tf:12`."""
    code: str | None = None
    """The line there, as it is written."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How many resources a plan, an apply or a destroy concerns."""

    operation: str
    added: int
    changed: int
    destroyed: int

    @property
    def total(self) -> int:
        return self.added + self.changed + self.destroyed


@dataclass(frozen=True, slots=True)
class LockWait:
    """Another Terraform holds the state; this one waits for it."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """Terraform was asked to stop and finishes what it has begun."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Text:
    """A line that is no event."""

    line: str


Event = ResourceProgress | Planned | Diagnostic | Summary | LockWait | Stopping | Text


def parse_event(line: str) -> Event | None:
    """Return the event in a line; None for one that says nothing to a user."""
    try:
        message = json.loads(line)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        return Text(line) if line.strip() else None
    return _event(message)


def _event(message: Mapping[str, Any]) -> Event | None:
    kind = message.get("type")
    match kind:
        case "apply_start" | "apply_progress" | "apply_complete" | "apply_errored":
            hook = message["hook"]
            seconds = int(hook.get("elapsed_seconds", 0))
            return ResourceProgress(hook["resource"]["addr"], hook["action"], _PHASES[kind], seconds)
        case "planned_change":
            return Planned(message["change"]["resource"]["addr"], message["change"]["action"])
        case "diagnostic":
            return _diagnostic(message["diagnostic"])
        case "change_summary":
            changes = message["changes"]
            return Summary(changes["operation"], changes["add"], changes["change"], changes["remove"])
        case "state_lock_acquire":
            return LockWait()
        case _:
            return None


def _diagnostic(found: Mapping[str, Any]) -> Diagnostic:
    place = found.get("range")
    return Diagnostic(
        severity=found.get("severity", "error"),
        summary=found.get("summary", ""),
        detail=found.get("detail", ""),
        address=found.get("address"),
        location=f"{place['filename']}:{place['start']['line']}" if place else None,
        code=((found.get("snippet") or {}).get("code") or "").strip() or None,
    )


_LOCATION = re.compile(r"on (\S+) line (\d+)")
_FRAME = re.compile(r"^[│╷╵]\s?", re.MULTILINE)


def diagnostics_of_text(text: str) -> Iterator[Diagnostic]:
    """Yield the errors in what a command without `-json` wrote."""
    for part in re.split(r"^Error: ", _FRAME.sub("", text), flags=re.MULTILINE)[1:]:
        summary, _, rest = part.partition("\n")
        place = _LOCATION.search(rest)
        yield Diagnostic(
            severity="error",
            summary=summary.strip(),
            detail=rest.strip(),
            location=f"{place[1]}:{place[2]}" if place else None,
        )
