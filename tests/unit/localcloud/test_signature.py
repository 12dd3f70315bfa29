"""Signatures made by botocore are accepted, anything else is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from miyabi.localcloud.control.service import ApiError
from miyabi.localcloud.control.signature import read_scope, verify

SECRET = "a-secret"


def signed(
    url: str, *, service: str = "ecs", method: str = "POST", body: bytes = b"{}", sent: dict[str, str] | None = None
) -> dict[str, str]:
    request = AWSRequest(method, url, {"Host": "127.0.0.1:4566", "X-Two": "a  b"} | (sent or {}), body)
    auth = S3SigV4Auth if service == "s3" else SigV4Auth
    auth(Credentials("AKIA1", SECRET), service, "us-west-2").add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@pytest.mark.parametrize(
    ("target", "service"),
    [("/", "ecs"), ("/?Action=A&B=c%20d&Empty=", "ec2"), ("/bucket/a%20key/x%2By?list-type=2&prefix=a%2F", "s3")],
)
def test_a_signature_made_by_botocore_is_right(target: str, service: str) -> None:
    headers = signed(f"http://127.0.0.1:4566{target}", service=service)
    scope = read_scope(headers["authorization"])
    assert (scope.access_key, scope.region, scope.service) == ("AKIA1", "us-west-2", service)
    verify(scope, SECRET, "POST", target, headers, b"{}", now=datetime.now(UTC))


@pytest.mark.parametrize(
    ("secret", "target", "body", "late"),
    [
        ("another", "/", b"{}", timedelta(0)),
        (SECRET, "/other", b"{}", timedelta(0)),
        (SECRET, "/", b"changed", timedelta(0)),
        (SECRET, "/", b"{}", timedelta(minutes=16)),
    ],
)
def test_another_secret_path_body_or_time_is_refused(secret: str, target: str, body: bytes, late: timedelta) -> None:
    headers = signed("http://127.0.0.1:4566/")
    with pytest.raises(ApiError):
        verify(
            read_scope(headers["authorization"]), secret, "POST", target, headers, body, now=datetime.now(UTC) + late
        )


@pytest.mark.parametrize("header", [None, "", "Basic abc", "AWS4-HMAC-SHA256 Credential=a/b", "AWS4-HMAC-SHA256"])
def test_a_header_that_is_no_signature_is_refused(header: str | None) -> None:
    with pytest.raises(ApiError):
        read_scope(header)


def check(headers: dict[str, str], body: bytes = b"{}") -> None:
    verify(read_scope(headers["authorization"]), SECRET, "POST", "/", headers, body, now=datetime.now(UTC))


@pytest.mark.parametrize("extra", ["x-amz-target", "x-amz-security-token", "content-type"])
def test_a_header_that_matters_must_be_signed(extra: str) -> None:
    with pytest.raises(ApiError, match=extra):
        check(signed("http://127.0.0.1:4566/") | {extra: "v"})


@pytest.mark.parametrize("said", ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "0" * 64, ""])
def test_a_body_without_its_hash_is_refused_but_by_s3(said: str) -> None:
    headers = signed("http://127.0.0.1:4566/", sent={"X-Amz-Content-SHA256": said})
    with pytest.raises(ApiError, match="body"):
        check(headers)


def test_a_signature_in_another_alphabet_is_refused() -> None:
    headers = signed("http://127.0.0.1:4566/")
    headers["authorization"] = headers["authorization"][:-1] + "é"
    with pytest.raises(ApiError):
        check(headers)
