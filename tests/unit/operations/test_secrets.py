"""How to connect to the database and the cache, by what AWS says of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from miyabi.model.errors import Denied, Failed, NotFound, Unavailable
from miyabi.operations.secrets import describe_connections
from tests.unit.operations.scripted_cloud import Answer, Refused, ScriptedCloud

PLAIN = "p@ss/word"


@dataclass(frozen=True)
class Names:
    database: str = "miyabi-db-dev"
    cache: str = "miyabi-cache-dev"
    database_password_secret: str = "miyabi/dev/database-password"


def instance(**more: Any) -> dict[str, Any]:
    endpoint = {"Address": "127.77.21.5", "Port": 5432}
    found = {"DBInstanceIdentifier": "miyabi-db-dev", "MasterUsername": "miyabi_user", "DBName": "miyabi_dev"}
    return {"DBInstances": [{**found, "Endpoint": endpoint, **more}]}


def node(**more: Any) -> dict[str, Any]:
    endpoint = {"Address": "127.77.21.6", "Port": 6379}
    return {"CacheClusters": [{"CacheNodes": [{"CacheNodeId": "0001", "Endpoint": endpoint}], **more}]}


def cloud(secret: str = PLAIN, **answers: Answer) -> ScriptedCloud:
    return ScriptedCloud(
        {
            "rds:DescribeDBInstances": instance,
            "elasticache:DescribeCacheClusters": node,
            "secretsmanager:GetSecretValue": lambda: {"Name": "x", "SecretString": secret},
            **{name.replace("__", ":"): answer for name, answer in answers.items()},
        }
    )


def refuse(code: str) -> Answer:
    def answer() -> dict[str, Any]:
        raise Refused(code)

    return answer


@pytest.mark.parametrize("secret", ["p@ss/word", json.dumps({"username": "x", "password": "p@ss/word"})])
def test_the_urls_are_those_of_the_endpoints_with_the_secret_s_password(secret: str) -> None:
    scripted = cloud(secret)
    found = describe_connections(scripted, Names())
    assert found.variables() == {
        "DATABASE_URL": "postgresql://miyabi_user:p%40ss%2Fword@127.77.21.5:5432/miyabi_dev",
        "REDIS_URL": "redis://127.77.21.6:6379",
    }
    assert "p%40ss" not in repr(found)
    asked = dict(scripted.calls)
    assert asked["rds:DescribeDBInstances"] == {"DBInstanceIdentifier": "miyabi-db-dev"}
    assert asked["secretsmanager:GetSecretValue"] == {"SecretId": "miyabi/dev/database-password"}


def test_a_password_that_happens_to_be_json_is_taken_as_it_is() -> None:
    assert "miyabi_user:123@" in describe_connections(cloud("123"), Names()).database_url


def test_a_cache_with_encryption_in_transit_is_asked_by_tls() -> None:
    scripted = cloud(elasticache__DescribeCacheClusters=lambda: node(TransitEncryptionEnabled=True))
    assert describe_connections(scripted, Names()).redis_url == "rediss://127.77.21.6:6379"


@pytest.mark.parametrize(
    ("answers", "error", "words"),
    [
        ({"rds__DescribeDBInstances": refuse("DBInstanceNotFound")}, NotFound, "DB instance 'miyabi-db-dev'"),
        ({"elasticache__DescribeCacheClusters": refuse("CacheClusterNotFound")}, NotFound, "'miyabi-cache-dev'"),
        ({"secretsmanager__GetSecretValue": refuse("ResourceNotFoundException")}, NotFound, "database-password"),
        ({"secretsmanager__GetSecretValue": refuse("AccessDeniedException")}, Denied, "database-password"),
        ({"secretsmanager__GetSecretValue": lambda: {"Name": "x", "SecretBinary": b"x"}}, Failed, "no text"),
        ({"rds__DescribeDBInstances": lambda: instance(Endpoint={})}, Unavailable, "no endpoint"),
        ({"elasticache__DescribeCacheClusters": lambda: node(CacheNodes=[])}, Unavailable, "no endpoint"),
    ],
)
def test_what_is_missing_is_named_with_a_hint(answers: dict[str, Answer], error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        describe_connections(cloud(**answers), Names())
    assert words in str(caught.value)
    assert getattr(caught.value, "hint", None)
