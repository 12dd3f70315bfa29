"""A policy document, read: statements with their actions, resources, principals and conditions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from miyabi.model.errors import InvalidInput
from miyabi.policy.iam.conditions import Condition, holds, read_condition
from miyabi.policy.iam.patterns import Context, matches

_VARIABLES_SINCE = "2012-10-17"


class MalformedPolicy(InvalidInput):
    """A document that cannot be evaluated."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; of each pair of patterns and their opposite at most one is given."""

    allows: bool
    """False for `Deny`."""
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    principals: tuple[tuple[str, str], ...] = ()
    """Type and pattern: `("Service", "ecs-tasks.amazonaws.com")`, `("AWS", "*")`."""
    not_principals: tuple[tuple[str, str], ...] = ()
    conditions: tuple[Condition, ...] = ()
    variables: bool = True
    """False in documents of versions that do not know policy variables."""

    def covers_action(self, action: str) -> bool:
        """Say whether the statement is about the action; letter case does not matter."""
        if self.not_actions:
            return not any(matches(pattern, action, {}, ignore_case=True) for pattern in self.not_actions)
        return any(matches(pattern, action, {}, ignore_case=True) for pattern in self.actions)

    def covers_resource(self, resource: str, context: Context) -> bool:
        """Say whether the statement is about the resource."""
        if self.not_resources:
            return not any(self._fits(pattern, resource, context) for pattern in self.not_resources)
        return any(self._fits(pattern, resource, context) for pattern in self.resources)

    def conditions_hold(self, context: Context) -> bool:
        """Say whether all conditions are met."""
        return all(holds(condition, context, variables=self.variables) for condition in self.conditions)

    def _fits(self, pattern: str, resource: str, context: Context) -> bool:
        if not self.variables:
            pattern = pattern.replace("${", "${$}{")  # then it stands for itself
        return matches(pattern, resource, context)


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy's statements."""

    statements: tuple[Statement, ...]


@lru_cache(maxsize=1024)
def read_policy(text: str) -> Policy:
    """Return the policy of a JSON document. Raises `MalformedPolicy`."""
    try:
        document = json.loads(text)
        version = document.get("Version", "2008-10-17")
        variables = version == _VARIABLES_SINCE
        return Policy(tuple(_statement(given, variables=variables) for given in _listed(document["Statement"])))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedPolicy(f"the policy document cannot be evaluated: {type(error).__name__}: {error}") from error


def _statement(given: dict[str, Any], *, variables: bool) -> Statement:
    effect = given["Effect"]
    if effect not in {"Allow", "Deny"}:
        raise ValueError(f"Effect {effect!r}")
    return Statement(
        allows=effect == "Allow",
        actions=_texts(given.get("Action")),
        not_actions=_texts(given.get("NotAction")),
        resources=_texts(given.get("Resource")),
        not_resources=_texts(given.get("NotResource")),
        principals=tuple(_principals(given.get("Principal"))),
        not_principals=tuple(_principals(given.get("NotPrincipal"))),
        conditions=tuple(
            read_condition(operator, key, _texts(values))
            for operator, keys in (given.get("Condition") or {}).items()
            for key, values in keys.items()
        ),
        variables=variables,
    )


def _principals(given: Any) -> Iterator[tuple[str, str]]:
    if given is None:
        return
    if given == "*":
        yield "*", "*"
        return
    for kind, values in given.items():
        for value in _texts(values):
            yield kind, value


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _texts(given: Any) -> tuple[str, ...]:
    """Return one value or a list of them as texts: JSON's `true` and `5` are policies' "true" and "5"."""
    if given is None:
        return ()
    return tuple(value if isinstance(value, str) else json.dumps(value) for value in _listed(given))
