"""Terraform variables as `TF_VAR_…` environment variables."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping


def variable_environment(variables: Mapping[str, object]) -> dict[str, str]:
    """Return the environment variables that give these values."""
    return {f"TF_VAR_{name}": encode(value) for name, value in variables.items()}


def encode(value: object) -> str:
    """Return a value of TOML as Terraform reads it: text as it is, everything else as an expression."""
    if isinstance(value, str):
        return value
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    # JSON is an HCL expression, but for the templates that HCL sees in its strings.
    return json.dumps(value, default=str, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
