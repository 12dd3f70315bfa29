"""The grammar of metric math: numbers, texts, ids, calls, unary minus, and operators by precedence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<text>'[^']*'|\"[^\"]*\")|(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^()<>,\[\]]))"
)
_BINDS: Final = {
    "||": 1,
    "OR": 1,
    "&&": 2,
    "AND": 2,
    "==": 3,
    "!=": 3,
    "<": 4,
    "<=": 4,
    ">": 4,
    ">=": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "^": 8,
}
_UNARY: Final = 7
_DEEPEST: Final = 50
_MOST_OPERATIONS: Final = 500
"""A chain of operators is a tree as deep as it is long."""


class BadExpression(ValueError):
    """The expression cannot be read, or does not fit what it is applied to."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted text."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """The id of a metric or of another expression, or a word such as REPEAT."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator between two terms."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Array:
    """Terms in brackets."""

    items: tuple[Node, ...]


Node = Number | Text | Name | Call | Operation | Array


def parse(text: str) -> Node:
    """Return the expression's tree. BadExpression."""
    parser = _Parser(_tokens(text))
    found = parser.term(0)
    parser.expect_end()
    return found


def names_in(node: Node) -> set[str]:
    """Return the ids that an expression uses."""
    match node:
        case Name(name):
            return {name}
        case Call(_, arguments):
            return set().union(*(names_in(one) for one in arguments))
        case Operation(_, left, right):
            return names_in(left) | names_in(right)
        case Array(items):
            return set().union(*(names_in(one) for one in items))
    return set()


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadExpression(f"Unexpected {text[at:].strip()[:1]!r} at position {at} of the expression '{text}'")
        at = match.end()
        kind = match.lastgroup or ""
        found.append((kind, match[kind]))
    if not found:
        raise BadExpression("The expression is empty")
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._operations = 0

    def term(self, weakest: int) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise BadExpression("The expression is nested too deeply")
        left = self._first()
        while True:
            sign = self._peek()[1].upper() if self._peek()[0] in {"sign", "name"} else ""
            binds = _BINDS.get(sign, -1)
            if binds < weakest or binds < 0:
                self._depth -= 1
                return left
            self._take()
            self._operations += 1
            if self._operations > _MOST_OPERATIONS:
                raise BadExpression(f"The expression has more than {_MOST_OPERATIONS} operators")
            right = self.term(binds + 1)
            left = Operation({"AND": "&&", "OR": "||"}.get(sign, sign), left, right)

    def expect_end(self) -> None:
        if self._at < len(self._tokens):
            raise BadExpression(f"Unexpected '{self._peek()[1]}' in the expression")

    def _first(self) -> Node:  # noqa: PLR0911 - one case a kind of token
        kind, text = self._take()
        match kind, text:
            case "number", _:
                return Number(float(text))
            case "text", _:
                return Text(text[1:-1])
            case "sign", "(":
                found = self.term(0)
                self._require(")")
                return found
            case "sign", "[":
                return Array(self._list("]"))
            case "sign", "-":
                return Operation("-", Number(0.0), self.term(_UNARY))
            case "sign", "+":
                return self.term(_UNARY)
            case "name", _ if self._peek() == ("sign", "("):
                self._take()
                return Call(text.upper(), self._list(")"))
            case "name", _:
                return Name(text)
        raise BadExpression(f"Unexpected '{text}' in the expression" if text else "The expression ends too early")

    def _list(self, end: str) -> tuple[Node, ...]:
        items: list[Node] = []
        if self._peek()[1] != end:
            items.append(self.term(0))
            while self._peek() == ("sign", ","):
                self._take()
                items.append(self.term(0))
        self._require(end)
        return tuple(items)

    def _require(self, sign: str) -> None:
        if self._take() != ("sign", sign):
            raise BadExpression(f"'{sign}' is missing in the expression")

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _take(self) -> tuple[str, str]:
        found = self._peek()
        self._at += 1
        return found
