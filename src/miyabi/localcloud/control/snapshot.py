"""A snapshot: the state of the stock services in one file.

moto's backends are pickled together, so what they share stays shared. A backend itself, and moto's registries, are
named, not copied: loading makes each backend first and then gives it its attributes. What cannot be restored truly (a
thread, a function with captured variables) makes `write` raise `Unrestorable`; the journal then stays as it is.

A pickle runs code when it is loaded: the file is as trusted as the home, which is this user's alone.
"""

from __future__ import annotations

import hashlib
import io
import marshal
import os
import pickle
import sys
import types
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from moto import __version__ as moto_version

from miyabi import __version__ as miyabi_version
from miyabi.localcloud.control.stock_objects import (
    CRYPTOGRAPHIC,
    LOCKS,
    NAMED,
    State,
    Unrestorable,
    deeply,
    der_of,
    found,
    from_der,
    name_of,
    names,
)

_FORMAT = 1


class Header(msgspec.Struct, frozen=True):
    """A snapshot's first line."""

    format: int
    written_by: str
    """The versions that a pickle depends on."""
    sha256: str
    """Of all that follows the line."""
    fingerprint: str


def versions() -> str:
    """Return what a snapshot depends on: another version's is not loaded."""
    return f"miyabi {miyabi_version}, moto {moto_version}, Python {sys.version_info[0]}.{sys.version_info[1]}"


def write(path: Path, state: State, fingerprint: str) -> None:
    """Write a snapshot to the disk itself. Unrestorable: what cannot be pickled."""
    content = deeply(lambda: _dumped(state))
    header = Header(_FORMAT, versions(), hashlib.sha256(content).hexdigest(), fingerprint)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(header) + b"\n" + content)
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> tuple[Header, bytes]:
    """Return a snapshot's header and content. Unrestorable: damaged, or another version's."""
    line, _, content = path.read_bytes().partition(b"\n")
    try:
        header = msgspec.json.decode(line, type=Header)
    except msgspec.MsgspecError as error:
        raise Unrestorable(f"{path} is damaged: {error}") from error
    if header.format != _FORMAT or header.written_by != versions():
        raise Unrestorable(f"{path} was written by {header.written_by}; this is {versions()}")
    if hashlib.sha256(content).hexdigest() != header.sha256:
        raise Unrestorable(f"{path} is damaged")
    return header, content


def load(content: bytes, ensure: Callable[[str, str], None]) -> State:
    """Make the backends of a snapshot, by `ensure` those that a request used; give them its state and return it.

    Unrestorable: objects that cannot be made again. The stock services are then of no use in this process.
    """
    file = io.BytesIO(content)
    for service, region in pickle.load(file):  # noqa: S301 - the user's own file
        ensure(service, region)
    try:
        state: State = _Unpickler(file).load()
    except Exception as error:
        raise Unrestorable(f"{type(error).__name__}: {error}") from error
    for service, account, region, attributes in state["backends"]:
        backend = found((service, account, region))
        vars(backend).clear()
        vars(backend).update(attributes)
    for service, attributes in state["registries"]:
        vars(found((service,))).update(attributes)
    return state


def _dumped(state: State) -> bytes:
    buffer = io.BytesIO()
    try:
        pickle.dump(state["ready"], buffer)
        _Pickler(buffer).dump(state)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise Unrestorable(f"{type(error).__name__}: {error}") from error
    return buffer.getvalue()


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self._known = names()

    def persistent_id(self, thing: object) -> Any:
        name = name_of(thing, self._known)
        if name is None and isinstance(thing, NAMED):
            raise Unrestorable(f"a {type(thing).__name__} that moto does not list")
        return name

    def reducer_override(self, thing: Any) -> Any:
        if type(thing) in LOCKS:
            return LOCKS[type(thing)], ()
        if isinstance(thing, CRYPTOGRAPHIC):
            return from_der, der_of(thing)
        if isinstance(thing, types.FunctionType) and "<" in thing.__qualname__:
            if thing.__closure__ is not None:
                raise Unrestorable(f"{thing.__module__}.{thing.__qualname__} captures variables")
            code = marshal.dumps(thing.__code__)
            return _function, (thing.__module__, code, thing.__qualname__, thing.__defaults__, thing.__kwdefaults__)
        if isinstance(thing, dict) and not isinstance(thing, OrderedDict) and type(thing).__module__[:5] == "moto.":
            # A subclass with its own way to be made and to set items: its items are put back as they are.
            factory = thing.default_factory if isinstance(thing, defaultdict) else None
            state = (dict(thing), vars(thing).copy())
            return _bare_dict, (type(thing), factory), state, None, None, _fill_dict
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, name: Any) -> Any:
        return found(name)


def _function(module: str, code: bytes, name: str, defaults: Any, named: Any) -> Any:
    made = types.FunctionType(marshal.loads(code), vars(sys.modules[module]), name, defaults)  # noqa: S302
    made.__qualname__, made.__kwdefaults__, made.__module__ = name, named, module
    return made


def _bare_dict(kind: type[dict[Any, Any]], factory: Any) -> Any:
    made = kind.__new__(kind)
    if isinstance(made, defaultdict):
        defaultdict.__init__(made, factory)
    return made


def _fill_dict(made: dict[Any, Any], state: tuple[dict[Any, Any], dict[str, Any]]) -> None:
    dict.update(made, state[0])
    vars(made).update(state[1])
