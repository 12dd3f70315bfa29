"""A Terraform state on this machine, and what Miyabi recorded of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from miyabi.environment.cloud import RecordedCloud
from miyabi.model.errors import Conflict


class _Output(msgspec.Struct, frozen=True):
    value: Any = None


class State(msgspec.Struct, frozen=True):
    """What a state file says, as far as Miyabi needs it."""

    lineage: str = ""
    outputs: dict[str, _Output] = {}
    resources: list[Any] = []

    def values(self) -> dict[str, Any]:
        """Return the outputs' values."""
        return {name: output.value for name, output in self.outputs.items()}


def read_state(path: Path) -> State | None:
    """Return a state; None where there is none, or an empty file that an interrupted run left."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if not content.strip():
        return None
    try:
        return msgspec.json.decode(content, type=State)
    except msgspec.MsgspecError as error:
        raise Conflict(
            f"the Terraform state {path} is damaged: {error}",
            hint=f"Terraform's last good one is {path}.backup.",
        ) from error


def recorded_cloud(outputs: dict[str, Any]) -> RecordedCloud | None:
    """Return the cloud that a state's outputs name; None where its Terraform has no such output."""
    try:
        return msgspec.convert(outputs.get("cloud"), RecordedCloud)
    except msgspec.ValidationError:
        return None


class Applied(msgspec.Struct, frozen=True):
    """What the last successful apply was made of."""

    fingerprint: str
    lineage: str
    tag: str
    digest: str | None
    """Of the image that was pushed."""


def read_applied(path: Path) -> Applied | None:
    """Return the record; None where there is none that can be read: then there is one apply too many."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Applied)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
