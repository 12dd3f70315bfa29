"""The operations by name. Each is loaded when it is asked for, so that one command does not load them all."""

from __future__ import annotations

import importlib

from miyabi.environment.config import suggestion
from miyabi.model.errors import NotFound
from miyabi.operations.execution.declaration import Operation

_MODULES = {
    **{
        f"service.{verb}": f"miyabi.operations.service.{verb}"
        for verb in ("status", "events", "wait", "deploy", "rollback", "restart", "scale", "stop", "resume")
    },
    "service.diff": "miyabi.operations.service.deploy",
    **{f"tasks.{verb}": "miyabi.operations.tasks" for verb in ("list", "show", "stop")},
    **{f"logs.{verb}": f"miyabi.operations.logs.{verb}" for verb in ("tail", "search", "retention")},
    "logs.set-retention": "miyabi.operations.logs.retention",
    "metrics.show": "miyabi.operations.metrics",
    **{f"alarms.{verb}": "miyabi.operations.alarms" for verb in ("list", "history", "silence")},
    **{f"scaling.{verb}": "miyabi.operations.autoscaling" for verb in ("status", "activities", "limits", "set-limits")},
    "health.check": "miyabi.operations.health",
    **{f"secrets.{verb}": "miyabi.operations.secret_values" for verb in ("list", "get")},
    **{f"lock.{verb}": "miyabi.operations.locks" for verb in ("show", "break")},
    **{f"audit.{verb}": "miyabi.operations.audits" for verb in ("list", "verify")},
}
"""`<noun>.<verb>` -> the module that declares it, in the order in which help lists them."""

NOUNS = {
    "service": "How the service stands; deploy, roll back, restart, scale, stop and resume it.",
    "tasks": "List, show and stop the service's tasks.",
    "logs": "What the tasks print: tail, search, retention. Without a verb: tail.",
    "metrics": "The key metrics against their targets.",
    "alarms": "How the alarms stand, what happened, and silence for a while.",
    "scaling": "How autoscaling stands, what it did and why, and its limits.",
    "health": "Whether the service answers those who use it.",
    "secrets": "List and read the environment's secrets.",
    "lock": "Who holds the environment's lock; take it in an emergency.",
    "audit": "Who did what; whether the records are as they were written.",
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
