"""Answers of the live services that a client's retry gets again.

They are committed with the change itself: where an answer was lost, the change is not made twice.
"""

from __future__ import annotations

import msgspec

from miyabi.localcloud.control.service import Answer
from miyabi.localcloud.control.store import Store

_KEPT = 512
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,
    status INTEGER NOT NULL, headers BLOB NOT NULL, body BLOB NOT NULL
);
"""


class KeptAnswers:
    """The newest answers, by what the retries of a request share."""

    def __init__(self, store: Store) -> None:
        self._connection = store.connection
        self._connection.execute(_SCHEMA)

    def get(self, key: str) -> Answer | None:
        """Return the answer that was given, or None."""
        found = self._connection.execute("SELECT status, headers, body FROM answers WHERE key=?", (key,)).fetchone()
        if found is None:
            return None
        return found[0], msgspec.json.decode(found[1], type=dict[str, str]), found[2]

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer; the oldest one goes. A failure of ours is not kept: its retry shall try again."""
        status, headers, body = answer
        if not key or status >= 500:
            return
        cursor = self._connection.execute(
            "INSERT OR REPLACE INTO answers (key, status, headers, body) VALUES (?, ?, ?, ?)",
            (key, status, msgspec.json.encode(headers), body),
        )
        self._connection.execute("DELETE FROM answers WHERE number <= ?", ((cursor.lastrowid or 0) - _KEPT,))
