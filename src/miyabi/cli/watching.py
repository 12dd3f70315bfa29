"""Shows the steps and waits of an operation while it runs."""

from __future__ import annotations

import os
import select
import sys
import time

from miyabi.aws.waiting import Progress
from miyabi.cli.output import Output

_SAY_SECONDS = 15.0
_STDOUT = 1


def pause_while_read(seconds: float) -> None:
    """Sleep, but end at once where nobody reads standard output any more: raises BrokenPipeError.

    A command that waits for something to show would not notice before it has something to show.
    """
    poll = select.poll()
    try:
        os.fstat(_STDOUT)
    except OSError:
        time.sleep(seconds)
        return
    poll.register(_STDOUT, 0)  # an error or a hang-up is reported unasked
    if poll.poll(seconds * 1000):
        raise BrokenPipeError


class Watching:
    """Writes steps and waits to standard error: a line when something changes, or now and then."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._begun = time.monotonic()
        self._detail = ""
        self._said = 0.0

    def step(self, text: str) -> None:
        """Write the step that begins."""
        self._say(text)

    def progress(self, progress: Progress) -> None:
        """Write how a wait stands: what it waits for, what is missing, how long it may take yet."""
        now = time.monotonic()
        if progress.detail == self._detail and now - self._said < _SAY_SECONDS:
            return
        self._detail, self._said = progress.detail, now
        left = max(0.0, (progress.deadline - progress.elapsed).total_seconds())
        self._say(f"waiting for {progress.what}: {progress.detail} (at most {left:.0f} s more)")

    def warn(self, text: str) -> None:
        """Write a warning."""
        self._output.note(f"{self._output.colour('warning:', 'yellow', stream=sys.stderr)} {text}")

    def _say(self, text: str) -> None:
        self._output.note(f"{time.monotonic() - self._begun:7.1f} s  {text}")
