"""What does not work at the moment: one line when that changes, however often a loop tries again."""

from __future__ import annotations

import logging


class Troubles:
    """The last failure of each thing that a loop looks after."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._held: dict[str, str] = {}

    def add(self, what: str, error: Exception) -> None:
        """Note a failure; a new one is logged with its traceback."""
        text = f"{type(error).__name__}: {error}"
        if self._held.get(what) != text:
            self._held[what] = text
            self._log.error("%s: %s; it is tried again", what, text, exc_info=error)

    def clear(self, what: str) -> None:
        """Note that it works."""
        if self._held.pop(what, None) is not None:
            self._log.info("%s works again", what)

    def keep_only(self, names: set[str]) -> None:
        """Forget what is not there any more."""
        for name in self._held.keys() - names:
            del self._held[name]
