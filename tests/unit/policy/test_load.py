"""Shapes, mixes and reports of loads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.policy.load_mix import BadMix, MixedRequest, choose, read_mix
from miyabi.policy.load_report import Sent, report
from miyabi.policy.load_shape import Shape, expected, send_times, share


@given(st.sampled_from(Shape), st.floats(0, 1))
def test_a_rate_is_never_below_nothing_nor_above_the_highest(shape: Shape, at: float) -> None:
    assert 0 <= share(shape, at) <= 1


@given(st.sampled_from(Shape), st.floats(1, 200), st.integers(5, 120), st.booleans(), st.integers(0, 1000))
def test_requests_are_as_many_as_the_rate_says_and_in_order(
    shape: Shape, rate: float, seconds: int, poisson: bool, seed: int
) -> None:
    times = list(send_times(shape, rate, seconds, seed=seed, poisson=poisson))
    wanted = expected(shape, rate, seconds)
    assert abs(len(times) - wanted) <= (6 * wanted**0.5 + 6 if poisson else 1)
    assert times == sorted(times)
    assert all(0 <= at <= seconds for at in times)
    assert times == list(send_times(shape, rate, seconds, seed=seed, poisson=poisson))


def test_each_shape_has_its_course() -> None:
    halves = {shape: list(send_times(shape, 100, 100, seed=1, poisson=False)) for shape in Shape}
    assert len(halves[Shape.STEADY]) == 10_000
    ramp = halves[Shape.RAMP]
    assert sum(at < 50 for at in ramp) == pytest.approx(len(ramp) / 4, rel=0.01)
    spike = halves[Shape.SPIKE]
    assert sum(40 <= at < 60 for at in spike) == pytest.approx(2000, abs=20)
    assert sum(at < 40 for at in spike) == pytest.approx(800, abs=20)
    day = halves[Shape.DAY]
    assert sum(at < 100 / 4 for at in day) < sum(100 / 3 < at < 100 / 3 + 25 for at in day) / 2


def test_a_mix_is_read_and_drawn_by_weight() -> None:
    mix = read_mix(
        {"request": [{"path": "/", "weight": 3}, {"path": "/x", "method": "post", "body": "b", "statuses": [201, 409]}]}
    )
    assert mix == (MixedRequest("/", weight=3.0), MixedRequest("/x", "POST", body="b", statuses=frozenset({201, 409})))
    drawn = choose(mix, seed=1, count=4000)
    assert drawn.count(0) == pytest.approx(3000, abs=150)
    assert (mix[1].is_right(201), mix[1].is_right(200), mix[0].is_right(302), mix[0].is_right(404)) == (
        True,
        False,
        True,
        False,
    )


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"request": []},
        {"requests": [{"path": "/"}]},
        {"request": [{"path": "x"}]},
        {"request": [{"path": "/", "method": "FETCH"}]},
        {"request": [{"path": "/", "weight": 0}]},
        {"request": [{"path": "/", "colour": "red"}]},
        {"request": [{"path": "/", "statuses": ["ok"]}]},
        {"request": [{"path": "/", "headers": {"a": 1}}]},
        {"request": [{"path": "/", "headers": {"a b": "1"}}]},
        {"request": [{"path": "/", "headers": {"a": "1\n2"}}]},
        {"request": [{"path": "/", "headers": {"a": "\N{EURO SIGN}"}}]},
        {"request": [{"path": "/", "weight": float("nan")}]},
        {"request": [{"path": "/", "weight": float("inf")}]},
        {"request": [{"path": "/", "weight": 10**400}]},
        {"request": [{"path": "//x"}]},
        {"request": [{"path": "/a b"}]},
        {"request": [{"path": "/\N{LATIN SMALL LETTER E WITH ACUTE}"}]},
        {"request": ["/"]},
    ],
)
def test_a_mix_that_means_nothing_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(BadMix):
        read_mix(document)


def test_what_waits_for_the_service_counts_from_when_it_was_due() -> None:
    quick = [Sent(at / 100, at / 100, at / 100 + 0.01, 200, True) for at in range(98)]
    stalled = [Sent(0.98, 1.98, 1.99, 200, True), Sent(0.99, 1.98, 1.99, 200, True)]
    found = report([*quick, *stalled], planned=100, seconds=1)
    assert found.latency[99.0] == pytest.approx(1.0)
    assert found.service_time[99.0] == pytest.approx(0.01)
    assert found.latency[50.0] == pytest.approx(0.01)
    assert not found.kept_up
    assert found.verdicts == ("P99 is 1000 ms, the target 200 ms",)


def test_errors_and_wrong_answers_are_counted_and_missed() -> None:
    ended = [Sent(0, 0, 0.01, 200, True), Sent(0, 0, 0.02, 500, False), Sent(0, 0, 1, 0, False, "refused")]
    found = report(ended, planned=4, seconds=1)
    assert (found.statuses, found.errors, found.wrong, found.unfinished) == ({200: 1, 500: 1}, {"refused": 1}, 2, 1)
    assert found.verdicts == (
        "P95 is no answer, the target 100 ms",
        "P99 is no answer, the target 200 ms",
        "2 of 3 requests did not get the answer that was wanted",
        "nothing is known of 1 of 4 requests: they did not end in time",
    )
    assert report([], planned=3, seconds=1).verdicts[-1].startswith("nothing is known of 3 of 3")


def test_what_gets_no_answer_is_slower_than_all_that_do() -> None:
    ended = [Sent(at / 100, at / 100, at / 100 + 0.01, 200, True) for at in range(60)]
    ended += [Sent(at / 100, at / 100, at / 100 + 15, 0, False, "timed out") for at in range(60, 100)]
    found = report(ended, planned=100, seconds=1)
    assert (found.latency[50.0], found.latency[90.0]) == (pytest.approx(0.01), None)
    assert found.rate == 60


def test_what_an_interrupt_cut_off_is_no_verdict() -> None:
    ended = [Sent(0, 0, 0.01, 200, True)] * 5
    found = report(ended, planned=8, seconds=1, interrupted=True)
    assert (found.unfinished, found.latency[100.0], found.verdicts) == (3, pytest.approx(0.01), ())


@given(st.integers(1, 300_000), st.sampled_from([50.0, 90.0, 95.0, 99.0, 99.9, 100.0]))
def test_a_percentile_is_the_nearest_rank(count: int, percent: float) -> None:
    found = report([Sent(0, 0, 1.0, 200, True)], planned=count, seconds=1)
    rank = -(-count * int(percent * 10) // 1000)  # whole numbers: exact
    assert (found.latency[percent] is None) == (rank > 1)
