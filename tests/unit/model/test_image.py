"""The image's nouns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.model.errors import InvalidInput
from miyabi.model.image import ImageManifest, ImageReference, parse_reference

REGISTRY = "112530848482.dkr.ecr.us-west-2.amazonaws.com"
DIGEST = "sha256:" + "ab" * 32


def manifest(**changed: object) -> ImageManifest:
    given_keys: dict[str, object] = {
        "base": "python:3.11-slim",
        "command": ("python3", "server.py"),
        "listen_address_variable": "HOST",
        "files": {"server.py": "server.py"},
    }
    return ImageManifest(**(given_keys | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"base": ""}, "base ''"),
        ({"base": "python; RUN evil"}, "is not the name of an image"),
        ({"command": ()}, "command is empty"),
        ({"listen_address_variable": "A B"}, "'A B' is not the name of an environment variable"),
        ({"environment": {"1X": ""}}, "'1X' is not the name of an environment variable"),
        ({"environment": {"HOST": "0.0.0.0"}}, "environment sets HOST"),
        ({"environment": {"A": "\0"}}, "environment variable A"),
        ({"stop_signal": "SIGKILL"}, "unknown stop_signal 'SIGKILL'"),
        ({"files": {"/etc/passwd": "x"}}, "target '/etc/passwd' leaves /app"),
        ({"files": {"a/../../b": "x"}}, "leaves /app"),
        ({"files": {}}, "would be empty"),
    ],
)
def test_a_manifest_that_cannot_work_is_refused_in_one_line_with_a_hint(
    changed: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        manifest(**changed)
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_manifest_needs_no_more_than_four_keys() -> None:
    assert manifest().stop_signal == "SIGTERM"


@pytest.mark.parametrize(
    ("uri", "tag", "digest"),
    [
        (f"{REGISTRY}/miyabi-web-api:v1.0.0", "v1.0.0", None),
        (f"{REGISTRY}/miyabi-web-api", "latest", None),
        (f"{REGISTRY}/miyabi-web-api@{DIGEST}", None, DIGEST),
        (f"{REGISTRY}/miyabi-web-api:v1@{DIGEST}", "v1", DIGEST),
    ],
)
def test_a_reference_names_a_tag_or_a_digest(uri: str, tag: str | None, digest: str | None) -> None:
    assert parse_reference(uri) == ImageReference("112530848482", "us-west-2", "miyabi-web-api", tag, digest)


@pytest.mark.parametrize(
    "uri", ["nginx", "docker.io/library/nginx:1", "public.ecr.aws/x/y:1", f"{REGISTRY}/", f"{REGISTRY}/A:b"]
)
def test_another_registry_is_no_reference(uri: str) -> None:
    assert parse_reference(uri) is None


@given(st.text(max_size=200))
def test_any_text_is_a_reference_or_none(text: str) -> None:
    parse_reference(text)
    parse_reference(f"{REGISTRY}/{text}")
