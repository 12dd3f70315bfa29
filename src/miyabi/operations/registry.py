"""The operations by name. Each is loaded when it is asked for, so that one command does not load them all."""

from __future__ import annotations

import importlib

from miyabi.environment.config import suggestion
from miyabi.model.errors import NotFound
from miyabi.operations.execution.declaration import Operation

_MODULES = {
    "service.status": "miyabi.operations.service.status",
    "logs.tail": "miyabi.operations.logs.tail",
    "logs.search": "miyabi.operations.logs.search",
    "logs.retention": "miyabi.operations.logs.retention",
    "logs.set-retention": "miyabi.operations.logs.retention",
}
"""`<noun>.<verb>` -> the module that declares it, in the order in which help lists them."""

NOUNS = {
    "service": "How the service stands; restart, scale, stop and resume it.",
    "logs": "What the tasks print: tail, search, retention. Without a verb: tail.",
}
"""What groups of operations are about."""


def names() -> tuple[str, ...]:
    """Return the names of all operations."""
    return tuple(_MODULES)


def verbs(noun: str) -> tuple[str, ...]:
    """Return the verbs of a noun."""
    return tuple(name.partition(".")[2] for name in _MODULES if name.startswith(f"{noun}."))


def find(name: str) -> Operation:
    """Return an operation. NotFound: there is none of that name."""
    if name not in _MODULES:
        near = suggestion(name, list(_MODULES))
        raise NotFound(f"operation '{name}' not found", hint=near or "`miyabi --help` lists them.")
    module = importlib.import_module(_MODULES[name])
    for found in vars(module).values():
        if isinstance(found, Operation) and found.name == name:
            return found
    raise LookupError(f"{_MODULES[name]} does not declare {name}")
