"""Results that go on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Streamed(Generic[T]):
    """Objects as they come: shown one by one, in JSON one a line. Only a READ may return it: nothing guards it."""

    items: Iterator[T]
