"""Patterns for JSON messages: `{ $.user.id = 1 && $.users[0].email = "*@example.com" }`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, NoReturn

from miyabi.policy.log_filter.comparison import comparison
from miyabi.policy.log_filter.scanner import Condition, Scanner, expression

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_INDEX = re.compile(r"\d{1,9}")
_KEY = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_WORD = re.compile(r"[A-Za-z]+")
_CONSTANTS = {"NULL": None, "TRUE": True, "FALSE": False}

_ANY_FIELD = object()
_ANY_ELEMENT = object()
_Selector = list[Any]

_MOST_REGEXES = 2
_MOST_WILDCARDS = 3


def compile_structured(text: str) -> Callable[[str], bool]:
    """Return the test of a JSON pattern; a message that is not a JSON object never matches."""
    scanner = Scanner(text)
    scanner.expect("{")
    wildcards: list[_Selector] = []
    test = expression(scanner, lambda inside: _condition(inside, wildcards))
    scanner.skip_spaces()
    scanner.expect("}")
    if not scanner.at_end():
        scanner.fail("nothing may follow the closing brace")
    if scanner.regexes > _MOST_REGEXES:
        scanner.fail(f"at most {_MOST_REGEXES} regular expressions are allowed")
    if len(wildcards) > _MOST_WILDCARDS:
        scanner.fail(f"at most {_MOST_WILDCARDS} wildcard selectors are allowed")

    def matches(message: str) -> bool:
        event = _event(message)
        return event is not None and test(event)

    return matches


def _event(message: str) -> dict[str, Any] | None:
    if not message.lstrip().startswith("{"):
        return None
    try:
        event = json.loads(message, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse)
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _condition(scanner: Scanner, wildcards: list[_Selector]) -> Condition[dict[str, Any]]:
    selector = _selector(scanner)
    any_count = sum(step is _ANY_FIELD or step is _ANY_ELEMENT for step in selector)
    if any_count > 1:
        scanner.fail("a property selector may have one wildcard")
    if any_count:
        wildcards.append(selector)
    scanner.skip_spaces()
    word = scanner.take(_WORD)
    if word is None:
        test = comparison(scanner, numbers_in_text=False)
        return lambda event: any(test(node) for node in _nodes(event, selector) if _is_value(node))
    scanner.skip_spaces()
    second = scanner.take(_WORD)
    words = (word[0], second[0] if second else "")
    if words == ("NOT", "EXISTS"):
        return lambda event: not any(True for _ in _nodes(event, selector))
    if words[0] != "IS" or words[1] not in _CONSTANTS:
        scanner.fail("an operator, IS NULL, IS TRUE, IS FALSE or NOT EXISTS expected")
    constant = _CONSTANTS[words[1]]
    return lambda event: any(node is constant for node in _nodes(event, selector))


def _is_value(node: object) -> bool:
    return isinstance(node, str | Decimal)


def _selector(scanner: Scanner) -> _Selector:
    scanner.skip_spaces()
    scanner.expect("$")
    steps: _Selector = []
    while True:
        if scanner.accept("["):
            steps.append(_in_brackets(scanner))
            scanner.expect("]")
        elif scanner.accept("."):
            if not scanner.at("["):
                steps.append(_ANY_FIELD if scanner.accept("*") else _name(scanner))
        elif steps:
            return steps
        else:
            scanner.fail("a property selector begins with '$.'")


def _name(scanner: Scanner) -> str:
    found = scanner.take(_NAME)
    if found is None:
        scanner.fail("a property name expected; one with other characters is written $.['name']")
    return found[0]


def _in_brackets(scanner: Scanner) -> Any:
    if scanner.accept("*"):
        return _ANY_ELEMENT
    index = scanner.take(_INDEX)
    if index is not None:
        return int(index[0])
    key = scanner.take(_KEY)
    if key is None:
        scanner.fail("an index, '*' or a quoted property name expected")
    return key[1] if key[1] is not None else key[2]


def _nodes(event: dict[str, Any], selector: _Selector) -> Iterable[Any]:
    """Return the nodes that the selector points to: none, one, or with a wildcard several."""
    nodes: list[Any] = [event]
    for step in selector:
        nodes = [child for node in nodes for child in _children(node, step)]
    return nodes


def _children(node: Any, step: Any) -> list[Any]:
    if isinstance(node, dict):
        if step is _ANY_FIELD:
            return list(node.values())
        return [node[step]] if isinstance(step, str) and step in node else []
    if isinstance(node, list):
        if step is _ANY_ELEMENT:
            return list(node)
        return [node[step]] if isinstance(step, int) and step < len(node) else []
    return []
