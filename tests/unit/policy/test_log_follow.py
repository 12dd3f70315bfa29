"""A follower returns every event once, whatever comes late, in whatever order, and however a look ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from miyabi.model.logs import LogEvent
from miyabi.policy.log_follow import Follower

LOOK_BACK, SWEEP_BACK, SWEEP_EVERY = 100, 1_000, 300
SINCE = 10_000


@dataclass(frozen=True)
class Arrival:
    """An event, and the server's time from which on it can be found."""

    event: LogEvent
    visible: int


class Server:
    """A log group whose events become visible late and one by one, also while pages are being read."""

    def __init__(self, arrivals: Sequence[Arrival]) -> None:
        self.arrivals = arrivals
        self.now = SINCE

    def pages(self, start: int, size: int, pause: int) -> Iterator[list[LogEvent]]:
        """Yield pages as FilterLogEvents does: each goes on behind the last event of the one before."""
        position = (start, "")
        while True:
            found = sorted(
                (one.event for one in self.arrivals if one.visible <= self.now), key=lambda one: (one.timestamp, one.id)
            )
            page = [one for one in found if (one.timestamp, one.id) > position and one.timestamp >= start][:size]
            yield page
            if len(page) < size:
                return
            position = (page[-1].timestamp, page[-1].id)
            self.now += pause


def look(follower: Follower, server: Server, *, size: int, pause: int, pages: int | None = None) -> list[LogEvent]:
    """Look once; after `pages` pages the look fails."""
    began, found = server.now, list[LogEvent]()
    for number, page in enumerate(server.pages(follower.start(), size, pause)):
        if number == pages:
            return found
        found += follower.fresh(page)
    follower.completed(began)
    return found


def follower_of(since: int = SINCE) -> Follower:
    return Follower(since, look_back=LOOK_BACK, sweep_back=SWEEP_BACK, sweep_every=SWEEP_EVERY)


def arrivals_of(items: list[tuple[int, int, int]]) -> list[Arrival]:
    return [
        Arrival(LogEvent(f"{number:04d}", f"app/web/{stream}", when, when + delay, str(number)), when + delay)
        for number, (stream, when, delay) in enumerate(items)
    ]


times = st.integers(SINCE - 500, SINCE + 5_000)
arriving = st.lists(st.tuples(st.integers(0, 2), times, st.integers(-2_000, SWEEP_BACK)), max_size=60)
"""(stream, timestamp, delay); a negative delay is an event from the future."""
looks = st.lists(
    st.tuples(st.integers(0, 900), st.integers(1, 7), st.integers(0, 40), st.none() | st.integers(0, 2)), max_size=40
)
"""(pause before, page size, pause between pages, pages after which it fails)"""


@given(arriving, looks)
def test_each_event_is_returned_exactly_once_when_it_comes_no_later_than_the_sweep_reaches(
    items: list[tuple[int, int, int]], wanted: list[Any]
) -> None:
    server, follower = Server(arrivals_of(items)), follower_of()
    returned: list[LogEvent] = []
    for pause, size, between, fails in wanted:
        server.now += pause
        returned += look(follower, server, size=size, pause=between, pages=fails)
    server.now = max([server.now, *(one.visible for one in server.arrivals)])
    for _ in range(2):  # the second look comes a sweep later
        server.now += SWEEP_EVERY
        returned += look(follower, server, size=5, pause=0)
    assert Counter(one.id for one in returned) == {
        one.event.id: 1 for one in server.arrivals if one.event.timestamp >= SINCE
    }


@given(arriving, looks)
def test_what_one_look_finds_on_a_page_is_in_the_order_of_time(
    items: list[tuple[int, int, int]], wanted: list[Any]
) -> None:
    server, follower = Server(arrivals_of(items)), follower_of()
    for pause, size, between, _ in wanted:
        server.now += pause
        found = look(follower, server, size=size * 50, pause=between)
        assert [one.timestamp for one in found] == sorted(one.timestamp for one in found)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5_000), st.integers(0, 60)), max_size=60), looks)
