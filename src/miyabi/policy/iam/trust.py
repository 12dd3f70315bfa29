"""Who may take a role: the role's trust policy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from miyabi.policy.iam.document import Policy, Statement
from miyabi.policy.iam.patterns import Context, matches


class Trust(Enum):
    """What a trust policy says of somebody."""

    NONE = "none"
    ACCOUNT = "account"
    """It trusts the account, whose own policies decide."""
    DIRECT = "direct"
    """It names the principal: within one account nothing else is needed."""


@dataclass(frozen=True, slots=True)
class Trustee:
    """Who wants the role: a service of AWS, or a principal with all the ARNs that stand for it."""

    service: str = ""
    """`ecs-tasks.amazonaws.com`."""
    account: str = ""
    arns: tuple[str, ...] = ()
    """The role's and its session's, or the user's."""


def trusts(policy: Policy, trustee: Trustee, context: Context, *, action: str = "sts:AssumeRole") -> Trust:
    """Return what the policy says of the trustee; a Deny beats any Allow."""
    found = Trust.NONE
    for statement in policy.statements:
        trust = _named(statement, trustee)
        if trust is Trust.NONE or not statement.covers_action(action) or not statement.conditions_hold(context):
            continue
        if not statement.allows:
            return Trust.NONE
        if found is not Trust.DIRECT:
            found = trust
    return found


def _named(statement: Statement, trustee: Trustee) -> Trust:
    if statement.not_principals:
        named = [_names(kind, value, trustee) for kind, value in statement.not_principals]
        return Trust.NONE if any(trust is not Trust.NONE for trust in named) else Trust.ACCOUNT
    trusted = {_names(kind, value, trustee) for kind, value in statement.principals}
    return Trust.DIRECT if Trust.DIRECT in trusted else Trust.ACCOUNT if Trust.ACCOUNT in trusted else Trust.NONE


def _names(kind: str, value: str, trustee: Trustee) -> Trust:
    if kind == "Service":
        return Trust.DIRECT if trustee.service and matches(value, trustee.service, {}) else Trust.NONE
    if kind not in {"AWS", "*"} or not trustee.arns:
        return Trust.NONE
    if value in {"*", trustee.account, f"arn:aws:iam::{trustee.account}:root"}:
        return Trust.ACCOUNT
    return Trust.DIRECT if value in trustee.arns else Trust.NONE
