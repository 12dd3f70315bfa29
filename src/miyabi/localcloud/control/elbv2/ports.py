"""Asking the kernel which ports can be bound."""

from __future__ import annotations

import errno
import socket

LOW_PORT_OFFSET = 18000
"""Where an ordinary user may not bind port 80, a load balancer listens on 18080."""


def low_port_offset(address: str) -> int:
    """Return what to add to ports under 1024 on this address: 0 where the user may bind them."""
    return LOW_PORT_OFFSET if _bind(address, 80) in {errno.EACCES, errno.EPERM} else 0


def refusal(address: str, port: int) -> str | None:
    """Say in one line why the port cannot be bound now; None where it can. Port 0: the address itself."""
    code = _bind(address, port)
    if code == 0:
        return None
    if code == errno.EADDRINUSE:
        return f"port {port} on {address} is taken by another process"
    if code in {errno.EACCES, errno.EPERM}:
        return f"this user may not bind port {port} on {address}"
    return f"port {port} on {address} cannot be bound: {errno.errorcode.get(code, code)}"


def _bind(address: str, port: int) -> int:
    """Bind and let go; return the error number or 0."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that just ended do not count
        try:
            probe.bind((address, port))
        except OSError as error:
            return error.errno or errno.EIO
    return 0
