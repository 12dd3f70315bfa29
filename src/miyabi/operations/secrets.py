"""How to connect to the environment's database and cache, with the password from its secret."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from miyabi.aws.clients import Cloud
from miyabi.aws.errors import translated
from miyabi.model.errors import Failed, NotFound, Unavailable

_MISSING = "`miyabi up` makes it; another name for it goes into miyabi.toml"


class DataNames(Protocol):
    """What the environment calls its database, its cache and their secret."""

    @property
    def database(self) -> str: ...
    @property
    def cache(self) -> str: ...
    @property
    def database_password_secret(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Connections:
    """URLs that a client connects by."""

    database_url: str = field(repr=False)
    """With the password."""
    redis_url: str = field(repr=False)

    def variables(self) -> dict[str, str]:
        """Return the environment variables that clients look for."""
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}


def describe_connections(cloud: Cloud, names: DataNames) -> Connections:
    """Describe the database and the cache, and read the database's password.

    Raises `NotFound` for what does not exist and `Unavailable` while it has no endpoint yet.
    """
    return Connections(_database_url(cloud, names), _redis_url(cloud, names.cache))


def read_secret(cloud: Cloud, name: str) -> str:
    """Return the current value of a secret."""
    client: Any = cloud.client("secretsmanager")
    try:
        with translated(f"reading secret '{name}'"):
            answer = client.get_secret_value(SecretId=name)
    except NotFound as error:
        raise NotFound(f"secret '{name}' not found in {cloud.region}", hint=_MISSING) from error
    value = answer.get("SecretString")
    if not value:
        raise Failed(f"secret '{name}' holds no text", hint=f"aws secretsmanager put-secret-value --secret-id {name} …")
    return str(value)


def _database_url(cloud: Cloud, names: DataNames) -> str:
    client: Any = cloud.client("rds")
    try:
        with translated(f"describing DB instance '{names.database}'"):
            found = client.describe_db_instances(DBInstanceIdentifier=names.database)["DBInstances"][0]
    except NotFound as error:
        raise NotFound(f"DB instance '{names.database}' not found in {cloud.region}", hint=_MISSING) from error
    endpoint = found.get("Endpoint")
    if not endpoint:
        raise _without_endpoint(f"DB instance '{names.database}'", found.get("DBInstanceStatus"))
    user = quote(found["MasterUsername"], safe="")
    password = quote(_password(read_secret(cloud, names.database_password_secret)), safe="")
    database = quote(found.get("DBName") or "postgres", safe="")
    return f"postgresql://{user}:{password}@{endpoint['Address']}:{endpoint['Port']}/{database}"


def _password(secret: str) -> str:
    """Return the password of a secret that is one, or that has one as RDS writes it: {"password": ...}."""
    try:
        members = json.loads(secret)
    except ValueError:
        return secret
    found = members.get("password") if isinstance(members, dict) else None
    return found if isinstance(found, str) else secret


def _redis_url(cloud: Cloud, name: str) -> str:
    client: Any = cloud.client("elasticache")
    try:
        with translated(f"describing cache cluster '{name}'"):
            answer = client.describe_cache_clusters(CacheClusterId=name, ShowCacheNodeInfo=True)
    except NotFound as error:
        raise NotFound(f"cache cluster '{name}' not found in {cloud.region}", hint=_MISSING) from error
    found = answer["CacheClusters"][0]
    nodes = found.get("CacheNodes") or [{}]
    endpoint = nodes[0].get("Endpoint")
    if not endpoint:
        raise _without_endpoint(f"cache cluster '{name}'", found.get("CacheClusterStatus"))
    scheme = "rediss" if found.get("TransitEncryptionEnabled") else "redis"
    return f"{scheme}://{endpoint['Address']}:{endpoint['Port']}"


def _without_endpoint(what: str, status: object) -> Unavailable:
    return Unavailable(f"{what} has no endpoint: it is {status or 'in no known state'}", hint="Try again in a minute.")
