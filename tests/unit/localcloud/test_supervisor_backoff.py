from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from miyabi.localcloud.supervisor.backoff import FIRST_SECONDS, LONGEST_SECONDS, STEADY_SECONDS, next_delay


def test_the_delay_doubles_from_a_tenth_of_a_second_to_five() -> None:
    delays: list[float] = []
    for _ in range(8):
        delays.append(next_delay(delays[-1] if delays else None, 0))
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_a_steady_run_is_forgiven() -> None:
    assert next_delay(LONGEST_SECONDS, STEADY_SECONDS) == FIRST_SECONDS
    assert next_delay(LONGEST_SECONDS, STEADY_SECONDS - 0.1) == LONGEST_SECONDS


@given(st.none() | st.floats(FIRST_SECONDS, LONGEST_SECONDS), st.floats(0, 1e6))
def test_the_delay_stays_between_its_bounds(previous: float | None, ran: float) -> None:
    assert FIRST_SECONDS <= next_delay(previous, ran) <= LONGEST_SECONDS
