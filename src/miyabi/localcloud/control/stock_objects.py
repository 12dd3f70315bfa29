"""The objects of moto that a snapshot treats in a way of its own: backends, registries, keys, locks."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)
from cryptography.x509 import Certificate, load_der_x509_certificate
from moto.backends import get_backend
from moto.core.base_backend import AccountSpecificBackend, BackendDict, BaseBackend

T = TypeVar("T")
State = dict[str, Any]
Backends = list[tuple[str, str, str, Any]]

NAMED = (BaseBackend, BackendDict, AccountSpecificBackend)
LOCKS = {type(threading.Lock()): threading.Lock, type(threading.RLock()): threading.RLock}
_PRIVATE_KEYS = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)
_PUBLIC_KEYS = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey)
CRYPTOGRAPHIC = (*_PRIVATE_KEYS, *_PUBLIC_KEYS, Certificate)
_OF_EVERY_REGISTRY = {"backend", "service_name", "_use_boto3_regions", "_additional_regions", "_id"}
_STACK_BYTES = 256 * 1024 * 1024
_DEPTH = 50_000


class Unrestorable(Exception):
    """Something in the state cannot be written so that it comes back the same, or a file does not hold it."""


def backends() -> Backends:
    """Return every backend of moto: service, account, region, backend. Unrestorable: one that has no name."""
    listed: Backends = []
    registries: Any = BackendDict
    for registry in registries._instances:  # noqa: SLF001 - moto's list of what is in use
        if get_backend(registry.service_name) is not registry:
            raise Unrestorable(f"moto does not find {registry.service_name} by its name")
        listed += [(registry.service_name, *rest) for rest in registry.iter_backends()]
    return sorted(listed, key=lambda one: one[:3])


def registries() -> list[tuple[str, dict[str, Any]]]:
    """Return what moto's registries know beside their backends, such as S3 the owners of buckets."""
    return [
        (name, {key: value for key, value in vars(found((name,))).items() if key not in _OF_EVERY_REGISTRY})
        for name in sorted({service for service, *_ in backends()})
    ]


def found(name: tuple[str, ...]) -> Any:
    """Return what has a name: (service,), (service, account) or (service, account, region)."""
    thing: Any = get_backend(name[0])  # type: ignore[call-overload]
    for key in name[1:]:
        thing = thing[key]
    return thing


def name_of(thing: object, known: dict[int, Any]) -> Any:
    """Return an object's name among those of `names`, or None."""
    if isinstance(thing, NAMED):
        return known.get(id(thing))
    return None


def names() -> dict[int, Any]:
    """Return the names of all backends and registries, by their addresses."""
    known: dict[int, Any] = {}
    for service, account, region, backend in backends():
        registry: Any = get_backend(service)  # type: ignore[call-overload]
        known[id(registry)] = (service,)
        known[id(registry[account])] = (service, account)
        known[id(backend)] = (service, account, region)
    return known


def der_of(thing: Any) -> tuple[str, bytes]:
    """Return what a key or certificate is, and its DER."""
    if isinstance(thing, _PRIVATE_KEYS):
        return "private key", thing.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    if isinstance(thing, _PUBLIC_KEYS):
        return "public key", thing.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "certificate", thing.public_bytes(Encoding.DER)


def from_der(kind: str, der: bytes) -> Any:
    """Return what `der_of` was given."""
    match kind:
        case "private key":
            return load_der_private_key(der, None)
        case "public key":
            return load_der_public_key(der)
    return load_der_x509_certificate(der)


def deeply(act: Callable[[], T]) -> T:
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
