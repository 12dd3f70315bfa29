"""The values of a container's `secrets`, read from Secrets Manager and Parameter Store as its task starts.

They go into the process's environment and nowhere else: no row, no log line and no reason of a stop holds one. Call it
on the engine's worker: it reads moto's state.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import JsonRESTError, ServiceException
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends

from miyabi.localcloud.control.ecs.launch import CannotStart
from miyabi.model.ecs import Json

_WORDS = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
_SECRET_WORDS = f"{_WORDS}unable to retrieve secret from asm: service call has been retried 1 time(s): "
_PARAMETER_WORDS = f"{_WORDS}unable to retrieve secrets from ssm: service call has been retried 1 time(s): "

_SECRET = re.compile(r"(arn:[^:]+:secretsmanager:([^:]+):(\d{12}):secret:[^:]+)(?::([^:]*):([^:]*):([^:]*))?")
_PARAMETER_ARN = re.compile(r"arn:[^:]+:ssm:([^:]+):(\d{12}):parameter(/.+)")


@dataclass(frozen=True, slots=True)
class SecretReference:
    """What a `valueFrom` of Secrets Manager names."""

    arn: str
    region: str
    account: str
    json_key: str | None = None
    version_stage: str | None = None
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class ParameterReference:
    """What a `valueFrom` of Parameter Store names."""

    name: str
    region: str
    account: str
    given: str
    """As the task definition has it."""


def parse_reference(value_from: str, *, account: str, region: str) -> SecretReference | ParameterReference:
    """Return what a `valueFrom` names; a name without an ARN is a parameter in the task's account and region.

    Source: docs.aws.amazon.com, "Pass sensitive data to an Amazon ECS container". Raises `CannotStart` for what is
    neither.
    """
    secret = _SECRET.fullmatch(value_from)
    if secret is not None:
        arn, its_region, its_account, *suffix = secret.groups()
        return SecretReference(arn, its_region, its_account, *(part or None for part in suffix))
    parameter = _PARAMETER_ARN.fullmatch(value_from)
    if parameter is not None:
        its_region, its_account, name = parameter.groups()
        return ParameterReference(name, its_region, its_account, value_from)
    if value_from.startswith("arn:"):
        raise CannotStart(f"{_WORDS}invalid valueFrom: {value_from} is the ARN of no secret and no parameter")
    return ParameterReference(value_from, region, account, value_from)


def resolve_secrets(container: Json, *, account: str, region: str) -> dict[str, str]:
    """Return the values by the names that the container definition gives them.

    Raises `CannotStart` in ECS's words. Secrets are read one by one and the first that is missing is named, parameters
    together and all that are missing are named, as by ECS.
    """
    values: dict[str, str] = {}
    missing = []
    for entry in container.get("secrets") or []:
        reference = parse_reference(entry["valueFrom"], account=account, region=region)
        if isinstance(reference, SecretReference):
            values[entry["name"]] = _secret(reference)
            continue
        value = _parameter(reference)
        if value is None:
            missing.append(reference.given)
        else:
            values[entry["name"]] = value
    if missing:
        raise CannotStart(f"{_PARAMETER_WORDS}invalid ssm parameters: {', '.join(missing)}")
    return values


def _secret(reference: SecretReference) -> str:
    backend = _backend(secretsmanager_backends, reference.account, reference.region)
    if backend is None:
        raise _not_fetched(reference, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    try:
        found = backend.get_secret_value(reference.arn, reference.version_id, reference.version_stage)
    except ServiceException as error:
        raise _not_fetched(reference, error.code, error.message) from error
    except JsonRESTError as error:
        raise _not_fetched(reference, error.error_type, error.message) from error
    text = found.get("SecretString")
    if text is None:
        raise CannotStart(f"{_SECRET_WORDS}secret {reference.arn} has no string value")
    return str(text) if reference.json_key is None else _member(str(text), reference.json_key)


def _member(text: str, key: str) -> str:
    """Return a member of a secret that is a JSON object. The errors must not quote the secret, so none is chained."""
    try:
        members = json.loads(text)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        raise CannotStart(f"{_SECRET_WORDS}retrieved secret from Secrets Manager is not a JSON object: json key {key}")
    if key not in members:
        raise CannotStart(f"{_SECRET_WORDS}retrieved secret from Secrets Manager did not contain json key {key}")
    value = members[key]
    return value if isinstance(value, str) else json.dumps(value)


def _parameter(reference: ParameterReference) -> str | None:
    backend = _backend(ssm_backends, reference.account, reference.region)
    if backend is None:
        return None
    try:
        found = backend.get_parameter(reference.name)
    except (ServiceException, JsonRESTError):  # no such version
        return None
    return None if found is None else str(found.decrypt(found.value))


def _backend(backends: Any, account: str, region: str) -> Any:
    """Return a backend that exists: to create one here would change what a replay of the journal creates."""
    regions = dict.get(backends, account) or {}
    return dict.get(regions, region)


def _not_fetched(reference: SecretReference, code: str, message: str) -> CannotStart:
    words = " ".join(message.split())
    return CannotStart(f"{_SECRET_WORDS}failed to fetch secret {reference.arn} from secrets manager: {code}: {words}")
