"""Whether the API of a local cloud answers, and whether the one that answers is ours."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from enum import Enum

from miyabi.environment.home import Instance

PATH = "/_miyabi/ready"


class Readiness(Enum):
    """What the API's port says."""

    READY = "ready"
    NOT_YET = "not yet"
    FOREIGN = "foreign"
    """Another local cloud answers there."""


def probe(instance: Instance, *, timeout_seconds: float = 1.0) -> Readiness:
    """Ask the API once."""
    connection = http.client.HTTPConnection("127.0.0.1", instance.api_port, timeout=timeout_seconds)
    with contextlib.closing(connection):
        try:
            connection.request("GET", PATH)
            response = connection.getresponse()
            body = json.loads(response.read(1 << 16))
        except (OSError, http.client.HTTPException, ValueError):
            return Readiness.NOT_YET
    if not isinstance(body, dict) or "instance_id" not in body:
        return Readiness.NOT_YET
    if body["instance_id"] != instance.instance_id:
        return Readiness.FOREIGN
    return Readiness.READY if response.status == 200 and body.get("ready") is True else Readiness.NOT_YET


def port_is_free(port: int) -> bool:
    """Say whether the API could listen; a port that this user may not have counts as free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that ended do not count
        try:
            attempt.bind(("127.0.0.1", port))
        except PermissionError:
            return True
        except OSError:
            return False
    return True
