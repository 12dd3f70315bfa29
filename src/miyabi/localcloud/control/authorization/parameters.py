"""A request's parameters as the templates of its resources want them."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from moto.core.exceptions import ServiceException
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.secretsmanager.models import secretsmanager_backends

from miyabi.localcloud.control.authorization.operations import rest_operation
from miyabi.localcloud.control.authorization.resources import Params, Place
from miyabi.localcloud.control.calls import Call, models_of
from miyabi.localcloud.control.service import ApiError

_KEYS = re.compile(r"<Key\s*>([^<]*)</Key\s*>")
_VERSION_SUFFIX = re.compile(r":[^:/]+$")


def operation_and_parameters(call: Call, request: Request, headers: Mapping[str, str]) -> tuple[str, Params]:
    """Return what a request asks for.

    Raises `ApiError` SerializationException for parameters that cannot be read: what is run must be what was judged.
    """
    if call.protocol.startswith("rest"):
        target = str(request.environ["RAW_URI"])
        operation, params = rest_operation(call.service, call.method, target, headers)
        return operation, _json_body(call, request.data) | params
    for model in models_of(call.service):
        if call.operation in model.operation_names:
            parser = PROTOCOL_PARSERS[call.protocol](model.operation_model(call.operation), map_type=dict)
            try:
                given: Any = {"method": request.method, "values": request.values, "headers": request.headers}
                given |= {"body": request.data, "url_path": request.path, "url_params": {}}
                return call.operation, dict(parser.parse(given))
            except (ValueError, TypeError, AttributeError, OverflowError) as error:
                raise ApiError("SerializationException", f"A parameter cannot be read: {error}") from error
    return call.operation, {}


def _json_body(call: Call, body: bytes) -> Params:
    if call.service == "s3":
        return _keys(body) if call.method == "POST" else {}
    if not body.lstrip().startswith(b"{"):
        return {}
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError("SerializationException", f"The body is not a JSON object: {error}") from error


def _keys(body: bytes) -> Params:
    """Return the keys that DeleteObjects names; XML that could say them in another way is refused."""
    text = body.decode("utf-8", "replace")
    if "<Key" not in text:
        return {}
    if "<!" in text:
        raise ApiError("MalformedXML", "The XML you provided was not well-formed.")
    return {"Keys": [html.unescape(key) for key in _KEYS.findall(text)]}


def prepared(service: str, operation: str, params: Params, place: Place) -> Params:
    """Return the parameters with names as ARNs have them: paths, suffixes, what a URL or an alias stands for."""
    changed: Params
    match service:
        case "ssm":
            changed = {name: _parameter_names(params[name]) for name in ("Name", "Names", "Path") if name in params}
            if params.get("ResourceType") == "Parameter":
                changed["ResourceId"] = _parameter_names(params.get("ResourceId"))
        case "sqs":
            changed = {"Queue": str(params.get("QueueUrl") or "").rstrip("/").rpartition("/")[2]}
        case "sns" if "SubscriptionArn" in params:
            changed = {"TopicArn": str(params["SubscriptionArn"]).rpartition(":")[0]}
        case "secretsmanager" if operation != "CreateSecret" and params.get("SecretId"):
            changed = {"SecretId": _secret_arn(str(params["SecretId"]), place)}
        case "iam":
            changed = _paths(params, place)
        case "kms" if str(params.get("KeyId") or "").find("alias/") >= 0:
            changed = {"KeyId": _key(str(params["KeyId"]), place)}
        case "ecs" if operation in {"RunTask", "StartTask"}:
            changed = {"taskDefinition": _revision(str(params.get("taskDefinition") or ""))}
        case _:
            return params
    return params | changed


def _revision(task_definition: str) -> str:
    """Return the name with a revision; a family stands for its newest one, whichever that will be."""
    return task_definition if ":" in task_definition.rpartition("/")[2] else f"{task_definition}:*"


def _parameter_names(given: Any) -> Any:
    if isinstance(given, list):
        return [_parameter_names(name) for name in given]
    if not isinstance(given, str) or given.startswith("arn:"):
        return given
    return _VERSION_SUFFIX.sub("", given).removeprefix("/")


def _secret_arn(secret_id: str, place: Place) -> str:
    backend = backend_of(secretsmanager_backends, place.account, place.region)
    found = backend.secrets.get(secret_id) if backend is not None else None
    return str(found.arn) if found is not None else secret_id


def _key(key_id: str, place: Place) -> str:
    backend = backend_of(kms_backends, place.account, place.region)
    alias = "alias/" + key_id.partition("alias/")[2]
    held = backend.keys.values() if backend is not None else ()
    return next((str(key.id) for key in held if alias in key.aliases), alias)


def _paths(params: Params, place: Place) -> Params:
    """Return the names of roles and users with their paths, where these exist."""
    backend = backend_of(iam_backends, place.account, "aws")
    changed: Params = {}
    for member, find in (("RoleName", "get_role"), ("UserName", "get_user")):
        name = params.get(member)
        if isinstance(name, str) and backend is not None:
            try:
                changed[member] = str(getattr(backend, find)(name).arn).split("/", 1)[1]
            except ServiceException:
                changed[member] = f"{params.get('Path') or '/'}{name}".removeprefix("/")
    return changed


def backend_of(backends: Any, account: str, region: str) -> Any:
    """Return a backend that exists, else None: to make one here would change what a replay makes."""
    regions = dict.get(backends, account) or {}
    return dict.get(regions, region)
