from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.localcloud.processes import ProcessSpec, ProcessState
from miyabi.localcloud.supervisor import wire

GOOD: dict[str, Any] = {
    "name": "a",
    "argv": ["x"],
    "env": {"A": ""},
    "cwd": "/",
    "output": "/o",
    "restart": False,
}

words = st.text(st.characters(exclude_characters="\0"), min_size=1)
names = st.text(st.characters(exclude_characters="\0="), min_size=1)
specs = st.builds(
    ProcessSpec,
    name=words,
    argv=st.lists(words, min_size=1).map(tuple),
    env=st.dictionaries(names, words),
    cwd=words,
    output=words,
    restart=st.booleans(),
)


def code_of(call: Callable[[], object]) -> str | None:
    """Return the code of the refusal, or None."""
    try:
        call()
    except wire.Refusal as refusal:
        return refusal.code
    return None


@given(specs)
def test_a_spec_survives_the_wire(spec: ProcessSpec) -> None:
    sent = wire.line({"spec": wire.spec_body(spec)})
    assert sent.count(b"\n") == 1
    assert wire.spec_of(wire.parse(sent)["spec"]) == spec


def test_a_state_survives_the_wire() -> None:
    state = ProcessState("task/a", 7, 1.25, running=False, exit_code=137, ended_at=2.5, restarts=3)
    assert wire.state_of(wire.parse(wire.line(wire.state_body(state)))) == state


@given(st.binary())
def test_any_bytes_are_parsed_or_refused(text: bytes) -> None:
    assert code_of(lambda: wire.parse(text)) in {None, wire.INVALID}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.sampled_from(sorted(GOOD)), json_values)
def test_a_spec_with_a_strange_member_is_taken_or_refused(member: str, value: object) -> None:
    assert code_of(lambda: wire.spec_of({**GOOD, member: value})) in {None, wire.INVALID}


@pytest.mark.parametrize("member", ["name", "argv", "env", "cwd", "output"])
def test_a_spec_without_a_member_is_refused(member: str) -> None:
    body = {key: value for key, value in GOOD.items() if key != member}
    with pytest.raises(wire.Refusal, match=member):
        wire.spec_of(body)


@pytest.mark.parametrize("value", [True, "1", -1, float("nan"), 1e9, [], {}])
def test_only_a_sensible_number_of_seconds_is_taken(value: object) -> None:
    with pytest.raises(wire.Refusal, match="timeout_seconds must be a number"):
        wire.seconds_of({"timeout_seconds": value}, "timeout_seconds", 10)
    assert wire.seconds_of({}, "timeout_seconds", 10) == 10


def test_a_line_is_compact_json() -> None:
    assert wire.line({"ok": True, "text": "a\nb"}) == b'{"ok":true,"text":"a\\nb"}\n'
    assert json.loads(wire.line({"text": "æ"})) == {"text": "æ"}
