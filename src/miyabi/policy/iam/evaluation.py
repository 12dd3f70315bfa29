"""Whether a principal's policies allow one access, and the words in which AWS refuses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from miyabi.policy.iam.document import Policy
from miyabi.policy.iam.patterns import Context


@dataclass(frozen=True, slots=True)
class Access:
    """One action on one resource."""

    action: str
    """`ecs:UpdateService`."""
    resource: str
    """An ARN, or `*` for actions that know no resource."""
    context: Context = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Granted:
    """The policies that decide for a principal.

    Those of each further layer can only take away: an access needs an Allow in every layer that is there.
    """

    identity: Sequence[Policy]
    boundary: Policy | None = None
    session: Policy | None = None


class Layer(StrEnum):
    """A kind of policies, as AWS's messages call it."""

    IDENTITY = "identity-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, and which layer refused."""

    allowed: bool
    layer: Layer = Layer.IDENTITY
    explicit: bool = False
    """A statement denies it, rather than none allowing it."""


def decide(access: Access, granted: Granted) -> Decision:
    """Return the decision: any Deny refuses, else each layer that is there must allow."""
    layers = _layers(granted)
    applying = [(layer, _effects(access, policies)) for layer, policies in layers]
    for layer, effects in applying:
        if False in effects:
            return Decision(allowed=False, layer=layer, explicit=True)
    for layer, effects in applying:
        if True not in effects:
            return Decision(allowed=False, layer=layer)
    return Decision(allowed=True)


def denial(principal_arn: str, access: Access, decision: Decision) -> str:
    """Return AWS's message for a refused access."""
    if decision.explicit:
        article = "an" if decision.layer is Layer.IDENTITY else "a"
        why = f"with an explicit deny in {article} {decision.layer}"
    else:
        why = f"because no {decision.layer} allows the {access.action} action"
    return f"User: {principal_arn} is not authorized to perform: {access.action} on resource: {access.resource} {why}"


def _layers(granted: Granted) -> list[tuple[Layer, Sequence[Policy]]]:
    layers: list[tuple[Layer, Sequence[Policy]]] = [(Layer.IDENTITY, granted.identity)]
    if granted.boundary is not None:
        layers.append((Layer.BOUNDARY, (granted.boundary,)))
    if granted.session is not None:
        layers.append((Layer.SESSION, (granted.session,)))
    return layers


def _effects(access: Access, policies: Sequence[Policy]) -> set[bool]:
    """Return whether the statements that apply allow: {True}, {False}, both or none."""
    return {
        statement.allows
        for policy in policies
        for statement in policy.statements
        if statement.covers_action(access.action)
        and statement.covers_resource(access.resource, access.context)
        and statement.conditions_hold(access.context)
    }
