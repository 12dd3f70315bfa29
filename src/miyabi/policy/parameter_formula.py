"""Formulas in DB parameters: `LEAST({DBInstanceClassMemory/9531392},5000)`.

Source: docs.aws.amazon.com, "Specifying DB parameters": variables in braces with `+ - * /`, the functions GREATEST,
LEAST and SUM, whole numbers only, divisions round down.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

_TOKEN = re.compile(r"\s*(?:(\d+)|([A-Za-z]+)|(.))")
_FUNCTIONS: Mapping[str, Callable[[Sequence[int]], int]] = {"GREATEST": max, "LEAST": min, "SUM": sum}
_FORMULA = re.compile(r"[{(]")


class BrokenFormula(ValueError):
    """The formula cannot be read."""


def is_formula(value: str) -> bool:
    """Say whether the value has to be computed."""
    return _FORMULA.search(value) is not None and value.lstrip().startswith(("{", *_FUNCTIONS))


def evaluate(formula: str, variables: Mapping[str, int]) -> int:
    """Return the formula's value. BrokenFormula: it cannot be read, or names an unknown variable."""
    reader = _Reader(formula, variables)
    value = reader.sum()
    if reader.peek() is not None:
        raise BrokenFormula(f"unexpected {reader.peek()} in {formula}")
    return value


class _Reader:
    def __init__(self, formula: str, variables: Mapping[str, int]) -> None:
        self._formula = formula
        self._tokens = [match.group().strip() for match in _TOKEN.finditer(formula)]
        self._tokens = [token for token in self._tokens if token]
        self._at = 0
        self._variables = variables

    def peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def sum(self) -> int:
        value = self._product()
        while (sign := self.peek()) in {"+", "-"}:
            self._at += 1
            right = self._product()
            value = value + right if sign == "+" else value - right
        return value

    def _product(self) -> int:
        value = self._atom()
        while (sign := self.peek()) in {"*", "/"}:
            self._at += 1
            right = self._atom()
            if sign == "/" and right == 0:
                raise BrokenFormula(f"division by zero in {self._formula}")
            value = value * right if sign == "*" else value // right
        return value

    def _atom(self) -> int:
        word = self._next()
        if word.isdigit():
            return int(word)
        if word in {"{", "("}:
            return self._until(self.sum(), "}" if word == "{" else ")")
        if word == "$":
            word = self._next()
        if word in _FUNCTIONS:
            return self._call(word)
        if word in self._variables:
            return self._variables[word]
        raise BrokenFormula(f"unexpected {word} in {self._formula}")

    def _call(self, function: str) -> int:
        self._until(0, "(")
        arguments = [self.sum()]
        while self.peek() == ",":
            self._at += 1
            arguments.append(self.sum())
        return self._until(_FUNCTIONS[function](arguments), ")")

    def _next(self) -> str:
        token = self.peek()
        if token is None:
            raise BrokenFormula(f"{self._formula} ends too early")
        self._at += 1
        return token

    def _until(self, value: int, token: str) -> int:
        if self._next() != token:
            raise BrokenFormula(f"{token} is missing in {self._formula}")
        return value
