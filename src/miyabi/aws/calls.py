"""Watching the calls that go to AWS: counted, stopped before they are sent, or answered in AWS's place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

_READING = ("Describe", "Get", "List", "BatchGet", "BatchCheck", "Filter", "Lookup", "Head", "Search", "Query", "Scan")

# Where IAM's prefix is not the name that boto3 gives the service.
_PREFIXES = {"elbv2": "elasticloadbalancing", "cloudwatch": "cloudwatch", "logs": "logs"}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of AWS's API."""

    service: str
    """As boto3 names it: ecs, elbv2, application-autoscaling."""
    operation: str
    params: dict[str, Any] = field(repr=False)

    @property
    def action(self) -> str:
        """The IAM action that allows it."""
        return f"{_PREFIXES.get(self.service, self.service)}:{self.operation}"

    @property
    def changes(self) -> bool:
        """Whether it may change something: everything whose name does not say that it only reads."""
        return not self.operation.startswith(_READING)


class Observer(Protocol):
    """Sees each call of a cloud's clients."""

    def before(self, call: Call) -> Any:
        """Look at a call that is about to be sent. None sends it; anything else is its answer. May raise."""

    def after(self, call: Call) -> None:
        """Look at a call that was answered, with success or with an error."""


class Unknown(str):
    """What a call that was not sent would have answered: any part of it, by key, reads as a name for itself."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Unknown:
        return Unknown(f"{self}[{key}]" if isinstance(key, int) else f"{self}.{key}")

    def get(self, key: str, default: Any = None) -> Unknown:  # noqa: ARG002 - as a dict has it
        """Return the part under a key."""
        return self[key]


def observe(client: Any, service: str, observer: Observer) -> None:
    """Let an observer see every call of a client."""
    events = client.meta.events

    def remember(params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        context["miyabi.call"] = Call(service, model.name, dict(params))

    def before(context: dict[str, Any], **_: Any) -> Any:
        answer = observer.before(context["miyabi.call"])
        return None if answer is None else (_Sent(), answer)

    def after(context: dict[str, Any], **_: Any) -> None:
        observer.after(context["miyabi.call"])

    events.register_last("before-parameter-build.*.*", remember)
    events.register_last("before-call.*.*", before)
    events.register_first("after-call.*.*", after)


class _Sent:
    """The HTTP side of an answer that came without HTTP."""

    status_code = 200
