"""The error tree, divided by what the caller can do about it.

    MiyabiError
    ├── InvalidInput   exit 2, HTTP 422   mend what you gave
    ├── Denied         exit 3, HTTP 403   ask for the right
    ├── NotFound       exit 4, HTTP 404   name something that exists
    ├── Conflict       exit 5, HTTP 409   wait for the other, or look at what changed
    ├── Unavailable    exit 6, HTTP 503   try again
    ├── Failed         exit 1, HTTP 200   it ran, and the verdict is bad
    └── Internal       exit 70, HTTP 500  a bug: report it

130 is the exit code of an interrupted command. A message names the resource and says in one line what is
wrong; the hint says what to do.
"""

from __future__ import annotations

from typing import ClassVar


class MiyabiError(Exception):
    """A failure that a user can read: one line, and a hint."""

    exit_code: ClassVar[int] = 70
    http_status: ClassVar[int] = 500
    retry: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def body(self) -> dict[str, object]:
        """Return the error as the API and `--json` show it."""
        return {
            "error": {
                "type": type(self).__name__,
                "message": self.message,
                "hint": self.hint,
                "retry": self.retry,
            }
        }


class InvalidInput(MiyabiError):
    """What was given cannot be used."""

    exit_code = 2
    http_status = 422


class Denied(MiyabiError):
    """The caller may not do this."""

    exit_code = 3
    http_status = 403


class NotFound(MiyabiError):
    """What was named does not exist."""

    exit_code = 4
    http_status = 404


class Conflict(MiyabiError):
    """Something else holds or changed the resource."""

    exit_code = 5
    http_status = 409


class Unavailable(MiyabiError):
    """Not ready, throttled or timed out: trying again may help."""

    exit_code = 6
    http_status = 503
    retry = True


class Failed(MiyabiError):
    """It ran, and the verdict is bad."""

    exit_code = 1
    http_status = 200


class Internal(MiyabiError):
    """A bug in Miyabi."""


class Interrupted(KeyboardInterrupt):
    """The user interrupted a run (exit 130); says what is left, and how to go on."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
