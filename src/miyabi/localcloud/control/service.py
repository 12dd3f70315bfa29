"""A live service: an object whose methods are the API's operations.

moto's parser, driven by botocore's model, turns a request into parameters; the method returns a dict in the shape of
botocore's output (times as aware datetimes); moto's serialiser writes it in the protocol that the client spoke. So the
same method answers Query and JSON clients, and errors get the status that the model gives their code.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import ClassVar

from botocore import xform_name
from botocore.model import OperationNotFoundError
from moto.core.exceptions import ServiceException
from moto.core.model import OperationModel, ServiceModel
from moto.core.request import Request, determine_request_protocol
from moto.core.serialize import SerializationContext, get_serializer_class
from moto.core.utils import get_service_model

from miyabi.localcloud.control.api_error import Answer, ApiError, Params, Result
from miyabi.localcloud.control.json_answer import json_answer
from miyabi.localcloud.control.validation import parse

__all__ = ["Answer", "ApiError", "Caller", "LiveService", "Params", "Result", "answer", "operation_of", "service_model"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, where, and when."""

    account: str
    region: str
    access_key: str
    now: datetime


class LiveService:
    """Base of the live services: a subclass defines one method per operation, in snake case.

    `def describe_clusters(self, caller: Caller, params: Params) -> Result`. Operations without a method answer
    `UnsupportedOperation`, which names them.
    """

    name: ClassVar[str]
    """botocore's service name: `ecs`, `elbv2`, `logs`."""
    whole: ClassVar[bool] = True
    """False where stock moto answers the operations that the class does not define."""
    large: ClassVar[bool] = False
    """True where answers have thousands of members."""


@cache
def service_model(name: str) -> ServiceModel:
    """Return botocore's model of a service, in moto's classes."""
    return get_service_model(name)


def operation_of(request: Request) -> str:
    """Return the operation that the request names: `X-Amz-Target` or the Query parameter `Action`."""
    target = request.headers.get("X-Amz-Target")
    if target:
        return str(target).rsplit(".", 1)[-1]
    return str(request.values.get("Action", ""))


def answer(service: LiveService, request: Request, caller: Caller, request_id: str) -> Answer:
    """Run one request against a live service and return status, headers and body."""
    model = service_model(service.name)
    operation = operation_of(request)
    try:
        protocol = determine_request_protocol(model, request.content_type)
    except NotImplementedError as error:
        raise ApiError("UnsupportedOperation", str(error)) from error
    result: Result | Exception
    try:
        operation_model = model.operation_model(operation)
        method = getattr(service, xform_name(operation), None)
        if method is None:
            raise ApiError("UnsupportedOperation", f"The local cloud does not offer {service.name}:{operation} yet.")
        result = method(caller, parse(operation_model, protocol, request))
    except OperationNotFoundError:
        operation_model = OperationModel({}, model)
        result = ApiError("InvalidAction", f"The action {operation or '(none)'} is not valid for {service.name}.")
    except ServiceException as error:
        result = error
    if service.large and protocol == "json" and not isinstance(result, Exception):
        content_type = f"application/x-amz-json-{model.metadata.get('jsonVersion', '1.0')}"
        headers = {"Content-Type": content_type, "x-amzn-RequestId": request_id}
        return 200, headers, json_answer(operation_model, result)
    context = SerializationContext(request_id=request_id)
    serializer = get_serializer_class(service.name, protocol)(operation_model, context=context)
    with warnings.catch_warnings():
        # Codes such as AccessDenied are AWS's, but in no service's model.
        warnings.filterwarnings("ignore", message=".*does not match an error shape")
        response = serializer.serialize(result)
    body = response["body"]
    headers = {str(name): str(value) for name, value in response["headers"].items()}
    headers["x-amzn-RequestId"] = request_id
    return int(response["status_code"]), headers, body if isinstance(body, bytes) else body.encode()
