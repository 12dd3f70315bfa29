"""What a loop remembers of probes that went unanswered. Nothing of it has to survive a restart."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta

from miyabi.policy.restart import Part, judge_silence


@dataclass(slots=True)
class _Unanswered:
    since: datetime
    probes: int = 0


class Silences:
    """The silences of one kind of part; a process that was restarted is another key."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._known: dict[Hashable, _Unanswered] = {}

    def heard(self, key: Hashable) -> None:
        """Note an answer; a refusal is one."""
        self._known.pop(key, None)

    def unheard(self, key: Hashable, asked_at: datetime) -> None:
        """Note a probe, begun at that instant, to which nothing came within its deadline."""
        self._known.setdefault(key, _Unanswered(asked_at)).probes += 1

    def hangs(self, key: Hashable, now: datetime) -> str | None:
        """Return why the process counts as hung, or None."""
        found = self._known.get(key)
        silent: timedelta | None = now - found.since if found is not None else None
        return judge_silence(self._part, silent, probes=found.probes if found else 0)
