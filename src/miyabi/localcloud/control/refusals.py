"""Errors in the words of each protocol, where no model's serialiser writes them."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

import msgspec

from miyabi.localcloud.control.calls import models_of
from miyabi.localcloud.control.service import Answer, ApiError
from miyabi.localcloud.control.signature import read_scope

_STATUSES = {
    "AccessDenied": 403,
    "AuthorizationError": 403,
    "ExpiredToken": 403,
    "IncompleteSignature": 403,
    "InternalFailure": 500,
    "InvalidClientTokenId": 403,
    "MissingAuthenticationToken": 403,
    "RequestEntityTooLarge": 413,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "UnauthorizedOperation": 403,
    "UnknownPath": 404,
}


def refusal(protocol: str, code: str, message: str, request_id: str) -> Answer:
    """Return an error; its status is 400 unless the code has another."""
    status = _STATUSES.get(code, 400)
    if "json" in protocol:
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amzn-Errortype": code}
        return status, headers, msgspec.json.encode({"__type": code, "message": message})
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if protocol == "ec2":
        text = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    elif protocol == "s3":
        text = f"<Error>{error}<RequestId>{request_id}</RequestId></Error>"
    else:
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>{request_id}</RequestId>"
            "</ErrorResponse>"
        )
    return status, {"Content-Type": "text/xml"}, text.encode()


def wording(service: str, protocol: str) -> str:
    """Return the protocol in which a service words its errors."""
    return "s3" if service == "s3" else protocol


def protocol_seen(headers: Mapping[str, str]) -> str:
    """Return the protocol that a client seems to speak, whatever its request is worth."""
    if "json" in headers.get("content-type", ""):
        return "json"
    try:
        service = read_scope(headers.get("authorization")).service
    except ApiError:
        return "query"
    models = models_of(service)
    return wording(service, str(models[0].metadata["protocol"]) if models else "query")
