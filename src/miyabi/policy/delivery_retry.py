"""When a message that a subscriber did not take is sent again.

Source: docs.aws.amazon.com, "Amazon SNS message delivery retries": the default policy of HTTP and HTTPS endpoints,
three retries 20 seconds apart. What the client is to blame for is not sent again, but for being asked to wait.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

RETRIES: Final = 3
DELAY: Final = timedelta(seconds=20)
_TOO_MANY: Final = 429


def next_try(attempts: int, status: int | None) -> timedelta | None:
    """Return after which time to try again; None: never.

    attempts: made so far, one at least. status: of the answer; None where there was none.
    """
    permanent = status is not None and 400 <= status < 500 and status != _TOO_MANY
    return None if permanent or attempts > RETRIES else DELAY


def is_taken(status: int | None) -> bool:
    """Say whether the subscriber has taken the message."""
    return status is not None and 200 <= status < 300
