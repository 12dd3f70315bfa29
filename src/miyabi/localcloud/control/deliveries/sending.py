"""Sending one message: a POST to a loopback address, or a file in the home."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import ssl
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

from miyabi.environment.home import make_private, write_private

_LOCAL_NAMES = {"localhost", "localhost."}
_ANSWER_BYTES = 1 << 16


class NotLocal(Exception):
    """The endpoint is not on this machine: the local cloud speaks to loopback addresses only."""


async def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
    """Return the status of the answer. NotLocal; OSError, EOFError, ValueError: no answer, or none of HTTP."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    if not _is_local(host):
        raise NotLocal(f"{host or url} is no loopback address")
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    context = ssl.create_default_context() if secure else None
    reader, writer = await asyncio.open_connection(
        "127.0.0.1" if host in _LOCAL_NAMES else host, port, ssl=context, limit=_ANSWER_BYTES
    )
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        given = {"Host": parts.netloc.rpartition("@")[2], **headers, "Content-Length": str(len(body))}
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "Connection: close"]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body)
        version, status, *_ = (await reader.readuntil(b"\r\n")).split(b" ", 2)
        if not version.startswith(b"HTTP/1."):
            raise ValueError("not an HTTP answer")
        return int(status)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _is_local(host: str) -> bool:
    if host in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def put_mail(directory: Path, address: str, name: str, content: bytes) -> Path:
    """Write a mail into the address's folder; return the file."""
    folder = directory / re.sub(r"[^A-Za-z0-9.@_+-]", "_", address).lstrip(".")
    make_private(directory)
    make_private(folder)
    path = folder / f"{name}.eml"
    write_private(path, content)
    return path
