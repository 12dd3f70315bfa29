"""How secrets look."""

from __future__ import annotations

from miyabi.cli.output import Output
from miyabi.operations.secret_values import SecretValue


def get(output: Output, secret: SecretValue) -> None:
    """The value and nothing else, for a pipe."""
    output.raw(secret.value)
