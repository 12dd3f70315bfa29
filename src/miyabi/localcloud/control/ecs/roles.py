"""The roles of a task at its start: each step of ECS that needs one, and how ECS words what the role may not.

What needs an execution role is not registered without one. Everything here runs on the worker thread.
Source: docs.aws.amazon.com, "Amazon ECS task execution IAM role", "Amazon ECS stopped tasks error messages"; most texts
are those that users of Fargate report; see docs/limits.md for those whose ends are ours.
"""

from __future__ import annotations

import secrets

from miyabi.localcloud.control.authorization import ExecutionRole, Principals, Refused
from miyabi.localcloud.control.ecs.launch import CannotStart, LogTarget, container_definition
from miyabi.localcloud.control.ecs.secrets_injection import SecretReference, parse_reference
from miyabi.localcloud.control.ecs.task_steps import Look
from miyabi.model.image import parse_reference as parse_image

_RETRIEVAL = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
)
_ONCE = "service call has been retried 1 time(s): "


def check_before_pull(principals: Principals, look: Look) -> None:
    """Raise `CannotStart` unless ECS can take the task's roles, sign in at ECR and read the secrets."""
    given = look.definition.definition
    for name in ("executionRoleArn", "taskRoleArn"):
        arn = given.get(name)
        if arn and not ExecutionRole(principals, arn, look.task.arn).can_be_assumed():
            raise CannotStart(
                f"ECS was unable to assume the role '{arn}' that was provided for this task. Please verify that the "
                "role being passed has the proper trust relationship and permissions and that your IAM user has "
                "permissions to pass this role."
            )
    role = _execution_role(principals, look)
    if role is None:
        return
    if any(parse_image(container.image) is not None for container in look.task.containers):
        _required(role, "ecr:GetAuthorizationToken", "*", f"{_RETRIEVAL}unable to retrieve ecr registry auth: {_ONCE}")
    for container in look.task.containers:
        for entry in container_definition(look.definition, container).get("secrets") or []:
            _check_secret(role, entry["valueFrom"], principals.account, look.region)


def _check_secret(role: ExecutionRole, value_from: str, account: str, region: str) -> None:
    reference = parse_reference(value_from, account=account, region=region)
    try:
        if isinstance(reference, SecretReference):
            words = (
                f"unable to retrieve secret from asm: {_ONCE}failed to fetch secret {reference.arn} "
                "from secrets manager: "
            )
            role.require_secret(reference.arn)
        else:
            words = f"unable to retrieve secrets from ssm: {_ONCE}"
            role.require_parameter(reference.name, reference.region)
    except Refused as error:
        raise CannotStart(f"{_RETRIEVAL}{words}{error}{_answered()}") from error


def check_pull(principals: Principals, look: Look, image: str) -> None:
    """Raise `CannotStart` unless the role may read the image's manifest and layers."""
    role, reference = _execution_role(principals, look), parse_image(image)
    if role is None or reference is None:
        return
    repository = f"arn:aws:ecr:{reference.region}:{reference.account}:repository/{reference.repository}"
    host = image.partition("/")[0]
    name = reference.digest or reference.tag
    try:
        role.require("ecr:BatchGetImage", repository)
    except Refused as error:
        raise CannotStart(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
            f"{image}: pulling from host {host} failed with status code [manifests {name}]: 403 Forbidden"
        ) from error
    try:
        role.require("ecr:GetDownloadUrlForLayer", repository)
    except Refused as error:
        raise CannotStart(
            f"CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReadSeeker: failed "
            f"open: unexpected status code https://{host}/v2/{reference.repository}/blobs/: 403 Forbidden"
        ) from error


def check_log_stream(principals: Principals, look: Look, target: LogTarget) -> None:
    """Raise `CannotStart` unless the role may make the log stream."""
    role = _execution_role(principals, look)
    if role is not None:
        words = "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
        _required(
            role,
            "logs:CreateLogStream",
            _stream_arn(principals, target),
            f"{words}failed to create Cloudwatch log stream: ",
        )


def may_put_events(principals: Principals, look: Look, target: LogTarget) -> bool:
    """Say whether the output may go to the stream. A task that may not starts all the same; its output is lost."""
    role = _execution_role(principals, look)
    if role is None:
        return True
    try:
        role.require("logs:PutLogEvents", _stream_arn(principals, target))
    except Refused:
        return False
    return True


def _execution_role(principals: Principals, look: Look) -> ExecutionRole | None:
    arn = look.definition.definition.get("executionRoleArn")
    return ExecutionRole(principals, arn, look.task.arn) if arn else None


def _required(role: ExecutionRole, action: str, resource: str, words: str) -> None:
    try:
        role.require(action, resource)
    except Refused as error:
        raise CannotStart(f"{words}{error}{_answered()}") from error


def _answered() -> str:
    """Return the end of an SDK's message: the request that was refused."""
    number = secrets.token_hex(16)
    return f" status code: 400, request id: {number[:8]}-{number[8:12]}-{number[12:16]}-{number[16:20]}-{number[20:]}"


def _stream_arn(principals: Principals, target: LogTarget) -> str:
    return f"arn:aws:logs:{target.region}:{principals.account}:log-group:{target.group}:log-stream:{target.stream}"
