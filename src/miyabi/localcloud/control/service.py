"""A live service: an object whose methods are the API's operations.

moto's parser, driven by botocore's model, turns a request into parameters; the method returns a dict in the shape of
botocore's output (times as aware datetimes); moto's serialiser writes it in the protocol that the client spoke. So the
same method answers Query and JSON clients, and errors get the status that the model gives their code.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, ClassVar

from botocore import xform_name
from botocore.model import OperationNotFoundError
from moto.core.exceptions import ServiceException
from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.serialize import SerializationContext, get_serializer_class
from moto.core.utils import get_service_model

log = logging.getLogger(__name__)

Params = dict[str, Any]
Result = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]


class ApiError(ServiceException):
    """An answer that AWS would give: `ApiError("ClusterNotFoundException", "Cluster not found.")`.

    The code is the one on the wire (for Query services without the "Exception" or "Fault" suffix of the shape's
    name); the HTTP status comes from botocore's model.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)


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
    protocol = determine_request_protocol(model, request.content_type)
    result: Result | Exception
    try:
        operation_model = model.operation_model(operation)
        method = getattr(service, xform_name(operation), None)
        if method is None:
            raise ApiError("UnsupportedOperation", f"The local cloud does not offer {service.name}:{operation} yet.")
        parser = PROTOCOL_PARSERS[protocol](operation_model, map_type=dict)
        params = parser.parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.data,
                "url_path": request.path,
                "url_params": {},
            }
        )
        _require(operation_model, params)
        result = method(caller, params)
    except OperationNotFoundError:
        operation_model = OperationModel({}, model)
        result = ApiError("InvalidAction", f"The action {operation or '(none)'} is not valid for {service.name}.")
    except ServiceException as error:
        result = error
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


def _require(operation_model: OperationModel, params: Params) -> None:
    shape = operation_model.input_shape
    missing = [name for name in getattr(shape, "required_members", []) if params.get(name) is None]
    if missing:
        code = "ValidationError" if operation_model.service_model.protocol == "query" else "InvalidParameterException"
        raise ApiError(code, f"The request must contain the parameter {missing[0]}.")
