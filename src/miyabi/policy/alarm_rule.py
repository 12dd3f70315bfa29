"""The rule of a composite alarm: states of other alarms, joined by AND, OR, NOT and AT_LEAST.

Source: docs.aws.amazon.com, PutCompositeAlarm, "AlarmRule", and "Composite alarms": `AT_LEAST(2, ALARM, (a, b, c))`,
`AT_LEAST(50%, NOT OK, (a, b))`. A name that stands without quotes has no blanks, brackets or commas; in one that stands
in quotes a backslash precedes a quote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from miyabi.model.metrics import AlarmState

_TOKEN: Final = re.compile(r"\s*(?:(?P<text>\"(?:[^\"\\]|\\.)*\")|(?P<sign>[(),])|(?P<word>[^\s(),\"]+))")
_THRESHOLD: Final = re.compile(r"([0-9]{1,3})(%?)")
_STATES: Final = {state.value: state for state in AlarmState}
_MOST: Final = 100


class BadRule(ValueError):
    """The rule cannot be read."""


@dataclass(frozen=True, slots=True)
class InState:
    """Whether an alarm is in a state."""

    state: AlarmState
    alarm: str
    """Name or ARN."""


@dataclass(frozen=True, slots=True)
class Constant:
    """TRUE or FALSE."""

    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    term: Rule


@dataclass(frozen=True, slots=True)
class Joined:
    """AND or OR of two rules."""

    word: str
    left: Rule
    right: Rule


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Whether so many of some alarms are in a state, or are not."""

    threshold: int
    percent: bool
    """Whether the threshold is one of a hundred."""
    state: AlarmState
    holding: bool
    """False: those count that are not in the state."""
    alarms: tuple[str, ...]


Rule = InState | Constant | Not | Joined | AtLeast


@lru_cache(maxsize=1024)
def parse_rule(text: str) -> Rule:
    """Return the rule's tree. BadRule."""
    parser = _Parser(_tokens(text))
    found = parser.either()
    parser.expect_end()
    if len(alarms_in(found)) > _MOST:
        raise BadRule(f"A rule may name {_MOST} alarms")
    return found


def alarms_in(rule: Rule) -> set[str]:
    """Return the alarms that a rule looks at, by name or ARN as they are written."""
    match rule:
        case InState(_, alarm):
            return {alarm}
        case AtLeast(alarms=alarms):
            return set(alarms)
        case Not(term):
            return alarms_in(term)
        case Joined(_, left, right):
            return alarms_in(left) | alarms_in(right)
    return set()


def holds(rule: Rule, state_of: Callable[[str], AlarmState]) -> bool:
    """Say whether the rule is true."""
    match rule:
        case InState(state, alarm):
            return state_of(alarm) is state
        case AtLeast(threshold, percent, state, holding, alarms):
            counted = sum((state_of(alarm) is state) is holding for alarm in alarms)
            return counted * 100 >= threshold * len(alarms) if percent else counted >= threshold
        case Constant(value):
            return value
        case Not(term):
            return not holds(term, state_of)
        case Joined("AND", left, right):
            return holds(left, state_of) and holds(right, state_of)
        case Joined(_, left, right):
            return holds(left, state_of) or holds(right, state_of)


def on_cycles(uses: Mapping[str, AbstractSet[str]]) -> set[str]:
    """Return the names that use themselves, by way of others or not."""
    left = dict(uses)
    while ends := [name for name, used in left.items() if not used & left.keys()]:
        for name in ends:
            del left[name]
    return {name for name in left if name in _reached(name, left)}


def _reached(name: str, uses: Mapping[str, AbstractSet[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        found = uses.get(waiting.pop(), frozenset()) - seen
        seen |= found
        waiting += found
    return seen


def _tokens(text: str) -> list[str]:
    found, at, text = [], 0, text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadRule(f"Unexpected {text[at]!r} in the alarm rule")
        at = match.end()
        found.append(match[match.lastgroup or 0])
    return found


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def either(self) -> Rule:
        left = self._both()
        while self._peek().upper() == "OR":
            self._take()
            left = Joined("OR", left, self._both())
        return left

    def expect_end(self) -> None:
        if self._at < len(self._tokens):
            raise BadRule(f"Unexpected '{self._peek()}' in the alarm rule")

    def _both(self) -> Rule:
        left = self._one()
        while self._peek().upper() == "AND":
            self._take()
            left = Joined("AND", left, self._one())
        return left

    def _one(self) -> Rule:
        word = self._take()
        if word.upper() == "NOT":
            return Not(self._one())
        if word == "(":
            found = self.either()
            self._require(")")
            return found
        if word.upper() in {"TRUE", "FALSE"}:
            return Constant(word.upper() == "TRUE")
        if word.upper() == "AT_LEAST":
            return self._at_least()
        state = self._state(word)
        self._require("(")
        name = self._name()
        self._require(")")
        return InState(state, name)

    def _at_least(self) -> Rule:
        self._require("(")
        given = self._take()
        found = _THRESHOLD.fullmatch(given.strip('"'))
        if found is None:
            raise BadRule(f"'{given}' is no number and no percentage of alarms")
        self._require(",")
        word = self._take()
        holding = word.upper() != "NOT"
        state = self._state(word if holding else self._take())
        self._require(",")
        self._require("(")
        alarms = [self._name()]
        while self._peek() == ",":
            self._take()
            alarms.append(self._name())
        self._require(")")
        self._require(")")
        threshold, percent = int(found[1]), bool(found[2])
        if not 1 <= threshold <= (100 if percent else len(alarms)):
            raise BadRule(f"AT_LEAST({given}, ...) of {len(alarms)} alarms says nothing")
        return AtLeast(threshold, percent, state, holding, tuple(alarms))

    def _state(self, word: str) -> AlarmState:
        if word.upper() not in _STATES:
            raise BadRule(f"Unexpected '{word}' in the alarm rule" if word else "The alarm rule ends too early")
        return _STATES[word.upper()]

    def _name(self) -> str:
        word = self._take()
        name = re.sub(r'\\(["\\])', r"\1", word[1:-1]) if word.startswith('"') else word
        if name in {"", "(", ")", ","}:
            raise BadRule("An alarm's name is missing in the alarm rule")
        return name

    def _require(self, sign: str) -> None:
        if self._take() != sign:
            raise BadRule(f"'{sign}' is missing in the alarm rule")

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        found = self._peek()
        self._at += 1
        return found
