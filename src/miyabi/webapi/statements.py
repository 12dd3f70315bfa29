"""Every SQL statement of the service but its schema, which is in `migrations`. No I/O.

A statement's name is what the log calls it. Parameters are asyncpg's: $1, $2 ...
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with a name."""

    name: str
    sql: str


PROBE = Statement("probe", "SELECT 1")

_EVENT = "id, occurred_at, recorded_at, type, message, data, author"

# Parameters: id, occurred_at (NULL: now), type, message, data, author, idempotency_key, request_digest. No row comes
# back where the author has used the idempotency key before.
ADD_EVENT = Statement(
    "add_event",
    f"""
    INSERT INTO events
        (id, occurred_at, recorded_at, type, message, data, author, idempotency_key, request_digest)
    VALUES ($1, coalesce($2, now()), now(), $3, $4, $5, $6, $7, $8)
    ON CONFLICT (author, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
    RETURNING {_EVENT}
    """,  # noqa: S608 - of constants
)

# Parameters: author, idempotency_key.
FIND_REPEATED_EVENT = Statement(
    "find_repeated_event",
    f"SELECT {_EVENT}, request_digest FROM events WHERE author = $1 AND idempotency_key = $2",  # noqa: S608
)

# Parameters: id.
FIND_EVENT = Statement("find_event", f"SELECT {_EVENT} FROM events WHERE id = $1")  # noqa: S608

# Each list is a statement of its own, so that each has a plan of its own along its index.
# Parameters: limit.
LIST_EVENTS = Statement(
    "list_events",
    f"SELECT {_EVENT} FROM events ORDER BY occurred_at DESC, id DESC LIMIT $1",  # noqa: S608
)

# Parameters: limit, and occurred_at and id of the last event that the reader has.
LIST_EVENTS_BEFORE = Statement(
    "list_events_before",
    f"""
    SELECT {_EVENT} FROM events WHERE (occurred_at, id) < ($2, $3) ORDER BY occurred_at DESC, id DESC LIMIT $1
    """,  # noqa: S608
)

# Parameters: limit, type.
LIST_EVENTS_OF_TYPE = Statement(
    "list_events_of_type",
    f"SELECT {_EVENT} FROM events WHERE type = $2 ORDER BY occurred_at DESC, id DESC LIMIT $1",  # noqa: S608
)

# Parameters: limit, type, and occurred_at and id of the last event that the reader has.
LIST_EVENTS_OF_TYPE_BEFORE = Statement(
    "list_events_of_type_before",
    f"""
    SELECT {_EVENT} FROM events WHERE type = $2 AND (occurred_at, id) < ($3, $4)
    ORDER BY occurred_at DESC, id DESC LIMIT $1
    """,  # noqa: S608
)

# A number of our own: the lock of the task that applies migrations.
MIGRATION_LOCK = 0x6D697961

TRY_MIGRATION_LOCK = Statement("try_migration_lock", "SELECT pg_try_advisory_lock($1)")
RELEASE_MIGRATION_LOCK = Statement("release_migration_lock", "SELECT pg_advisory_unlock($1)")

CREATE_MIGRATIONS = Statement(
    "create_migrations",
    """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        number     integer PRIMARY KEY,
        name       text NOT NULL,
        checksum   text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
    """,
)

LIST_MIGRATIONS = Statement("list_migrations", "SELECT number, name, checksum FROM schema_migrations")

# Parameters: number, name, checksum.
RECORD_MIGRATION = Statement(
    "record_migration", "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)"
)
