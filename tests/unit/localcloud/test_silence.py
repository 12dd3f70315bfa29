from __future__ import annotations

from datetime import UTC, datetime, timedelta

from miyabi.localcloud.control.silence import Silences
from miyabi.policy.restart import PATIENCE, Part

BEGAN = datetime(2026, 1, 7, 12, tzinfo=UTC)
LATER = BEGAN + PATIENCE[Part.CACHE]


def test_a_process_hangs_after_its_patience_and_only_that_process() -> None:
    silences = Silences(Part.CACHE)
    silences.unheard("a", BEGAN)
    assert silences.hangs("a", LATER) is None  # one probe alone may have been lost
    silences.unheard("a", LATER)
    assert silences.hangs("a", LATER - timedelta(seconds=1)) is None
    assert str(silences.hangs("a", LATER)).startswith("cache node runs but has not answered for 6 s")
    assert silences.hangs("b", LATER) is None


def test_an_answer_ends_the_silence() -> None:
    silences = Silences(Part.CACHE)
    silences.unheard("a", BEGAN)
    silences.unheard("a", BEGAN)
    silences.heard("a")
    silences.unheard("a", LATER)
    assert silences.hangs("a", LATER) is None
