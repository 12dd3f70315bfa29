"""A snapshot: the state of the stock services in one file, and how it is recognised.

moto's backends are pickled together, so what they share stays shared. A backend itself, and moto's registries, are
named, not copied: loading makes each backend first and then gives it its attributes. What cannot be restored truly (a
thread, a function with captured variables) makes `dump` raise `Unrestorable`; the journal then stays as it is.

A pickle runs code when it is loaded: the file is as trusted as the home, which is this user's alone.
"""

from __future__ import annotations

import copyreg
import hashlib
import io
import marshal
import os
import pickle
import sys
import threading
import types
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key
from moto import __version__ as moto_version
from moto.backends import get_backend
from moto.core.base_backend import AccountSpecificBackend, BackendDict, BaseBackend

from miyabi import __version__ as miyabi_version

T = TypeVar("T")
State = dict[str, Any]
Backends = list[tuple[str, str, str, Any]]

_FORMAT = 1
_STACK_BYTES = 256 * 1024 * 1024
_DEPTH = 50_000
_LOCKS = {type(threading.Lock()): threading.Lock, type(threading.RLock()): threading.RLock}
_PRIVATE_KEYS = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)


class Unrestorable(Exception):
    """Something in the state cannot be written so that it comes back the same, or a file does not hold it."""


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
    content = _deeply(lambda: _dumped(state))
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
        backend = _found((service, account, region))
        vars(backend).clear()
        vars(backend).update(attributes)
    return state


def backends() -> Backends:
    """Return every backend of moto: service, account, region, backend. Unrestorable: one that has no name."""
    found: Backends = []
    registries: Any = BackendDict
    for registry in registries._instances:  # noqa: SLF001 - moto's list of what is in use
        if get_backend(registry.service_name) is not registry:
            raise Unrestorable(f"moto does not find {registry.service_name} by its name")
        found += [(registry.service_name, *rest) for rest in registry.iter_backends()]
    return sorted(found, key=lambda one: one[:3])


def fingerprint(state: State) -> str:
    """Return what two equal states share, whatever their objects' addresses. Unrestorable: what cannot be read."""
    try:
        return _deeply(lambda: _Fingerprint(_names()).of(state))
    except TypeError as error:
        raise Unrestorable(str(error)) from error


def _dumped(state: State) -> bytes:
    buffer = io.BytesIO()
    try:
        pickle.dump(state["ready"], buffer)
        _Pickler(buffer).dump(state)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise Unrestorable(f"{type(error).__name__}: {error}") from error
    return buffer.getvalue()


def _deeply(act: Callable[[], T]) -> T:
    """Call a function that follows long chains of objects, on a thread with a stack for it."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(act())
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    limit, stack = sys.getrecursionlimit(), threading.stack_size(_STACK_BYTES)
    sys.setrecursionlimit(_DEPTH)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(stack)
        sys.setrecursionlimit(limit)
    if failed:
        raise failed[0]
    return done[0]


def _name_of(thing: object, known: dict[int, Any]) -> Any:
    if isinstance(thing, BaseBackend | BackendDict | AccountSpecificBackend):
        return known.get(id(thing))
    return None


def _names() -> dict[int, Any]:
    known: dict[int, Any] = {}
    for service, account, region, backend in backends():
        registry: Any = get_backend(service)  # type: ignore[call-overload]
        known[id(registry)] = (service,)
        known[id(registry[account])] = (service, account)
        known[id(backend)] = (service, account, region)
    return known


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self._known = _names()

    def persistent_id(self, thing: object) -> Any:
        name = _name_of(thing, self._known)
        if name is None and isinstance(thing, BaseBackend | BackendDict | AccountSpecificBackend):
            raise Unrestorable(f"a {type(thing).__name__} that moto does not list")
        return name

    def reducer_override(self, thing: Any) -> Any:
        if type(thing) in _LOCKS:
            return _LOCKS[type(thing)], ()
        if isinstance(thing, _PRIVATE_KEYS):
            return _private_key, (_der(thing),)
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
        return _found(name)


def _found(name: tuple[str, ...]) -> Any:
    found: Any = get_backend(name[0])  # type: ignore[call-overload]
    for key in name[1:]:
        found = found[key]
    return found


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


def _private_key(der: bytes) -> Any:
    return load_der_private_key(der, None)


def _der(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


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
        name = _name_of(thing, self._known)
        if name is not None:
            self._put(repr(name))
        elif isinstance(thing, set | frozenset):
            self._put(repr(sorted(_Fingerprint(self._known).of(item) for item in thing)))
        elif isinstance(thing, _PRIVATE_KEYS):
            self._put(_der(thing).hex())
        elif isinstance(thing, types.MethodType):
            self._all(iter((thing.__func__, thing.__self__)))
        elif isinstance(thing, bytearray | memoryview):
            self._put(bytes(thing).hex())
        elif type(thing) not in _LOCKS:
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
