"""The calls of one run: guarded by the lock, collected in a dry run, remembered for whoever interrupts it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from miyabi.aws.calls import Call, Unknown


@dataclass(slots=True)
class _Sent:
    call: Call
    answered: bool = False


class CallWatch:
    """Sees every call of one run.

    guard: called before each changing call; what it raises stops the call. collect: keep changing calls instead of
    sending them.
    """

    def __init__(self, *, guard: Callable[[], None] = lambda: None, collect: bool = False) -> None:
        self.seen: list[Call] = []
        self._guard = guard
        self._collect = collect
        self._changes: list[_Sent] = []

    def before(self, call: Call) -> Unknown | None:
        """Guard, collect or remember a call."""
        self.seen.append(call)
        if not call.changes:
            return None
        if self._collect:
            self._changes.append(_Sent(call))
            return Unknown(f"<answer of {call.operation}>")
        self._guard()
        self._changes.append(_Sent(call))
        return None

    def after(self, call: Call) -> None:
        """Note that a call was answered."""
        for sent in self._changes:
            if sent.call is call:
                sent.answered = True

    @property
    def changes(self) -> tuple[Call, ...]:
        """The changing calls, in order."""
        return tuple(sent.call for sent in self._changes)

    def describe_changes(self) -> str:
        """Say what was sent so far, for whoever must know what is left."""
        if not self._changes:
            return "nothing was changed"
        done = [sent.call.operation for sent in self._changes if sent.answered]
        open_ = [sent.call.operation for sent in self._changes if not sent.answered]
        parts = []
        if done:
            parts.append(f"done and not undone: {', '.join(dict.fromkeys(done))}")
        if open_:
            parts.append(f"sent, without an answer seen: {', '.join(dict.fromkeys(open_))}")
        return "; ".join(parts)
