"""Who a request comes from: the bearer of one of the keys."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

Endpoint = Callable[[Request], Awaitable[Response]]
GuardedEndpoint = Callable[[Request, str], Awaitable[Response]]
"""Gets the request and the name of the key that it came with."""

_CHALLENGE = 'Bearer realm="miyabi"'


class Keys:
    """The keys, as digests."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._digests = {name: _digest(key) for name, key in keys.items()}

    def name_of(self, key: str) -> str | None:
        """Return whose key it is. Takes the same time for every key of a length, known or not."""
        given = _digest(key)
        found = [name for name, digest in self._digests.items() if hmac.compare_digest(given, digest)]
        return found[0] if found else None

    def guarded(self, endpoint: GuardedEndpoint) -> Endpoint:
        """Return an endpoint that only bearers of a key reach."""

        async def guard(request: Request) -> Response:
            scheme, _, key = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not key.strip():
                raise HTTPException(
                    401, "this needs a key: 'Authorization: Bearer <key>'", {"www-authenticate": _CHALLENGE}
                )
            name = self.name_of(key.strip())
            if name is None:
                challenge = f'{_CHALLENGE}, error="invalid_token"'
                raise HTTPException(401, "the key is not one of the service's", {"www-authenticate": challenge})
            return await endpoint(request, name)

        return guard


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
