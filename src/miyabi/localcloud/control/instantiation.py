"""How moto's backends come into being: each under its own seed, at one instant, and not unnoticed.

A backend draws ids when it is made (EC2's default network, IAM's policies), and any request, even a read, may be the
first to use one, its own or that of another service. So the class through which moto makes all of them is replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from moto.core import base_backend
from moto.core.base_backend import AccountSpecificBackend

Make = Callable[[], Any]
Around = Callable[[str, str, str, Make], Any]
"""Called with the service, the account, the region and what makes the backend; returns the backend."""

_Backends: Any = AccountSpecificBackend


def install(around: Around) -> None:
    """Let moto make every further backend through `around`."""

    class Noticed(_Backends):  # type: ignore[misc]
        def __init__(self, service_name: str, account_id: str, backend: type, *rest: Any, **named: Any) -> None:
            made = partial(self._noticed, _replaced(service_name, backend))
            super().__init__(service_name, account_id, made, *rest, **named)

        def _noticed(self, backend: type, region_name: str, *, account_id: str) -> Any:
            return around(
                self.service_name, account_id, region_name, partial(backend, region_name, account_id=account_id)
            )

    vars(base_backend)["AccountSpecificBackend"] = Noticed


def _replaced(service: str, backend: type) -> type:
    if service != "sns":
        return backend
    from miyabi.localcloud.control.sns import Undelivered  # noqa: PLC0415 - costs its import where nothing uses SNS

    return Undelivered
