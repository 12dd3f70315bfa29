"""What a request asks for: the service's model, the protocol, the operation, and whether it only reads."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

from botocore.exceptions import UnknownServiceError
from moto.core.model import ServiceModel
from moto.core.request import Request
from moto.core.utils import get_service_model

from miyabi.localcloud.control.api_error import ApiError
from miyabi.localcloud.control.service import operation_of
from miyabi.localcloud.control.validation import json_object

_MODELS = {
    "airflow": ("mwaa",),
    "aps": ("amp",),
    "dynamodb": ("dynamodb", "dynamodbstreams"),
    "elasticfilesystem": ("efs",),
    "elasticloadbalancing": ("elbv2", "elb"),
    "elasticmapreduce": ("emr",),
    "email": ("ses", "sesv2"),
    "iotdata": ("iot-data",),
    "monitoring": ("cloudwatch",),
    "sso": ("sso-admin",),
    "states": ("stepfunctions",),
    "tagging": ("resourcegroupstaggingapi",),
}
"""botocore's services of the signing names that differ from them."""
_READS = (
    "BatchCheck",
    "BatchGet",
    "Describe",
    "ExportCertificate",
    "Filter",
    "Get",
    "Head",
    "List",
    "Lookup",
    "Query",
    "Scan",
    "Search",
    "Simulate",
    "TransactGet",
    "Validate",
)
_KMS_READS = ("Decrypt", "DeriveSharedSecret", "Encrypt", "Generate", "ReEncrypt", "Sign", "Verify")
"""KMS: ciphertext and signatures are given out, not kept."""
_CHANGES = {("cognito-identity", "GetId")}
"""Operations that change something although their first word says otherwise."""
_INVOCATION = "amz-sdk-invocation-id"


@dataclass(frozen=True, slots=True)
class Call:
    """One request's meaning."""

    service: str
    """As in the signature's scope."""
    protocol: str
    """`json`, `query`, `ec2`, `rest-json`, `rest-xml`."""
    operation: str
    """Empty for REST services, where method and path say it."""
    method: str
    known: bool
    """False where the service's model has no such operation."""

    @property
    def is_read(self) -> bool:
        """Say whether it changes nothing: by the operation's verb, for REST by the method."""
        if self.protocol.startswith("rest"):
            return self.method in {"GET", "HEAD", "OPTIONS"}
        if (self.service, self.operation) in _CHANGES:
            return False
        return self.operation.startswith(_READS + _KMS_READS if self.service == "kms" else _READS)


def call_of(request: Request, service: str) -> Call:
    """Return what the request asks of the service that it is signed for."""
    target = str(request.headers.get("X-Amz-Target", ""))
    models = models_of(service)
    protocol = _protocol(models, target, str(request.content_type or ""))
    if protocol.startswith("rest"):
        return Call(service, protocol, "", request.method, known=True)
    operation = operation_of(request)
    if protocol == "json":
        prefix = target.rpartition(".")[0]
        matching = [model for model in models if model.metadata.get("targetPrefix") == prefix]
    else:
        matching = list(models)
    known = not models or any(operation in model.operation_names for model in matching)
    return Call(service, protocol, operation, request.method, known=known and bool(operation))


@cache
def models_of(service: str) -> tuple[ServiceModel, ...]:
    """Return botocore's models of the services that sign as `service`; none where it knows none."""
    found = []
    for name in _MODELS.get(service, (service,)):
        try:
            found.append(get_service_model(name))
        except UnknownServiceError:
            continue
    return tuple(found)


def _protocol(models: tuple[ServiceModel, ...], target: str, content_type: str) -> str:
    if not models:
        form = content_type.startswith("application/x-www-form-urlencoded")
        return "json" if target else "query" if form else "rest-json"
    metadata = models[0].metadata
    offered = metadata.get("protocols", [metadata["protocol"]])
    if target and "json" in offered:
        return "json"
    for protocol in ("ec2", "query"):
        if protocol in offered:
            return protocol
    return str(metadata["protocol"])


def refuse_malformed(call: Call, body: bytes) -> None:
    """Raise `ApiError` where the operation is unknown, or the body of a JSON request is not an object."""
    if not call.known:
        code = "UnknownOperationException" if call.protocol == "json" else "InvalidAction"
        raise ApiError(code, f"The action {call.operation or '(none)'} is not valid for {call.service}.")
    if call.protocol == "json":
        json_object(body)


def retry_key(invocation: str, service: str, region: str, target: str, body: bytes) -> str:
    """Return what the retries of one request share, and no other request has; empty where the client sends no id."""
    if not invocation:
        return ""
    digest = hashlib.sha256(f"{service}\n{region}\n{target}\n".encode() + body).hexdigest()
    return f"{invocation} {digest}"


def invocation_of(request: Request) -> str:
    """Return the id that an SDK gives a request and all its retries."""
    return str(request.headers.get(_INVOCATION, ""))
