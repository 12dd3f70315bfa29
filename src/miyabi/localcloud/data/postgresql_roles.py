"""Users and database of an instance, and passwords as the server keeps them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

import asyncpg

SUPERUSER = "rdsadmin"
"""The control plane's own role; it can only come in by the Unix socket."""
_ITERATIONS = 4096
_GRANTED = ("pg_monitor", "pg_signal_backend", "pg_checkpoint", "pg_use_reserved_connections", "pg_create_subscription")


def scram_verifier(password: str) -> str:
    """Return what the server stores of a password: enough to check it, not enough to log in with."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${_ITERATIONS}:{_text(salt)}${_text(stored)}:{_text(server)}"


async def prepare(connection: asyncpg.Connection, username: str, verifier: str) -> None:
    """Make the master user with what a master user may do on RDS, and set its password. Repeating it is harmless."""
    known = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
    async with connection.transaction():
        if "rds_superuser" not in known:
            await connection.execute("CREATE ROLE rds_superuser NOLOGIN")
        for role in _GRANTED:
            if role in known:
                await connection.execute(f"GRANT {role} TO rds_superuser WITH ADMIN OPTION")
        user = quoted(username)
        verb = "ALTER" if username in known else "CREATE"
        # The verifier is base64 with $ and colons: no quote can be in it.
        await connection.execute(f"{verb} ROLE {user} LOGIN CREATEDB CREATEROLE PASSWORD '{verifier}'")
        if username not in known:
            await connection.execute(f"GRANT rds_superuser TO {user} WITH ADMIN OPTION")
            await connection.execute(f"ALTER DATABASE postgres OWNER TO {user}")


async def ensure_database(connection: asyncpg.Connection, name: str, owner: str) -> None:
    """Make a database, unless it is there."""
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        await connection.execute(f"CREATE DATABASE {quoted(name)} OWNER {quoted(owner)}")


async def ensure_own_database(connection: asyncpg.Connection) -> None:
    """Make the control plane's database, which users cannot reach or drop."""
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", SUPERUSER):
        await connection.execute(f"CREATE DATABASE {SUPERUSER} OWNER {SUPERUSER}")
        await connection.execute(f"REVOKE CONNECT ON DATABASE {SUPERUSER} FROM PUBLIC")


def quoted(identifier: str) -> str:
    """Return an SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
