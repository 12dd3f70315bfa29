"""A call that runs beside the main thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """Runs a call in a thread of its own. An interrupted command does not wait for it."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._result: T | None = None
        self._error: BaseException | None = None
        self.seconds = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return not self._thread.is_alive()

    def result(self) -> T:
        """Wait for the end; return the result, or raise what was raised."""
        while self._thread.is_alive():
            self._thread.join(0.1)  # in steps, so that an interrupt comes through
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]

    def _run(self) -> None:
        begun = time.monotonic()
        try:
            self._result = self._call()
        except BaseException as error:  # noqa: BLE001 - raised where the result is wanted
            self._error = error
        self.seconds = time.monotonic() - begun
