"""What the audit says about one step of an operation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Phase = Literal["opened", "closed"]
Ending = Literal["succeeded", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """The content of a record: what a writer says, before it is sealed into its chain."""

    run: str
    """Ties the record that opens a run to the one that closes it."""
    phase: Phase
    at: str
    """UTC, ISO 8601 with microseconds."""
    operation: str
    environment: str
    principal: str
    """ARN of the caller, as STS gives it."""
    caller: str
    """`user@host`, as the caller says it."""
    params: Mapping[str, object]
    fence: int | None = None
    """Fencing number of the lock; None where none was taken."""
    outcome: Ending | None = None
    detail: str | None = None
    seconds: float | None = None
