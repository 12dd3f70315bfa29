"""`miyabi logs`, as far as it goes without a cloud."""

from __future__ import annotations

import os
import time

import pytest
from tests.unit.cli.conftest import Miyabi

from miyabi.cli import watching


def test_help_lists_the_verbs_and_retention_is_one(miyabi: Miyabi) -> None:
    shown = miyabi("logs", "--help")
    assert shown.code == 0
    for verb in ("tail", "search", "retention"):
        assert f"\n  {verb} " in shown.out
    assert "set-retention" not in shown.out


def test_options_alone_mean_tail(miyabi: Miyabi) -> None:
    assert "--follow" in miyabi("logs", "tail", "--help").out
    refused = miyabi("logs", "--sinse", "5m")
    assert refused.code == 2
    assert "`miyabi logs tail --help`" in refused.err


def test_a_mistyped_verb_gets_a_suggestion(miyabi: Miyabi) -> None:
    refused = miyabi("logs", "serach", "ERROR")
    assert refused.code == 2
    assert "Did you mean 'search'?" in refused.err


@pytest.mark.parametrize("option", ["--dry-run", "--shorten"])
def test_what_belongs_to_setting_a_retention_wants_the_days(miyabi: Miyabi, option: str) -> None:
    refused = miyabi("logs", "retention", option)
    assert refused.code == 2
    assert "DAYS is missing" in refused.err


def test_a_pause_ends_when_nobody_reads_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(watching, "_STDOUT", writing)
    try:
        began = time.monotonic()
        watching.pause_while_read(0.05)
        assert time.monotonic() - began >= 0.04
        os.close(reading)
        with pytest.raises(BrokenPipeError):
            watching.pause_while_read(60)
    finally:
        os.close(writing)
