"""The accesses that a request needs: each action on each resource, and the roles that it passes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from miyabi.localcloud.control.authorization.actions import action_of
from miyabi.localcloud.control.authorization.parameters import prepared
from miyabi.localcloud.control.authorization.resources import Params, Place, filled, resources_of
from miyabi.policy.iam import Access
from miyabi.policy.iam.patterns import Context

RolesOf = Callable[[str, str], tuple[str, ...]]
"""(region, task definition) -> the ARNs of its roles."""

_TABLE = "arn:aws:dynamodb:{region}:{account}:table/{TableName}"
_TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
_TRANSACTED |= {"Get": "GetItem"}
_PASSED = {
    ("ecs", "RegisterTaskDefinition"): ("ecs-tasks", ("taskRoleArn", "executionRoleArn")),
    ("ecs", "RunTask"): ("ecs-tasks", ("overrides.taskRoleArn", "overrides.executionRoleArn")),
    ("ecs", "StartTask"): ("ecs-tasks", ("overrides.taskRoleArn", "overrides.executionRoleArn")),
    ("ecs", "CreateService"): ("ecs", ("role",)),
    ("rds", "CreateDBInstance"): ("monitoring.rds", ("MonitoringRoleArn",)),
    ("rds", "ModifyDBInstance"): ("monitoring.rds", ("MonitoringRoleArn",)),
    ("application-autoscaling", "RegisterScalableTarget"): ("application-autoscaling", ("RoleARN",)),
    ("events", "PutTargets"): ("events", ("Targets.RoleArn",)),
    ("events", "PutRule"): ("events", ("RoleArn",)),
    ("lambda", "CreateFunction"): ("lambda", ("Role",)),
    ("lambda", "UpdateFunctionConfiguration"): ("lambda", ("Role",)),
    ("logs", "PutSubscriptionFilter"): ("logs", ("roleArn",)),
    ("states", "CreateStateMachine"): ("states", ("roleArn",)),
    ("states", "UpdateStateMachine"): ("states", ("roleArn",)),
    ("ec2", "CreateFlowLogs"): ("vpc-flow-logs", ("DeliverLogsPermissionArn",)),
}
"""Where a request passes a role: to which service, in which parameters."""


def accesses_of(service: str, operation: str, given: Params, place: Place, roles_of: RolesOf) -> Iterator[Access]:
    """Yield what must be allowed for the request to run.

    service: the signing name. given: the request's parameters. Each access has the condition keys of the request.
    """
    params = prepared(service, operation, given, place)
    context = request_context(service, params, place)
    if service == "dynamodb" and operation.startswith("Transact"):
        yield from _transacted(params, place, context)
        return
    action = action_of(service, operation, params)
    for resource in resources_of(service, operation, params, place):
        yield Access(action, resource, context)
    if service == "dynamodb" and isinstance(params.get("IndexName"), str):
        for table in resources_of(service, operation, params, place):
            yield Access(action, f"{table}/index/{params['IndexName']}", context)
    if service == "s3" and operation in {"CopyObject", "UploadPartCopy"}:
        source = str(params.get("x-amz-copy-source") or "").removeprefix("/").partition("?")[0]
        yield Access("s3:GetObject", f"arn:aws:s3:::{source}", context)
    yield from _passed(service, operation, params, place, context, roles_of)


def _transacted(params: Params, place: Place, context: Context) -> Iterator[Access]:
    for item in params.get("TransactItems") or []:
        for kind, about in item.items():
            for table in filled(_TABLE, about or {}, place):
                yield Access(f"dynamodb:{_TRANSACTED.get(kind, kind)}", table, context)


def _passed(
    service: str, operation: str, params: Params, place: Place, context: Context, roles_of: RolesOf
) -> Iterator[Access]:
    to, members = _PASSED.get((service, operation), ("", ()))
    given = [value for member in members for value in _nested(params, member.split("."))]
    if operation in {"RunTask", "StartTask"} and service == "ecs":
        given += roles_of(place.region, str(params.get("taskDefinition") or "").removesuffix(":*"))
    for role in dict.fromkeys(given):
        arn = role if role.startswith("arn:") else f"arn:aws:iam::{place.account}:role/{role}"
        yield Access("iam:PassRole", arn, {**context, "iam:passedtoservice": (f"{to}.amazonaws.com",)})


def _nested(value: Any, path: list[str]) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _nested(item, path)
    elif not path:
        if isinstance(value, str) and value:
            yield value
    elif isinstance(value, dict):
        yield from _nested(value.get(path[0]), path[1:])


def request_context(service: str, params: Params, place: Place) -> dict[str, tuple[str, ...]]:
    """Return the condition keys that a request's parameters give."""
    context: dict[str, tuple[str, ...]] = {
        "aws:requestedregion": (place.region,),
        "aws:resourceaccount": (place.account,),
        "aws:securetransport": ("true",),
        "aws:viaawsservice": ("false",),
    }
    tags = dict(_tags(params))
    keys = [*tags, *(params.get("tagKeys") or params.get("TagKeys") or [])]
    if keys:
        context["aws:tagkeys"] = tuple(str(key) for key in keys)
    for key, value in tags.items():
        context[f"aws:requesttag/{key.lower()}"] = (value,)
    if service == "ecs" and isinstance(params.get("cluster"), str):
        cluster = params["cluster"].rpartition("/")[2]
        context["ecs:cluster"] = (f"arn:aws:ecs:{place.region}:{place.account}:cluster/{cluster}",)
    for service_name, member, key in _KEYS:
        if service == service_name and isinstance(params.get(member), str):
            context[key] = (params[member],)
    return context


_KEYS = (
    ("application-autoscaling", "ScalableDimension", "application-autoscaling:scalable-dimension"),
    ("application-autoscaling", "ServiceNamespace", "application-autoscaling:service-namespace"),
    ("monitoring", "Namespace", "cloudwatch:namespace"),
    ("s3", "prefix", "s3:prefix"),
    ("s3", "delimiter", "s3:delimiter"),
    ("s3", "max-keys", "s3:max-keys"),
    ("sts", "ExternalId", "sts:externalid"),
    ("sts", "RoleSessionName", "sts:rolesessionname"),
)
"""Signing name, parameter, condition key."""


def _tags(params: Params) -> Iterator[tuple[str, str]]:
    given = params.get("tags") or params.get("Tags") or ()
    if isinstance(given, dict):
        yield from ((str(key), str(value)) for key, value in given.items())
        return
    for tag in given:
        if isinstance(tag, dict):
            key = tag.get("key", tag.get("Key", tag.get("TagKey")))
            value = tag.get("value", tag.get("Value", tag.get("TagValue")))
            if key is not None:
                yield str(key), str(value or "")
