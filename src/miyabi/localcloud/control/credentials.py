"""Keys that may sign: the instance's own, those of task roles, and those that IAM and STS handed out."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from miyabi.environment.home import Instance
from miyabi.localcloud.control.service import ApiError, Caller, LiveService, Params, Result
from miyabi.localcloud.control.store import Store, Table

LOCAL_USER = "miyabi-local"
_LIFETIME = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class TaskCredentials:
    """A task role's temporary keys."""

    access_key: str
    secret_key: str
    token: str
    expires_at: datetime
    role_arn: str
    task_arn: str
    path_token: str
    """The secret part of the URL under which the task fetches them."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who a key belongs to."""

    arn: str
    """Of a role the session's."""
    user_id: str
    role_arn: str = ""
    user_name: str = ""
    session_policy: str = ""
    """A document that a role's session was limited by."""


class Keys:
    """Finds the secret and the identity of an access key."""

    def __init__(self, store: Store, instance: Instance) -> None:
        self._instance = instance
        self._tasks = Table(store, "credentials.task", TaskCredentials)

    def secret(self, access_key: str, token: str | None, *, now: datetime) -> str:
        """Return the key's secret.

        token: the session token that came with the request.
        Raises `ApiError`: InvalidClientTokenId where the key is unknown or inactive, or the token is not the key's;
        ExpiredToken where its time is over.
        """
        if access_key == self._instance.access_key:
            return self._instance.secret_key
        task = self._tasks.get("*", access_key)
        if task is not None:
            _check_session(task.token, task.expires_at, token, now)
            return task.secret_key
        role = sts_backends[self._instance.account]["aws"].get_assumed_role_from_access_key(access_key)
        if role is not None:
            _check_session(str(role.session_token), role.expiration.replace(tzinfo=UTC), token, now)
            return str(role.secret_access_key)
        found = iam_backends[self._instance.account]["aws"].access_keys.get(access_key)
        if found is not None and found.status == "Active":
            return str(found.secret_access_key)
        raise _invalid()

    def is_administrator(self, access_key: str) -> bool:
        """Say whether it is the instance's own key, to which no policy applies."""
        return access_key == self._instance.access_key

    def holder(self, access_key: str) -> Holder:
        """Return whose key it is. Raises `ApiError` InvalidClientTokenId where it is nobody's."""
        account = self._instance.account
        if self.is_administrator(access_key):
            user_id = f"AIDA{self._instance.instance_id.upper():0>16}"
            return Holder(f"arn:aws:iam::{account}:user/{LOCAL_USER}", user_id, user_name=LOCAL_USER)
        task = self._tasks.get("*", access_key)
        if task is not None:
            role, session = task.role_arn.rpartition("/")[2], task.task_arn.rpartition("/")[2]
            arn = f"arn:aws:sts::{account}:assumed-role/{role}/{session}"
            return Holder(arn, f"AROA{role}:{session}", role_arn=task.role_arn)
        assumed = sts_backends[account]["aws"].get_assumed_role_from_access_key(access_key)
        if assumed is not None:
            policy = str(assumed.policy or "")
            return Holder(str(assumed.arn), str(assumed.user_id), str(assumed.role_arn), session_policy=policy)
        key = iam_backends[account]["aws"].access_keys.get(access_key)
        if key is None:
            raise _invalid()
        user = iam_backends[account]["aws"].users.get(str(key.user_name))
        arn = str(user.arn) if user is not None else f"arn:aws:iam::{account}:user/{key.user_name}"
        return Holder(arn, str(user.id) if user is not None else access_key, user_name=str(key.user_name))

    def issue(self, role_arn: str, task_arn: str, path_token: str, *, now: datetime) -> TaskCredentials:
        """Return the task's credentials, fresh ones where less than an hour is left."""
        for held in self._tasks.list("*"):
            if held.path_token == path_token and held.expires_at - now > timedelta(hours=1):
                return held
        issued = TaskCredentials(
            access_key="ASIA" + secrets.token_hex(8).upper(),
            secret_key=secrets.token_urlsafe(30),
            token=secrets.token_urlsafe(64),
            expires_at=now + _LIFETIME,
            role_arn=role_arn,
            task_arn=task_arn,
            path_token=path_token,
        )
        self._tasks.put("*", issued.access_key, issued)
        return issued

    def revoke(self, task_arn: str) -> None:
        """Forget the credentials of a task that has ended."""
        for held in self._tasks.list("*"):
            if held.task_arn == task_arn:
                self._tasks.delete("*", held.access_key)


class Identities(LiveService):
    """The part of STS that says who a key belongs to."""

    name = "sts"
    whole = False

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def get_caller_identity(self, caller: Caller, _: Params) -> Result:
        """Answer with the user of the instance's key or the role of a task's."""
        holder = self._keys.holder(caller.access_key)
        return {"Account": caller.account, "Arn": holder.arn, "UserId": holder.user_id}


def _check_session(expected: str, expires_at: datetime, token: str | None, now: datetime) -> None:
    if not hmac.compare_digest(expected.encode(), (token or "").encode("utf-8", "replace")):
        raise _invalid()
    if now >= expires_at:
        raise ApiError("ExpiredToken", "The security token included in the request is expired")


def _invalid() -> ApiError:
    return ApiError("InvalidClientTokenId", "The security token included in the request is invalid.")
