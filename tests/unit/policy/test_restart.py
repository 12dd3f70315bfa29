from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.policy.restart import (
    AT_ONCE,
    LEAST_PROBES,
    LONGEST,
    PATIENCE,
    STEADY,
    Part,
    Restart,
    describe_end,
    judge_silence,
    next_restart,
)

SHORT = timedelta(seconds=1)
RUNS = st.lists(st.timedeltas(timedelta(0), timedelta(seconds=30)), max_size=30)


def after(runs: list[timedelta]) -> list[Restart]:
    """Return the decisions after runs of these lengths, one after another."""
    decisions: list[Restart] = []
    for ran in runs:
        decisions.append(next_restart(decisions[-1] if decisions else None, ran=ran, why="it ended"))
    return decisions


def test_the_first_restart_is_immediate_and_the_pauses_double_up_to_five_seconds() -> None:
    pauses = [decision.delay.total_seconds() for decision in after([SHORT] * 9)]
    assert pauses == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_a_steady_run_is_forgiven() -> None:
    assert [decision.delay for decision in after([SHORT, SHORT, STEADY])][-1] == AT_ONCE
    assert [decision.in_a_row for decision in after([SHORT, SHORT, STEADY, SHORT])] == [1, 2, 1, 2]


def test_the_reason_says_how_it_ended_and_how_long_it_waits() -> None:
    first, second = after([SHORT, SHORT])
    assert first.reason == "it ended; restarted at once"
    assert second.reason == "it ended; restart 2 without a steady 10 s, so after 0.1 s"


@given(RUNS)
def test_pauses_never_shrink_without_a_steady_run_and_stay_within_bounds(runs: list[timedelta]) -> None:
    decisions = after(runs)
    assert all(AT_ONCE <= decision.delay <= LONGEST for decision in decisions)
    for before, now, ran in zip(decisions, decisions[1:], runs[1:], strict=False):
        if ran >= STEADY:
            assert now.delay == AT_ONCE
        else:
            assert now.delay >= before.delay
            assert now.in_a_row == before.in_a_row + 1


@given(RUNS, RUNS)
def test_a_steady_run_makes_the_past_forgotten(runs: list[timedelta], more: list[timedelta]) -> None:
    assert after([*runs, STEADY, *more])[len(runs) :] == after([STEADY, *more])


@pytest.mark.parametrize(
    ("exit_code", "out_of_memory", "text"),
    [
        (0, False, "ended with exit code 0"),
        (1, False, "ended with exit code 1"),
        (137, False, "killed by SIGKILL (exit code 137)"),
        (137, True, "killed for its memory (exit code 137)"),
        (255, False, "ended with exit code 255"),
    ],
)
def test_an_end_is_told_in_words(exit_code: int, out_of_memory: bool, text: str) -> None:
    assert describe_end(exit_code, out_of_memory=out_of_memory) == text


@given(st.sampled_from(Part), st.timedeltas(timedelta(0), timedelta(minutes=5)), st.integers(0, 9))
def test_a_part_hangs_when_its_patience_is_over_and_more_than_one_probe_was_lost(
    part: Part, silent: timedelta, probes: int
) -> None:
    reason = judge_silence(part, silent, probes=probes)
    assert (reason is not None) == (silent >= PATIENCE[part] and probes >= LEAST_PROBES)
    assert reason is None or str(part) in reason


def test_a_part_that_answers_does_not_hang() -> None:
    assert judge_silence(Part.DATABASE, None) is None
    assert (
        judge_silence(Part.CACHE, timedelta(seconds=7))
        == "cache node runs but has not answered for 7 s, the limit is 6 s"
    )
