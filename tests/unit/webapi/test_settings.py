"""What the service takes from its environment, and that no refusal quotes a secret."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.model.errors import InvalidInput
from miyabi.webapi.settings import read_settings

PARTS = {
    "DATABASE_HOST": "10.0.21.5",
    "DATABASE_NAME": "miyabi_dev",
    "DATABASE_USER": "miyabi_user",
    "DATABASE_PASSWORD": "s3cret",
}


def test_nothing_is_needed() -> None:
    settings = read_settings({})
    assert (settings.database, settings.cache, settings.api_keys) == (None, None, {})


def test_the_url_of_the_database_goes_before_its_parts() -> None:
    given = read_settings({**PARTS, "DATABASE_URL": "postgresql://u:p@h/d"}).database
    assert given is not None
    assert given.url == "postgresql://u:p@h/d"
    assert (given.connections_min, given.connections_max) == (10, 20)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_any_password_survives_the_url(password: str) -> None:
    database = read_settings({**PARTS, "DATABASE_PASSWORD": password, "DATABASE_SSLMODE": "require"}).database
    assert database is not None
    parts = urlsplit(database.url)
    assert (parts.hostname, parts.port, parts.path, parts.query) == (
        "10.0.21.5",
        5432,
        "/miyabi_dev",
        "sslmode=require",
    )
    assert unquote(parts.password or "") == password


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"PORT": "http"}, "PORT"),
        ({"DATABASE_URL": "mysql://u:s3cret@h/d"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://u:s3cret@h:port/d"}, "DATABASE_URL"),
        ({**PARTS, "DATABASE_USER": ""}, "DATABASE_USER"),
        ({**PARTS, "DATABASE_POOL_MIN": "30"}, "DATABASE_POOL_MIN"),
        ({**PARTS, "DATABASE_POOL_MIN": "0"}, "DATABASE_POOL_MIN"),
        ({"REDIS_URL": "http://:s3cret@h"}, "REDIS_URL"),
        ({"API_KEYS": '{"admin": "s3cret"'}, "API_KEYS"),
        ({"API_KEYS": '["s3cret"]'}, "API_KEYS"),
        ({"API_KEYS": '{"admin": ""}'}, "API_KEYS"),
    ],
)
def test_a_refusal_names_the_variable_and_no_secret(environment: dict[str, str], name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_settings(environment)
    assert name in caught.value.message
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}"


def test_settings_can_be_printed() -> None:
    settings = read_settings({**PARTS, "REDIS_URL": "redis://:s3cret@h", "API_KEYS": '{"admin": "s3cret"}'})
    assert "s3cret" not in repr(settings)
