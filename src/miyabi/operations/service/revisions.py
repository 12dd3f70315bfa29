"""Task definition revisions: what runs, what would differ, and how a new one is made from an old one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from miyabi.aws.errors import translated
from miyabi.model.errors import MiyabiError, NotFound
from miyabi.operations.execution.run import Run
from miyabi.operations.status import last_part

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import TaskDefinitionTypeDef

STEADY_TAG = "miyabi:steady"
"""On a revision: since when it has been known to run steadily."""

_ASKED = (
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "containerDefinitions",
    "volumes",
    "placementConstraints",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "pidMode",
    "ipcMode",
    "proxyConfiguration",
    "inferenceAccelerators",
    "ephemeralStorage",
    "runtimePlatform",
    "enableFaultInjection",
)
"""What RegisterTaskDefinition takes of what DescribeTaskDefinition answers."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A task definition."""

    arn: str
    name: str
    """`family:revision`."""
    image: str
    """Of the environment's container."""
    steady: bool
    """Whether it is tagged as one that ran steadily."""
    definition: TaskDefinitionTypeDef
    tags: Mapping[str, str]

    @property
    def number(self) -> int:
        """The revision's number in its family."""
        return int(self.name.rpartition(":")[2])

    @property
    def family(self) -> str:
        """The family's name."""
        return self.name.rpartition(":")[0]


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting that a deployment changes."""

    setting: str
    before: str
    after: str


def describe_revision(run: Run, name: str) -> Revision:
    """Describe a revision by ARN or `family:revision`. NotFound: it is not there, or lacks the container."""
    with translated(f"describing task definition '{last_part(name)}'"):
        answer = run.cloud.client("ecs").describe_task_definition(taskDefinition=name, include=["TAGS"])
    definition = answer["taskDefinition"]
    tags = {tag["key"]: tag.get("value", "") for tag in answer.get("tags", []) if "key" in tag}
    shown = last_part(definition["taskDefinitionArn"])
    container = run.environment.container
    names = [one.get("name", "") for one in definition.get("containerDefinitions", [])]
    if container not in names:
        raise NotFound(
            f"task definition '{shown}' has no container '{container}'",
            hint=f"It has: {', '.join(names)}; `container` in miyabi.toml says which one is deployed.",
        )
    image = definition["containerDefinitions"][names.index(container)].get("image", "")
    return Revision(definition["taskDefinitionArn"], shown, image, STEADY_TAG in tags, definition, tags)


def earlier_revisions(run: Run, running: Revision) -> list[str]:
    """Return the ARNs of the family's ACTIVE revisions before the one that runs, newest first."""
    with translated(f"listing the revisions of '{running.family}'"):
        pages = run.cloud.client("ecs").get_paginator("list_task_definitions")
        arns = [
            arn
            for page in pages.paginate(familyPrefix=running.family, status="ACTIVE", sort="DESC")
            for arn in page["taskDefinitionArns"]
        ]
    # A prefix may match other families too.
    own = [arn for arn in arns if last_part(arn).rpartition(":")[0] == running.family]
    return [arn for arn in own if int(arn.rpartition(":")[2]) < running.number]


def register_revision(run: Run, base: Revision, image: str) -> str:
    """Register a copy of a revision with another image for the environment's container; return its ARN."""
    given: dict[str, Any] = {key: value for key, value in base.definition.items() if key in _ASKED and value}
    given["containerDefinitions"] = [
        {**one, "image": image} if one.get("name") == run.environment.container else one
        for one in base.definition.get("containerDefinitions", [])
    ]
    tags = {key: value for key, value in base.tags.items() if key != STEADY_TAG and not key.startswith("aws:")}
    if tags:
        given["tags"] = [{"key": key, "value": value} for key, value in tags.items()]
    with translated(f"registering a revision of '{base.family}'"):
        answer = run.cloud.client("ecs").register_task_definition(**given)
    return answer["taskDefinition"]["taskDefinitionArn"]


def mark_steady(run: Run, arn: str) -> None:
    """Remember on a revision that it runs steadily: what a rollback may go back to."""
    value = f"{run.now():%Y-%m-%dT%H:%M:%SZ}"
    with translated(f"tagging task definition '{last_part(arn)}'"):
        run.cloud.client("ecs").tag_resource(resourceArn=arn, tags=[{"key": STEADY_TAG, "value": value}])


def withdraw(run: Run, arn: str) -> str | None:
    """Deregister a revision that failed, so that nobody starts from it; return what went wrong, if anything."""
    try:
        with translated(f"deregistering task definition '{last_part(arn)}'"):
            run.cloud.client("ecs").deregister_task_definition(taskDefinition=arn)
    except MiyabiError as error:
        return error.message
    return None


def differences(before: Revision, after: Revision) -> tuple[Difference, ...]:
    """Return what differs between two revisions: settings of the task, and of each container by name."""
    flat = [_flat(one.definition) for one in (before, after)]
    keys = dict.fromkeys([*flat[0], *flat[1]])
    return tuple(
        Difference(key, flat[0].get(key, "-"), flat[1].get(key, "-"))
        for key in keys
        if flat[0].get(key) != flat[1].get(key)
    )


def _flat(definition: TaskDefinitionTypeDef) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in _ASKED:
        value: Any = definition.get(key)
        if key == "containerDefinitions":
            for container in value or []:
                _flatten(f"{container.get('name')}", container, found)
        elif value:
            _flatten(key, value, found)
    return found


def _flatten(path: str, value: Any, into: dict[str, str]) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            _flatten(f"{path}.{key}", item, into)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            named = item.get("name") if isinstance(item, Mapping) else None
            _flatten(f"{path}[{named or number}]", item, into)
    else:
        into[path] = str(value)
