"""What AWS's errors mean to the caller: the one place that knows their codes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from miyabi.model.errors import (
    Conflict,
    Denied,
    Failed,
    Internal,
    InvalidInput,
    MiyabiError,
    NotFound,
    Unavailable,
)

_Kind = type[MiyabiError]

_SIGN_IN = "check the profile and its credentials: aws sts get-caller-identity"
_REACH = "check the network and the endpoint, then try again"
_WAIT = "wait a moment, then try again"

# Codes that their wording would put into the wrong class; everything else goes by the words below.
_CODES: dict[str, _Kind] = {
    "AuthFailure": Denied,
    "ClientException": InvalidInput,
    "ConditionalCheckFailedException": Conflict,
    "DeleteConflict": Conflict,
    "DependencyViolation": Conflict,
    "ExpiredToken": Denied,
    "ExpiredTokenException": Denied,
    "IncompleteSignature": Denied,
    "InternalFailure": Unavailable,
    "InvalidAccessKeyId": Denied,
    "InvalidClientTokenId": Denied,
    "InvalidSignatureException": Denied,
    "InvalidToken": Denied,
    "MissingAuthenticationToken": Denied,
    "MissingAuthenticationTokenException": Denied,
    "NoSuchEntity": NotFound,
    "OperationAbortedException": Conflict,
    "OptInRequired": Denied,
    "RequestExpired": Denied,
    "ServerException": Unavailable,
    "ServiceNotActiveException": Conflict,
    "SignatureDoesNotMatch": Denied,
    "TargetNotConnectedException": Unavailable,
    "UnauthorizedOperation": Denied,
    "UnrecognizedClientException": Denied,
    "UpdateInProgressException": Conflict,
}

# Tried in this order: "InvalidSubnetID.NotFound" is not found, "InvalidParameterException" is invalid.
_WORDS: tuple[tuple[tuple[str, ...], _Kind], ...] = (
    (("NotFound", "NoSuch", "DoesNotExist"), NotFound),
    (("AccessDenied", "Unauthorized", "Forbidden", "NotAuthorized"), Denied),
    (("Throttl", "TooManyRequests", "LimitExceededRequest", "RequestLimitExceeded", "SlowDown"), Unavailable),
    (("Unavailable", "InternalError", "InternalServer", "Timeout", "TimedOut"), Unavailable),
    (
        (
            "AlreadyExist",
            "Duplicate",
            "InUse",
            "Conflict",
            "ConcurrentModification",
            "LimitExceeded",
            "Quota",
        ),
        Conflict,
    ),
    (
        ("Invalid", "Validation", "Malformed", "Missing", "Unsupported", "NotSupported", "Parameter"),
        InvalidInput,
    ),
)


@contextlib.contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn botocore's errors into ours, chained: `with translated("describing service 'api'"):`, or decorate.

    Raises NotFound, Denied, Conflict, InvalidInput, Unavailable, or Failed for a code that none of them fits.
    """
    try:
        yield
    except MiyabiError:
        raise
    except Exception as error:
        ours = translate(error, doing)
        if ours is None:
            raise
        raise ours from error


def translate(error: Exception, doing: str) -> MiyabiError | None:
    """Return our error for one of botocore's, or None where it is not botocore's."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see the package's docstring

    if isinstance(error, ClientError):
        return _answered(error.response, doing)
    if isinstance(error, BotoCoreError):
        return _unanswered(error, doing)
    return None


def kind_of(code: str, status: int = 400) -> _Kind:
    """Return the class of error that an error code of AWS stands for."""
    # SQS and IAM write AWS.Something.Code, EC2 InvalidVpcID.NotFound: the words may be in any part.
    if code in _CODES:
        return _CODES[code]
    for words, kind in _WORDS:
        if any(word in code for word in words):
            return kind
    return Unavailable if status >= 500 else Failed


def _answered(response: Any, doing: str) -> MiyabiError:
    code = str(response.get("Error", {}).get("Code", "Unknown"))
    text = " ".join(str(response.get("Error", {}).get("Message", "")).split()) or "no reason given"
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
    kind = kind_of(code, status)
    hint = {Unavailable: _WAIT, Denied: _denied_hint(code)}.get(kind)
    return kind(f"{doing}: {text} ({code})", hint=hint)


def _denied_hint(code: str) -> str:
    if "AccessDenied" in code or code == "UnauthorizedOperation":
        return "the credentials are valid but may not do this: ask for the permission that the message names"
    return _SIGN_IN


def _unanswered(error: Exception, doing: str) -> MiyabiError:
    import botocore.exceptions as botocore_errors  # noqa: PLC0415

    text = " ".join(str(error).split()).rstrip(".")
    credentials = (
        botocore_errors.NoCredentialsError,
        botocore_errors.PartialCredentialsError,
        botocore_errors.CredentialRetrievalError,
        botocore_errors.ProfileNotFound,
        botocore_errors.SSOError,
        botocore_errors.TokenRetrievalError,
    )
    if isinstance(error, credentials):
        return Denied(f"{doing}: {text}", hint=_SIGN_IN)
    if isinstance(error, botocore_errors.ConnectionError | botocore_errors.HTTPClientError):
        return Unavailable(f"{doing}: {text}", hint=_REACH)
    invalid = (
        botocore_errors.ParamValidationError,
        botocore_errors.NoRegionError,
        botocore_errors.InvalidRegionError,
        botocore_errors.InvalidConfigError,
        botocore_errors.ConfigParseError,
    )
    if isinstance(error, invalid):
        return InvalidInput(f"{doing}: {text}")
    return Internal(f"{doing}: {type(error).__name__}: {text}")
