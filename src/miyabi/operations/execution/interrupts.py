"""Ctrl-C while a record is closed or a lock given back: it waits until that is done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def deferred_interrupts(*, last: bool = False) -> Iterator[None]:
    """Put off SIGINT until the block has ended: what it does is short and has a deadline of its own.

    last: the run ends with this block, so what came meanwhile has nothing left to interrupt.
    Elsewhere than in the main thread there is nothing to put off.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = False

    def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
        nonlocal came
        came = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came and not last:
        raise KeyboardInterrupt
