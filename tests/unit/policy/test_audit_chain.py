"""The audit's chain: whatever is changed, removed or inserted breaks it, and is named."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from miyabi.policy.audit_chain import Head, breaks, head_of, sealed

ENTRIES = st.lists(
    st.dictionaries(st.sampled_from(["operation", "detail", "params"]), st.text() | st.none() | st.floats(-9, 9)),
    min_size=1,
    max_size=8,
)


def chain(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    head = Head("w1")
    for entry in entries:
        records.append(sealed(entry, head))
        head = head_of(records[-1])
    return records


@given(ENTRIES)
def test_what_was_written_holds_also_when_it_was_sent_twice_or_the_oldest_expired(
    entries: list[dict[str, Any]],
) -> None:
    records = chain(entries)
    assert breaks([*records, records[-1]], head=head_of(records[-1])) == ()
    assert breaks(records[1:]) == ()


@given(ENTRIES, st.data())
def test_a_changed_record_is_named(entries: list[dict[str, Any]], data: st.DataObject) -> None:
    records = chain(entries)
    number = data.draw(st.integers(0, len(records) - 1))
    records[number] = {**records[number], "operation": "something else!"}
    assert any(f"record {number + 1} was altered" in one.what for one in breaks(records))


@given(ENTRIES, st.data())
def test_a_record_that_was_sealed_anew_breaks_the_next_link(entries: list[dict[str, Any]], data: st.DataObject) -> None:
    records = chain([*entries, {"operation": "last"}])
    number = data.draw(st.integers(0, len(records) - 2))
    body = {
        key: value for key, value in records[number].items() if key not in {"hash", "sequence", "previous", "writer"}
    }
    before = head_of(records[number - 1]) if number else Head("w1")
    records[number] = sealed({**body, "operation": "forged!"}, before)
    assert [one.sequence for one in breaks(records)] == [number + 2]


@given(ENTRIES, st.data())
def test_a_missing_record_is_named(entries: list[dict[str, Any]], data: st.DataObject) -> None:
    records = chain([{"operation": "first"}, *entries, {"operation": "last"}])
    number = data.draw(st.integers(1, len(records) - 2))
    found = breaks([*records[:number], *records[number + 1 :]])
    assert [one.sequence for one in found] == [number + 1]
    assert "missing" in found[0].what


def test_the_newest_are_missed_by_who_wrote_them() -> None:
    records = chain([{}, {}, {}])
    assert breaks(records[:2]) == ()
    (found,) = breaks(records[:2], head=head_of(records[-1]))
    assert found.what == "records 3 to 3 are missing: the writer wrote them"
