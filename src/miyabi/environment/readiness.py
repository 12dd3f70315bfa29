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
    """Something else answers there."""


class Port(Enum):
    """Whether a port of 127.0.0.1 can be listened on."""

    FREE = "free"
    TAKEN = "taken"
    REFUSED = "refused"
    """This user may not have it, whether it is taken or not."""


def probe(instance: Instance, *, timeout_seconds: float = 1.0) -> Readiness:
    """Ask the API once."""
    connection = http.client.HTTPConnection("127.0.0.1", instance.api_port, timeout=timeout_seconds)
    with contextlib.closing(connection):
        try:
            connection.request("GET", PATH)
            response = connection.getresponse()
            content = response.read(1 << 16)
        except OSError:  # also a connection that was closed without a word
            return Readiness.NOT_YET
        except http.client.HTTPException:
            return Readiness.FOREIGN
    try:
        body = json.loads(content)
    except ValueError:
        return Readiness.FOREIGN
    if not isinstance(body, dict) or body.get("instance_id") != instance.instance_id:
        return Readiness.FOREIGN
    return Readiness.READY if response.status == 200 and body.get("ready") is True else Readiness.NOT_YET


def look_at_port(port: int) -> Port:
    """Say whether a program of this user could listen on a port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that ended do not count
        try:
            attempt.bind(("127.0.0.1", port))
        except PermissionError:
            return Port.REFUSED
        except OSError:
            return Port.TAKEN
    return Port.FREE
