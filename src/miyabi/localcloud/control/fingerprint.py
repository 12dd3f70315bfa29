"""A fingerprint of the stock services' state: two states that have the same are equal, in what is shared too."""

from __future__ import annotations

import copyreg
import hashlib
import types
from collections.abc import Iterator
from typing import Any

from miyabi.localcloud.control.stock_objects import (
    CRYPTOGRAPHIC,
    LOCKS,
    State,
    Unrestorable,
    deeply,
    der_of,
    name_of,
    names,
)


def fingerprint(state: State) -> str:
    """Return what two equal states share, whatever their objects' addresses. Unrestorable: what cannot be read."""
    try:
        return deeply(lambda: _Fingerprint(names()).of(state))
    except TypeError as error:
        raise Unrestorable(str(error)) from error


class _Fingerprint:
    """Walks a state in the order of its attributes and items; an object that comes again is its number."""

    def __init__(self, known: dict[int, Any]) -> None:
        self._hash = hashlib.sha256()
        self._seen: dict[int, int] = {}
        self._alive: list[Any] = []
        self._known = known

    def of(self, thing: Any) -> str:
        self._walk(thing)
        return self._hash.hexdigest()

    def _put(self, text: str) -> None:
        self._hash.update(text.encode("utf-8", "surrogatepass"))
        self._hash.update(b"\0")

    def _walk(self, thing: Any) -> None:
        if thing is None or isinstance(thing, bool | int | float | complex | str | bytes):
            self._put(f"{type(thing).__name__} {thing!r}")
            return
        if isinstance(thing, type | types.BuiltinFunctionType | types.ModuleType | types.FunctionType):
            self._put(getattr(thing, "__qualname__", thing.__name__))
            return
        if isinstance(thing, tuple) and type(thing) is tuple:
            self._put(f"tuple {len(thing)}")
            self._all(iter(thing))
            return
        number = self._seen.setdefault(id(thing), len(self._seen))
        if number < len(self._alive):
            self._put(f"#{number}")
            return
        self._alive.append(thing)
        self._put(f"{type(thing).__module__}.{type(thing).__qualname__}")
        self._inside(thing)

    def _inside(self, thing: Any) -> None:
        name = name_of(thing, self._known)
        if name is not None:
            self._put(repr(name))
        elif isinstance(thing, set | frozenset):
            self._put(repr(sorted(_Fingerprint(self._known).of(item) for item in thing)))
        elif isinstance(thing, CRYPTOGRAPHIC):
            self._put(repr(der_of(thing)))
        elif isinstance(thing, types.MethodType):
            self._all(iter((thing.__func__, thing.__self__)))
        elif isinstance(thing, bytearray | memoryview):
            self._put(bytes(thing).hex())
        elif type(thing) not in LOCKS:
            self._object(thing)

    def _object(self, thing: Any) -> None:
        if isinstance(thing, dict):
            self._put(f"{len(thing)}")
            for key, value in thing.items():
                self._all(iter((key, value)))
        elif isinstance(thing, list):
            self._put(f"{len(thing)}")
            self._all(iter(thing))
        if type(thing) in {dict, list}:
            return
        registered = copyreg.dispatch_table.get(type(thing))
        reduced: Any = registered(thing) if registered else thing.__reduce_ex__(4)
        if isinstance(reduced, str):
            self._put(reduced)
            return
        self._walk(reduced[1])
        if len(reduced) > 2:
            self._walk(_passing(reduced[2]))
        if len(reduced) > 3 and reduced[3] is not None and not isinstance(thing, list):
            self._all(reduced[3])

    def _all(self, things: Iterator[Any]) -> None:
        for thing in things:
            self._walk(thing)


def _passing(thing: Any) -> Any:
    """Return an object's attributes as what has no identity of its own: some objects make the dict when asked."""
    return tuple(thing.items()) if type(thing) is dict else thing
