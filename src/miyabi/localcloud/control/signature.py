"""AWS Signature Version 4: who signed a request, and whether the signature is right.

Source: docs.aws.amazon.com, "Create a signed AWS API request".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote

from miyabi.localcloud.control.service import ApiError

_SKEW = timedelta(minutes=15)
_UNRESERVED = "-_.~"


@dataclass(frozen=True, slots=True)
class Scope:
    """What the `Authorization` header says of itself."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str


def read_scope(authorization: str | None) -> Scope:
    """Return the parts of an `Authorization` header; `ApiError` where it is missing or not SigV4."""
    if not authorization:
        raise ApiError("MissingAuthenticationToken", "Missing Authentication Token")
    try:
        algorithm, _, rest = authorization.partition(" ")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        access_key, date, region, service, terminator = parts["Credential"].rsplit("/", 4)
        signed = tuple(parts["SignedHeaders"].split(";"))
        signature = parts["Signature"]
    except (KeyError, ValueError) as error:
        raise ApiError("IncompleteSignature", "Authorization header is not a Signature Version 4 header.") from error
    if algorithm != "AWS4-HMAC-SHA256" or terminator != "aws4_request":
        raise ApiError("IncompleteSignature", "Only AWS4-HMAC-SHA256 is answered.")
    return Scope(access_key, date, region, service.lower(), signed, signature)


def verify(
    scope: Scope,
    secret: str,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
) -> None:
    """Raise `ApiError` unless the signature is that of the secret.

    target: the raw request target, path and query. headers: names in lower case.
    """
    _require_signed(scope, headers)
    stamp = headers.get("x-amz-date", "")
    try:
        signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise ApiError("IncompleteSignature", "The request has no valid X-Amz-Date.") from error
    if abs(now - signed_at) > _SKEW or stamp[:8] != scope.date:
        raise ApiError("SignatureDoesNotMatch", f"Signature expired: {stamp} is not within 15 minutes of now.")
    path, _, query = target.partition("?")
    payload = _payload(scope, headers, body)
    canonical = "\n".join(
        [
            method,
            _canonical_path(path, scope.service),
            _canonical_query(query),
            "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in scope.signed_headers),
            ";".join(scope.signed_headers),
            payload,
        ]
    )
    credential = f"{scope.date}/{scope.region}/{scope.service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, credential, hashlib.sha256(canonical.encode()).hexdigest()])
    expected = hmac.new(_signing_key(secret, scope), text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), scope.signature.encode("utf-8", "replace")):
        raise ApiError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
        )


def _require_signed(scope: Scope, headers: Mapping[str, str]) -> None:
    """Raise `ApiError` where a header that AWS wants signed is sent without being signed."""
    wanted = {"host"} | {name for name in headers if name.startswith("x-amz-")}
    if scope.service != "s3" and "content-type" in headers:
        wanted.add("content-type")
    unsigned = sorted(wanted - set(scope.signed_headers))
    if unsigned:
        raise ApiError("SignatureDoesNotMatch", f"'{unsigned[0]}' must be a signed header in the request.")


def _payload(scope: Scope, headers: Mapping[str, str], body: bytes) -> str:
    """Return what stands for the body in the signature: its hash, or for S3 what says that it has none."""
    actual = hashlib.sha256(body).hexdigest()
    said = headers.get("x-amz-content-sha256", actual)
    if scope.service == "s3" and (said == "UNSIGNED-PAYLOAD" or said.startswith("STREAMING-")):
        return said
    if said != actual:
        raise ApiError("SignatureDoesNotMatch", "The body is not the one that was signed.")
    return said


def _signing_key(secret: str, scope: Scope) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in (scope.date, scope.region, scope.service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _canonical_path(path: str, service: str) -> str:
    if service == "s3":
        return quote(unquote(path), safe="/" + _UNRESERVED) or "/"
    return quote(path, safe="/" + _UNRESERVED) or "/"


def _canonical_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    encoded = sorted((quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED)) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)
