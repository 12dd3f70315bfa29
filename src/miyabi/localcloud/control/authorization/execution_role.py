"""What ECS does with a task's execution role before and while it starts the task: each call is checked as on ECS."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moto.kms.models import kms_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends

from miyabi.localcloud.control.authorization.parameters import backend_of
from miyabi.localcloud.control.authorization.principals import Principal, Principals
from miyabi.localcloud.control.credentials import Holder
from miyabi.policy.iam import Access, Trust, Trustee, decide, denial

_SERVICE = "ecs-tasks.amazonaws.com"


class Refused(Exception):
    """The role may not; the message is AWS's: `AccessDeniedException: User: … is not authorized to perform: …`."""


class ExecutionRole:
    """The execution role as one task uses it."""

    def __init__(self, principals: Principals, role_arn: str, task_arn: str) -> None:
        self._principals = principals
        self._role_arn = role_arn
        self._task_arn = task_arn
        self._region = task_arn.split(":")[3]

    def can_be_assumed(self) -> bool:
        """Say whether the role exists and trusts ECS for this task."""
        context = {"aws:sourceaccount": (self._principals.account,), "aws:sourcearn": (self._task_arn,)}
        return self._principals.trust(self._role_arn, Trustee(service=_SERVICE), context) is Trust.DIRECT

    def require(self, action: str, resource: str) -> None:
        """Raise `Refused` unless the role may."""
        principal = self._principal()
        now = datetime.now(UTC)
        context = {
            **principal.context,
            "aws:requestedregion": (self._region,),
            "aws:resourceaccount": (self._principals.account,),
            "aws:securetransport": ("true",),
            "aws:currenttime": (now.strftime("%Y-%m-%dT%H:%M:%SZ"),),
        }
        access = Access(action, resource, context)
        decision = decide(access, principal.granted)
        if not decision.allowed:
            raise Refused(f"AccessDeniedException: {denial(principal.arn, access, decision)}")

    def require_secret(self, arn: str) -> None:
        """Raise `Refused` unless the role may read the secret, and decrypt it where it has a key of its own."""
        region = arn.split(":")[3]
        found = _held(secretsmanager_backends, self._principals.account, region, "secrets", arn)
        self.require("secretsmanager:GetSecretValue", str(found.arn) if found is not None else arn)
        if not self._decrypts(region, getattr(found, "kms_key_id", None)):
            raise Refused("AccessDeniedException: Access to KMS is not allowed")

    def require_parameter(self, name: str, region: str) -> None:
        """Raise `Refused` unless the role may read the parameter, and decrypt it where it has a key of its own."""
        arn = f"arn:aws:ssm:{region}:{self._principals.account}:parameter/{name.removeprefix('/')}"
        self.require("ssm:GetParameters", arn)
        backend = backend_of(ssm_backends, self._principals.account, region)
        held = backend._parameters.get(name) if backend is not None else None  # noqa: SLF001 - its getter decrypts
        key = getattr(held[-1], "keyid", None) if held else None
        if key and not self._decrypts(region, key):
            resource = self._key_arn(region, str(key))
            raise Refused(
                f"AccessDeniedException: User: {self._principal().arn} is not authorized to perform: kms:Decrypt on "
                f"resource: {resource} because no identity-based policy allows the kms:Decrypt action"
            )

    def _decrypts(self, region: str, key: str | None) -> bool:
        if not key or "alias/aws/" in key:
            return True  # AWS's own keys serve everybody whom the service lets read
        try:
            self.require("kms:Decrypt", self._key_arn(region, key))
        except Refused:
            return False
        return True

    def _key_arn(self, region: str, key: str) -> str:
        if key.startswith("arn:") and ":key/" in key:
            return key
        backend = backend_of(kms_backends, self._principals.account, region)
        held = backend.keys.values() if backend is not None else ()
        alias = "alias/" + key.partition("alias/")[2]
        found = next((str(item.id) for item in held if alias in item.aliases), key)
        return f"arn:aws:kms:{region}:{self._principals.account}:key/{found}"

    def _principal(self) -> Principal:
        role, session = self._role_arn.rpartition("/")[2], self._task_arn.rpartition("/")[2]
        arn = f"arn:aws:sts::{self._principals.account}:assumed-role/{role}/{session}"
        return self._principals.session(Holder(arn, f"AROA{role}:{session}", role_arn=self._role_arn))


def _held(backends: Any, account: str, region: str, attribute: str, key: str) -> Any:
    backend = backend_of(backends, account, region)
    return getattr(backend, attribute).get(key) if backend is not None else None
