"""The requests that a load is mixed of."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_PATH = re.compile(r"/(?!/)[!-~]*")
_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
_VALUE = re.compile("[\t -~\xa0-\xff]*")
_MOST_WEIGHT = 1_000_000
_KEYS = {"method", "path", "headers", "body", "weight", "statuses"}


class BadMix(ValueError):
    """The mix cannot be read; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class MixedRequest:
    """One kind of request."""

    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    weight: float = 1.0
    statuses: frozenset[int] = frozenset()
    """Those that are right; empty: everything below 400."""

    def is_right(self, status: int) -> bool:
        """Say whether an answer is what was wanted."""
        return status in self.statuses if self.statuses else 100 <= status < 400

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return f"{self.method} {self.path}"


def read_mix(document: Mapping[str, Any]) -> tuple[MixedRequest, ...]:
    """Return the requests of a mix: a TOML document with tables `[[request]]`. BadMix."""
    extra = set(document) - {"request"}
    entries = document.get("request")
    if extra or not isinstance(entries, list) or not entries:
        raise BadMix(f"a mix is made of tables [[request]]{f', not of {min(extra)}' if extra else ''}")
    return tuple(_request(number, entry) for number, entry in enumerate(entries, 1))


def _request(number: int, entry: Any) -> MixedRequest:
    where = f"request {number}"
    if not isinstance(entry, dict) or set(entry) - _KEYS:
        raise BadMix(f"{where}: {', '.join(sorted(set(entry) - _KEYS)) or 'it'} is none of {', '.join(sorted(_KEYS))}")
    path, method, weight = entry.get("path"), str(entry.get("method", "GET")).upper(), entry.get("weight", 1)
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise BadMix(f"{where}: path must begin with one / and have no blanks; other than ASCII is written as %C3%A9")
    if method not in _METHODS:
        raise BadMix(f"{where}: {method} is none of {', '.join(sorted(_METHODS))}")
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < _MOST_WEIGHT:
        raise BadMix(f"{where}: weight must be a number above 0 and below {_MOST_WEIGHT:,}")
    headers, statuses = entry.get("headers", {}), entry.get("statuses", [])
    if not isinstance(headers, dict) or not all(
        _TOKEN.fullmatch(name) and isinstance(value, str) and _VALUE.fullmatch(value) for name, value in headers.items()
    ):
        raise BadMix(f"{where}: headers must have plain names, and values of one line of Latin-1")
    if not isinstance(statuses, list) or not all(isinstance(one, int) and 100 <= one < 600 for one in statuses):
        raise BadMix(f"{where}: statuses must be numbers from 100 to 599")
    body = entry.get("body", "")
    if not isinstance(body, str):
        raise BadMix(f"{where}: body must be a text")
    return MixedRequest(path, method, headers, body, float(weight), frozenset(statuses))


def choose(mix: Sequence[MixedRequest], *, seed: int, count: int) -> list[int]:
    """Return which request each of so many is, by its place in the mix."""
    dice = random.Random(seed ^ 0x5EED)  # noqa: S311 - chance that can be repeated
    return dice.choices(range(len(mix)), weights=[one.weight for one in mix], k=count)
