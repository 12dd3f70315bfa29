"""Cursors and ids of events."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.model.errors import InvalidInput
from miyabi.webapi.events import new_id, read_cursor, write_cursor

INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(INSTANTS, st.uuids())
def test_a_cursor_names_its_place_exactly(occurred_at: datetime, event_id: uuid.UUID) -> None:
    assert read_cursor(write_cursor(occurred_at, event_id)) == (occurred_at, event_id)


@given(st.text() | st.binary(min_size=24, max_size=24).map(lambda content: content.hex()))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_cursor(text)


def test_a_cursor_out_of_time_is_refused() -> None:
    with pytest.raises(InvalidInput):
        read_cursor("f" * 32)


def test_ids_are_version_7_and_grow_with_time() -> None:
    ids = [new_id() for _ in range(100)]
    assert {(one.version, one.variant) for one in ids} == {(7, uuid.RFC_4122)}
    assert len(set(ids)) == 100
    milliseconds = [one.int >> 80 for one in ids]
    assert milliseconds == sorted(milliseconds)
