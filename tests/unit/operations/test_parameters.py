"""Parameters of operations: read from a command line and from JSON, and what is said of wrong ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import pytest

from miyabi.model.errors import InvalidInput
from miyabi.operations.execution.parameters import param, parameters_of, read_params, shown_params


@dataclass(frozen=True)
class Params:
    count: int = param("How many", argument=True, unit="tasks", minimum=1, maximum=9)
    for_: timedelta | None = param("How long", default=None, minimum=60)
    share: float = param("Which part", default=0.5)
    kind: Literal["small", "large"] = param("Which kind", default="small")
    force: bool = param("Whether", default=False)
    names: tuple[str, ...] = param("Which", default=())


def read(**values: object) -> Params:
    found: Params = read_params(Params, values)
    return found


def test_text_and_json_give_the_same() -> None:
    expected = Params(3, timedelta(hours=2, minutes=30), 0.25, "large", True, ("a", "b"))
    text = {"count": "3", "for": "2h30m", "share": "0.25", "kind": "large", "force": True, "names": ["a", "b"]}
    json = {"count": 3, "for": 9000, "share": 0.25, "kind": "large", "force": True, "names": ["a", "b"]}
    assert read(**text) == read(**json) == expected
    assert shown_params(expected) == {
        "count": 3,
        "for_seconds": 9000.0,
        "share": 0.25,
        "kind": "large",
        "force": True,
        "names": ["a", "b"],
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "COUNT is missing"),
        ({"count": "many"}, "COUNT must be a whole number, not 'many'"),
        ({"count": 2.5}, "COUNT must be a whole number"),
        ({"count": True}, "COUNT must be a whole number"),
        ({"count": 0}, "COUNT: 0 is less than 1 tasks"),
        ({"count": 10}, "COUNT: 10 is more than 9 tasks"),
        ({"count": 1, "for": "soon"}, "--for: 'soon' is not a duration"),
        ({"count": 1, "for": "30s"}, "--for: 30 is less than 60 s"),
        ({"count": 1, "for": -1}, "--for must be a duration"),
        ({"count": 1, "kind": "huge"}, "--kind: 'huge' is none of small, large"),
        ({"count": 1, "force": "yes"}, "--force must be true or false"),
        ({"count": 1, "names": "a"}, "--names must be a list"),
        ({"count": 1, "names": [""]}, "--names is empty"),
        ({"count": 1, "cuont": 1}, "unknown parameter 'cuont'"),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message.replace("(", r"\(")):
        read(**values)


def test_a_parameter_knows_how_it_is_called_and_what_it_is() -> None:
    by_key = {one.key: one for one in parameters_of(Params)}
    assert [one.option for one in by_key.values()] == ["COUNT", "--for", "--share", "--kind", "--force", "--names"]
    assert (by_key["count"].required, by_key["for"].required, by_key["kind"].choices) == (
        True,
        False,
        ("small", "large"),
    )
