"""Who signed a request, and the policies that decide for it, out of moto's IAM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.iam.models import iam_backends

from miyabi.localcloud.control.authorization.parameters import backend_of
from miyabi.localcloud.control.credentials import Holder, Keys
from miyabi.localcloud.control.service import ApiError
from miyabi.policy.iam import Granted, MalformedPolicy, Policy, Trust, Trustee, read_policy, trusts
from miyabi.policy.iam.patterns import Context

_NOTHING = Policy(())


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody whose requests are judged."""

    arn: str
    """As AWS's messages have it: of a role the session's."""
    user_id: str
    granted: Granted
    arns: tuple[str, ...] = ()
    """Under which a trust policy may name it."""
    context: Context = field(default_factory=dict)
    """Its condition keys."""


class Principals:
    """The roles and users of one account."""

    def __init__(self, account: str, keys: Keys) -> None:
        self.account = account
        self._keys = keys

    def of_key(self, access_key: str) -> Principal:
        """Return whose key it is. One whose role or user is gone has no policies, so it may do nothing."""
        holder = self._keys.holder(access_key)
        if holder.role_arn:
            return self.session(holder)
        user = self._backend_users().get(holder.user_name)
        groups = [group for group in self._groups() if any(u.name == holder.user_name for u in group.users)]
        sources = [source for source in (user, *groups) if source is not None]
        granted = Granted([policy for source in sources for policy in _policies(source)])
        context: dict[str, tuple[str, ...]] = {"aws:username": (holder.user_name,), "aws:principaltype": ("User",)}
        return Principal(
            holder.arn, holder.user_id, granted, (holder.arn,), context | _who(self.account, holder.arn, holder.user_id)
        )

    def session(self, holder: Holder) -> Principal:
        """Return a role's session."""
        role = self.role(holder.role_arn)
        granted = Granted(
            list(_policies(role)) if role is not None else (),
            boundary=self._boundary(role),
            session=_read(holder.session_policy) if holder.session_policy else None,
        )
        context = {"aws:principaltype": ("AssumedRole",)} | _who(self.account, holder.role_arn, holder.user_id)
        for tag in _tags(role):
            context[f"aws:principaltag/{tag['Key'].lower()}"] = (tag["Value"],)
        return Principal(holder.arn, holder.user_id, granted, (holder.role_arn, holder.arn), context)

    def role(self, arn: str) -> Any:
        """Return moto's role, or None."""
        backend = backend_of(iam_backends, self.account, "aws")
        roles = backend.roles.values() if backend is not None else ()
        return next((role for role in roles if role.arn == arn), None)

    def trust(self, role_arn: str, trustee: Trustee, context: Context) -> Trust:
        """Return what the role's trust policy says of the trustee; nothing where there is no such role."""
        role = self.role(role_arn)
        return Trust.NONE if role is None else trusts(_read(role.assume_role_policy_document), trustee, context)

    def _boundary(self, role: Any) -> Policy | None:
        arn = getattr(role, "permissions_boundary_arn", None)
        if not arn:
            return None
        backend = backend_of(iam_backends, self.account, "aws")
        found = backend.managed_policies.get(arn)
        return _NOTHING if found is None else _read(_document(found))

    def _backend_users(self) -> Mapping[str, Any]:
        backend = backend_of(iam_backends, self.account, "aws")
        return backend.users if backend is not None else {}

    def _groups(self) -> list[Any]:
        backend = backend_of(iam_backends, self.account, "aws")
        return list(backend.groups.values()) if backend is not None else []


def _policies(source: Any) -> Iterator[Policy]:
    """Yield the inline and the attached policies of a role, user or group."""
    for text in source.policies.values():
        yield _read(text)
    for managed in source.managed_policies.values():
        yield _read(_document(managed))


def _document(managed: Any) -> str:
    return next(str(v.document) for v in managed.versions if v.version_id == managed.default_version_id)


def _read(text: str) -> Policy:
    try:
        return read_policy(text)
    except MalformedPolicy as error:
        raise ApiError("AccessDenied", f"A policy of the caller is not understood: {error.message}") from error


def _tags(role: Any) -> list[dict[str, str]]:
    given = getattr(role, "tags", None) or []
    return list(given.values()) if isinstance(given, dict) else list(given)


def _who(account: str, arn: str, user_id: str) -> dict[str, tuple[str, ...]]:
    return {"aws:principalarn": (arn,), "aws:principalaccount": (account,), "aws:userid": (user_id,)}
