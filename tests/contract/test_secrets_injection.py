"""What a container's `secrets` become, for secrets and parameters made through the API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from miyabi.localcloud.control.ecs.launch import CannotStart
from miyabi.localcloud.control.ecs.secrets_injection import resolve_secrets
from tests.contract.control_api import ACCOUNT, REGION, Served, serve

PULL = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("home")) as served:
        yield served


def resolve(*values_from: str) -> list[str]:
    entries = [{"name": f"V{number}", "valueFrom": value} for number, value in enumerate(values_from)]
    found = resolve_secrets({"secrets": entries}, account=ACCOUNT, region=REGION)
    return [found[entry["name"]] for entry in entries]


def refusal(*values_from: str) -> str:
    with pytest.raises(CannotStart) as caught:
        resolve(*values_from)
    return str(caught.value)


@pytest.fixture(scope="module")
def secret(api: Served) -> dict[str, Any]:
    client = api.client("secretsmanager")
    members = json.dumps({"admin": "k-1", "number": 7, "deep": {"a": True}})
    made: dict[str, Any] = client.create_secret(Name="miyabi/dev/api-keys", SecretString=members)
    client.put_secret_value(SecretId=made["ARN"], SecretString=json.dumps({"admin": "k-2"}))
    return made


@pytest.fixture(scope="module")
def plain(api: Served) -> str:
    made = api.client("secretsmanager").create_secret(Name="miyabi/dev/database-password", SecretString="p@ss:word")
    return str(made["ARN"])


def test_a_container_without_secrets_has_none() -> None:
    assert resolve_secrets({}, account=ACCOUNT, region=REGION) == {}


def test_before_anything_was_made_nothing_is_found_and_no_backend_appears(api: Served) -> None:
    arn = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:none-abcdef"
    assert "ResourceNotFoundException" in refusal(arn)
    assert refusal("/none") == (
        f"{PULL}unable to retrieve secrets from ssm: service call has been retried 1 time(s): "
        "invalid ssm parameters: /none"
    )


def test_a_secret_is_its_whole_string_by_its_full_or_partial_arn(plain: str) -> None:
    assert resolve(plain, plain[:-7], f"{plain}:::") == ["p@ss:word"] * 3


def test_the_suffix_chooses_a_member_a_stage_and_a_version(secret: dict[str, Any]) -> None:
    arn, first = secret["ARN"], secret["VersionId"]
    assert resolve(
        f"{arn}:admin::",
        f"{arn}:admin:AWSCURRENT:",
        f"{arn}:admin:AWSPREVIOUS:",
        f"{arn}:admin::{first}",
        f"{arn}:number::{first}",
        f"{arn}:deep:AWSPREVIOUS:{first}",
    ) == ["k-2", "k-2", "k-1", "k-1", "7", '{"a": true}']


def test_what_a_secret_does_not_have_is_named_in_the_words_of_ecs(secret: dict[str, Any], plain: str) -> None:
    asm = f"{PULL}unable to retrieve secret from asm: service call has been retried 1 time(s): "
    arn = secret["ARN"]
    none = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:none-abcdef"
    assert refusal(none) == (
        f"{asm}failed to fetch secret {none} from secrets manager: ResourceNotFoundException: "
        "Secrets Manager can't find the specified secret."
    )
    assert refusal(f"{arn}:other::") == (f"{asm}retrieved secret from Secrets Manager did not contain json key other")
    assert "ResourceNotFoundException" in refusal(f"{arn}::NOSTAGE:")
    assert "ResourceNotFoundException" in refusal(f"{arn}:::{'0' * 32}")
    not_json = refusal(f"{plain}:key::")
    assert not_json.startswith(asm)
    assert "p@ss" not in not_json


def test_the_chain_of_errors_does_not_quote_the_secret_either(plain: str) -> None:
    with pytest.raises(CannotStart) as caught:
        resolve(f"{plain}:key::")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_secret_that_is_being_deleted_or_is_binary_is_refused(api: Served) -> None:
    client = api.client("secretsmanager")
    deleted = client.create_secret(Name="deleted", SecretString="x")["ARN"]
    client.delete_secret(SecretId=deleted)
    assert "InvalidRequestException" in refusal(deleted)
    binary = client.create_secret(Name="binary", SecretBinary=b"x")["ARN"]
    assert "no string value" in refusal(binary)


def test_parameters_are_found_by_name_and_arn_and_secure_ones_are_decrypted(api: Served) -> None:
    ssm = api.client("ssm")
    ssm.put_parameter(Name="/miyabi/dev/plain", Value="one", Type="String")
    ssm.put_parameter(Name="/miyabi/dev/secure", Value="two", Type="SecureString")
    ssm.put_parameter(Name="short", Value="three", Type="String")
    arn = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter"
    assert resolve("/miyabi/dev/plain", "/miyabi/dev/secure", "short") == ["one", "two", "three"]
    assert resolve(f"{arn}/miyabi/dev/secure", f"{arn}/short") == ["two", "three"]
    assert refusal("/none", "short", f"{arn}/neither").endswith(f"invalid ssm parameters: /none, {arn}/neither")


def test_an_arn_of_something_else_is_refused() -> None:
    assert "invalid valueFrom" in refusal(f"arn:aws:s3:::{ACCOUNT}")
