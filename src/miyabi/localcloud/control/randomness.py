"""Random choices that a replay repeats.

moto draws ids, tokens and keys from several places: its own generator, `random`, the operating system, and the
cryptographic library. While a call is pinned, all of them follow one seed, on the calling thread only; the library's
keys cannot follow a seed, so they are kept and handed out again.
"""

from __future__ import annotations

import base64
import contextlib
import os
import random
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key
from moto.core import base_backend
from moto.moto_api._internal import mock_random

_make_rsa, _make_ec = rsa.generate_private_key, ec.generate_private_key
_make_ed25519 = ed25519.Ed25519PrivateKey.generate


class Randomness:
    """The sources of randomness that stock services use."""

    def __init__(self) -> None:
        self._made: list[str] = []
        self._given: deque[str] = deque()

    def take_keys(self) -> tuple[str, ...]:
        """Return the private keys that were made since the last time, as DER in base64, and forget them."""
        taken = tuple(self._made)
        self._made.clear()
        return taken

    def give_keys(self, keys: tuple[str, ...]) -> None:
        """Let the next keys that are asked for be these, in their order."""
        self._given = deque(keys)

    @contextlib.contextmanager
    def pinned(self, seed: int) -> Iterator[None]:
        """Let every random choice of this thread follow the seed; afterwards all is as it was."""
        states = mock_random.getstate(), random.getstate()
        mock_random.seed(seed)
        random.seed(seed)
        try:
            with contextlib.ExitStack() as restored:
                for owner, name, value in self._replacements(seed):
                    restored.callback(setattr, owner, name, vars(owner)[name])
                    setattr(owner, name, value)
                yield
        finally:
            mock_random.setstate(states[0])
            random.setstate(states[1])

    def _replacements(self, seed: int) -> Iterator[tuple[Any, str, Any]]:
        thread, source, real = threading.get_ident(), random.Random(seed), os.urandom  # noqa: S311 - it must repeat

        def urandom(count: int) -> bytes:
            return source.randbytes(count) if threading.get_ident() == thread else real(count)

        yield os, "urandom", urandom  # and with it `uuid`
        yield random, "_urandom", urandom  # and with it `secrets` and `random.SystemRandom`
        # What moto names its registries by is no one's id: making one must not use up what a request draws.
        yield base_backend, "uuid4", lambda: uuid.UUID(bytes=real(16), version=4)
        yield rsa, "generate_private_key", self._kept(_make_rsa, thread)
        yield ec, "generate_private_key", self._kept(_make_ec, thread)
        yield ed25519.Ed25519PrivateKey, "generate", staticmethod(self._kept(_make_ed25519, thread))

    def _kept(self, make: Callable[..., Any], thread: int) -> Callable[..., Any]:
        def generate(*arguments: Any, **named: Any) -> Any:
            if threading.get_ident() == thread and self._given:
                return load_der_private_key(base64.b64decode(self._given.popleft()), None)
            key = make(*arguments, **named)
            if threading.get_ident() == thread:
                der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
                self._made.append(base64.b64encode(der).decode())
            return key

        return generate
