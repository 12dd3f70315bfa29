"""What changes of the service share: the count, a new deployment, tags, and waiting for the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from miyabi.aws.errors import translated
from miyabi.aws.waiting import Pending
from miyabi.model.errors import Conflict
from miyabi.operations.execution.run import DryRunEnds, Run
from miyabi.operations.service.found import FoundService, find_service
from miyabi.operations.status import EnvironmentStatus
from miyabi.operations.steady import wait_until_steady

STEADY = (
    "ecs:DescribeClusters",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ecs:DescribeTasks",
    "ecs:ListTasks",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "logs:GetLogEvents",
    "ssm:GetParameter",
)
"""Permissions of `until_steady`: it also says why tasks failed."""


def until_steady(run: Run, deadline: timedelta, *, task_definition: str | None = None) -> EnvironmentStatus:
    """Wait until the service is steady: see `miyabi.operations.steady`. It ends a dry run."""
    what = f"service '{run.environment.service}' to be steady"
    if run.dry:
        raise DryRunEnds(what)
    run.phase = f"waiting for {what}"
    return wait_until_steady(
        run.cloud,
        run.environment,
        deadline,
        run.reporter.progress,
        task_definition=task_definition,
        clock=run.clock,
        sleep=run.sleep,
    )


def until_no_deployment(run: Run, found: FoundService, deadline: timedelta) -> FoundService:
    """Wait until no deployment is under way."""

    def look() -> FoundService | Pending:
        now = find_service(run)
        return Pending(describe_deployment(now)) if now.deploying else now

    if not found.deploying:
        return found
    return run.wait_for(f"the deployment of service '{found.status.name}' to end", look, deadline=deadline)


def refuse_during_deployment(found: FoundService, what: str) -> None:
    """Raise Conflict where a deployment is under way."""
    if found.deploying:
        raise Conflict(
            f"service '{found.status.name}' is being deployed ({describe_deployment(found)}): {what} would disturb it",
            hint="`miyabi service wait` waits for its end, `miyabi service status` shows it.",
        )


def describe_deployment(found: FoundService) -> str:
    """Say in a few words how the deployment stands."""
    primary = found.status.deployments[0]
    return f"{primary.task_definition}, {primary.running_count} of {primary.desired_count} tasks run"


def update_service(run: Run, **changes: Any) -> Mapping[str, Any]:
    """Call UpdateService; return the service as ECS answers it."""
    names = run.environment
    with translated(f"updating service '{names.service}'"):
        answer = run.cloud.client("ecs").update_service(cluster=names.cluster, service=names.service, **changes)
    return answer["service"]


def remember(run: Run, found: FoundService, tags: Mapping[str, str]) -> None:
    """Write tags on the service."""
    with translated(f"tagging service '{found.status.name}'"):
        run.cloud.client("ecs").tag_resource(
            resourceArn=found.arn, tags=[{"key": key, "value": value} for key, value in tags.items()]
        )


def forget(run: Run, found: FoundService, keys: Iterable[str]) -> None:
    """Remove tags from the service."""
    with translated(f"untagging service '{found.status.name}'"):
        run.cloud.client("ecs").untag_resource(resourceArn=found.arn, tagKeys=list(keys))
