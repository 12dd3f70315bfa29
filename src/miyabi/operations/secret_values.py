"""Operations on the environment's secrets: list what there is, read one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from miyabi.aws.errors import translated
from miyabi.environment.config import Environment, suggestion
from miyabi.model.errors import InvalidInput, NotFound
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run
from miyabi.operations.secrets import read_secret


@dataclass(frozen=True, slots=True)
class ListParams:
    """Nothing: the secrets are those of the environment."""


@dataclass(frozen=True, slots=True)
class SecretRow:
    """A secret, without its value."""

    name: str
    used_as: str
    """Its key in miyabi.toml."""
    exists: bool
    changed_at: datetime | None
    read_at: datetime | None
    """The day on which it was last read, as AWS keeps it."""


@dataclass(frozen=True, slots=True)
class SecretList:
    """The environment's secrets."""

    secrets: tuple[SecretRow, ...]


@operation("secrets.list", effect=Effect.READ, permissions=("secretsmanager:DescribeSecret",))
def list_secrets(run: Run, params: ListParams) -> SecretList:  # noqa: ARG001 - it takes nothing
    """List the environment's secrets and when they were changed; never a value."""
    return SecretList(tuple(_row(run, name, key) for name, key in _names(run.environment).items()))


@dataclass(frozen=True, slots=True)
class GetParams:
    """Which secret."""

    name: str = param("Its name, or the last part of it: database-password", argument=True)


@dataclass(frozen=True, slots=True)
class SecretValue:
    """A secret's current value."""

    name: str
    value: str = field(repr=False)


@operation(
    "secrets.get",
    effect=Effect.READ,
    permissions=("secretsmanager:GetSecretValue",),
    audited=True,
)
def get_secret(run: Run, params: GetParams) -> SecretValue:
    """Print a secret's value. The audit says who read it, and not what it is."""
    known = list(_names(run.environment))
    found = [name for name in known if params.name in {name, name.rpartition("/")[2]}]
    if not found:
        near = suggestion(params.name, [*known, *(name.rpartition("/")[2] for name in known)])
        raise InvalidInput(f"'{params.name}' is no secret of this environment", hint=near or f"It has {known}.")
    return SecretValue(found[0], read_secret(run.cloud, found[0]))


def _names(environment: Environment) -> dict[str, str]:
    return {
        environment.database_password_secret: "database_password_secret",
        environment.jwt_secret: "jwt_secret",
        environment.api_keys_secret: "api_keys_secret",
    }


def _row(run: Run, name: str, key: str) -> SecretRow:
    client: Any = run.cloud.client("secretsmanager")
    try:
        with translated(f"describing secret '{name}'"):
            answer = client.describe_secret(SecretId=name)
    except NotFound:
        return SecretRow(name, key, exists=False, changed_at=None, read_at=None)
    return SecretRow(
        name, key, exists=True, changed_at=answer.get("LastChangedDate"), read_at=answer.get("LastAccessedDate")
    )
