"""The lines spoken on the supervisor's socket: one JSON object a line, a response for every request.

    {"op": "start", "spec": {...}}                            {"ok": true, "process": {...}}
    {"op": "signal", "name": N, "signal": 15, "group": true}  {"ok": true}
    {"op": "list"}                                            {"ok": true, "pid": P, "processes": [...]}
    {"op": "forget", "name": N}                               {"ok": true}
    {"op": "watch"}        as list, and from then on          {"event": "started" | "ended", "process": {...}}
    {"op": "alive", "name": N}                                {"ok": true}; who says it once must go on saying it
    {"op": "stop", "timeout_seconds": 10}                     {"ok": true}, when everything is gone

A refusal is {"ok": false, "code": C, "error": text}. C is one of the constants here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from miyabi.localcloud.processes import ProcessSpec, ProcessState

SOCKET = "supervisor.sock"
"""The socket's name in the home's `run` directory."""

CONTROL = "control"
"""The name of the control plane, which the supervisor starts by itself and always restarts."""

LONGEST_LINE = 1 << 20

INVALID = "invalid"
NOT_FOUND = "not_found"
NOT_EXECUTABLE = "not_executable"
EXISTS = "exists"
"""A process of that name runs from another spec."""
ENDED = "ended"
"""The process has ended; its record is kept until it is forgotten."""
RUNNING = "running"
STOPPING = "stopping"
UNAVAILABLE = "unavailable"
"""The machine refuses: too many processes, no memory."""
INTERNAL = "internal"

Body = dict[str, Any]


class Refusal(Exception):
    """A request that is answered with a code and one line."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def line(body: Mapping[str, object]) -> bytes:
    """Return the object as one line."""
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"


def parse(text: bytes) -> Body:
    """Return the object of a line. Refused: anything that is not a JSON object."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refusal(INVALID, f"not a line of JSON: {error}") from error
    if not isinstance(body, dict):
        raise Refusal(INVALID, "a request is a JSON object")
    return body


def text_of(body: Body, key: str) -> str:
    """Return a member that must be a text that a system call can take."""
    value = body.get(key)
    if not isinstance(value, str) or not value or "\0" in value:
        raise Refusal(INVALID, f"{key} must be a text that is not empty")
    return value


def seconds_of(body: Body, key: str, default: float) -> float:
    """Return a member that must be a number of seconds, or the default where it is absent."""
    value = body.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 3600:
        raise Refusal(INVALID, f"{key} must be a number from 0 to 3600")
    return float(value)


def spec_body(spec: ProcessSpec) -> Body:
    """Return the spec as it is sent."""
    return {
        "name": spec.name,
        "argv": list(spec.argv),
        "env": dict(spec.env),
        "cwd": spec.cwd,
        "output": spec.output,
        "restart": spec.restart,
        "cpu_units": spec.cpu_units,
        "memory_bytes": spec.memory_bytes,
    }


def spec_of(body: object) -> ProcessSpec:
    """Return the spec that was sent. Refused: a missing or mistyped member."""
    if not isinstance(body, dict):
        raise Refusal(INVALID, "spec must be an object")
    argv, env, restart = body.get("argv"), body.get("env"), body.get("restart", False)
    if not isinstance(argv, list) or not argv or not all(isinstance(word, str) and "\0" not in word for word in argv):
        raise Refusal(INVALID, "argv must be a list of texts that is not empty")
    if not isinstance(env, dict) or not all(_is_variable(name, value) for name, value in env.items()):
        raise Refusal(INVALID, "env must be an object of texts")
    if not isinstance(restart, bool):
        raise Refusal(INVALID, "restart must be true or false")
    cwd, output = text_of(body, "cwd"), text_of(body, "output")
    limits = (_amount(body, "cpu_units"), _amount(body, "memory_bytes"))
    return ProcessSpec(text_of(body, "name"), tuple(argv), env, cwd, output, restart, *limits)


def _amount(body: Body, key: str) -> int:
    value = body.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Refusal(INVALID, f"{key} must be a whole number that is not negative")
    return value


def _is_variable(name: str, value: object) -> bool:
    return bool(name) and not {"=", "\0"} & set(name) and isinstance(value, str) and "\0" not in value


def state_body(state: ProcessState) -> Body:
    """Return the state as it is sent."""
    return asdict(state)


def state_of(body: Body) -> ProcessState:
    """Return the state that was sent."""
    return ProcessState(**body)