def test_a_stream_that_shows_its_lines_in_order_keeps_its_order(
    items: list[tuple[int, int, int]], wanted: list[Any]
) -> None:
    ordered = sorted(items, key=lambda one: one[1])
    arrivals = [
        Arrival(
            LogEvent(f"{number:04d}", f"app/web/{stream}", SINCE + when, 0, str(number)), SINCE + when + stream * 30
        )
        for number, (stream, when, _) in enumerate(ordered)
    ]
    server, follower = Server(arrivals), follower_of()
    returned: list[LogEvent] = []
    for pause, size, between, fails in wanted:
        server.now += pause
        returned += look(follower, server, size=size, pause=between, pages=fails)
    for stream in {one.stream for one in returned}:
        ids = [one.id for one in returned if one.stream == stream]
        assert ids == sorted(ids)


@given(st.integers(1, 50), st.integers(0, 20))
def test_memory_holds_no_more_than_what_may_be_read_again(steps: int, each: int) -> None:
    server, follower = Server([]), follower_of()
    arrivals: list[Arrival] = []
    for step in range(steps):
        server.now += SWEEP_EVERY
        arrivals += [
            Arrival(LogEvent(f"{step:04d}-{number:04d}", "s", server.now, server.now, ""), server.now)
            for number in range(each)
        ]
        server.arrivals = arrivals
        look(follower, server, size=1_000, pause=0)
    assert follower.remembered <= each * (SWEEP_BACK // SWEEP_EVERY + 2)


def test_a_line_that_comes_after_the_look_back_is_found_by_the_next_sweep() -> None:
    late = Arrival(LogEvent("late", "a/b/one", SINCE + 10, 0, "late"), SINCE + 500)
    server, follower = Server([late]), follower_of()
    found = []
    while server.now < SINCE + 1_000:
        found.append((server.now, look(follower, server, size=10, pause=0)))
        server.now += 50
    when = [now for now, events in found if events]
    assert len(when) == 1
    assert SINCE + 500 <= when[0] <= SINCE + 500 + SWEEP_EVERY


def test_a_line_that_comes_within_the_look_back_is_found_by_the_next_look() -> None:
    server, follower = Server([]), follower_of()
    for number in range(20):
        server.now += 20
        late = LogEvent(f"late {number}", "a/b/one", server.now - LOOK_BACK + 20, 0, "")
        server.arrivals = [*server.arrivals, Arrival(late, server.now)]
        assert [one.id for one in look(follower, server, size=10, pause=0)] == (
            [late.id] if late.timestamp >= SINCE else []
        )


def test_an_event_from_the_future_does_not_move_the_window() -> None:
    future = Arrival(LogEvent("future", "a/b/one", SINCE + 7_200_000, 0, ""), SINCE)
    server, follower = Server([future]), follower_of()
    assert [one.id for one in look(follower, server, size=10, pause=0)] == ["future"]
    server.arrivals = [future, Arrival(LogEvent("now", "a/b/two", SINCE + 5, 0, ""), SINCE + 5)]
    server.now += 5
    assert [one.id for one in look(follower, server, size=10, pause=0)] == ["now"]


@given(st.integers(0, 10**7))
def test_a_look_after_a_long_silence_goes_back_to_the_one_before(silence: int) -> None:
    server, follower = Server([]), follower_of()
    look(follower, server, size=10, pause=0)
    assume(silence >= 1)
    server.arrivals = [Arrival(LogEvent("x", "s", SINCE + 1, 0, ""), SINCE + 1)]
    server.now += silence
    assert [one.id for one in look(follower, server, size=10, pause=0)] == ["x"]


def test_a_task_is_named_by_the_start_of_its_id() -> None:
    assert LogEvent("1", "web/miyabi-app/0f1e2d3c4b5a69788796a5b4c3d2e1f0", 0, 0, "").task == "0f1e2d3c"
