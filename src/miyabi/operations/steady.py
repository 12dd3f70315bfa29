"""Waiting until a service is steady, and the verdict when it will not be."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from miyabi.aws.clients import Cloud
from miyabi.aws.waiting import Pending, Report, wait_for
from miyabi.model.errors import Failed, NotFound, Unavailable
from miyabi.operations.status import (
    DeploymentStatus,
    EnvironmentNames,
    EnvironmentStatus,
    ServiceStatus,
    describe_environment,
)
from miyabi.operations.stopped_tasks import StoppedTask, explain, last_words, stopped_tasks
from miyabi.operations.verdict import is_rollback, judge

_FEWEST_FAILURES = 3
"""As many failed tasks as ECS's circuit breaker wants at least before it calls a deployment failed."""


def wait_until_steady(
    cloud: Cloud,
    names: EnvironmentNames,
    deadline: timedelta,
    progress: Report | None = None,
    *,
    task_definition: str | None = None,
    step: timedelta = timedelta(seconds=1),
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> EnvironmentStatus:
    """Wait until the desired tasks run, the rollout is complete and the targets are healthy.

    task_definition: the `family:revision` that must run in the end; None accepts whichever does.
    Raises Failed when the deployment fails, is rolled back or its tasks keep stopping, with the reason and
    the last log lines; Unavailable when the deadline passes and nothing failed; NotFound without the service.
    """
    watch = _Watch(cloud, names)
    try:
        status = wait_for(
            f"service '{names.service}' to be steady",
            watch.look,
            deadline=deadline,
            step=step,
            progress=progress,
            clock=clock,
            sleep=sleep,
        )
    except Unavailable as error:
        failures = watch.failures_if_answered()
        if not failures:
            raise
        raise watch.verdict(f"is not steady after {deadline.total_seconds():.0f} s", failures) from error
    running = status.service.deployments[0].task_definition if status.service else None
    if task_definition not in {None, running}:
        raise watch.verdict(f"is steady, but with {running} and not with {task_definition}", ())
    return status


def what_is_missing(service: ServiceStatus, status: EnvironmentStatus) -> str | None:
    """Say what still keeps the service from being steady; None where nothing does."""
    parts = []
    if service.status != "ACTIVE":
        parts.append(f"the service is {service.status}")
    if service.running_count != service.desired_count or service.pending_count:
        parts.append(f"{service.running_count} of {service.desired_count} tasks run")
    if not service.deployments:
        parts.append("there is no deployment yet")
    elif len(service.deployments) > 1:
        parts.append("the previous deployment still has tasks")
    elif service.deployments[0].rollout_state not in {"COMPLETED", None}:
        parts.append("the rollout is not complete")
    if status.target_group is not None and status.healthy_targets < service.desired_count:
        parts.append(f"{status.healthy_targets} of {service.desired_count} targets are healthy")
    return ", ".join(parts) or None


class _Watch:
    """What one wait has seen so far."""

    def __init__(self, cloud: Cloud, names: EnvironmentNames) -> None:
        self._cloud = cloud
        self._names = names
        self._begun = False
        self._deployment: DeploymentStatus | None = None
        self._stopped_before: frozenset[str] = frozenset()

    def look(self) -> EnvironmentStatus | Pending:
        try:
            return self._look()
        except Unavailable as error:
            if not self._begun:
                raise
            return Pending(f"no answer ({error.message})")

    def _look(self) -> EnvironmentStatus | Pending:
        status = describe_environment(self._cloud, self._names)
        service = status.service
        if service is None:
            what = f"service '{self._names.service}'" if status.cluster else f"cluster '{self._names.cluster}'"
            raise NotFound(f"{what} not found in {self._cloud.region}")
        if not self._begun:
            self._stopped_before = frozenset(task.id for task in stopped_tasks(self._cloud, self._names))
            self._begun = True
        if service.deployments:
            self._judge(service)
            self._judge_tasks(service.deployments[0])
        detail = what_is_missing(service, status)
        if detail is None:
            return status
        if service.running_count < service.desired_count and status.healthy_targets == 0:
            failures = self._failures()
            if len(failures) >= max(_FEWEST_FAILURES, service.desired_count):
                raise self.verdict("cannot keep its tasks running", failures)
        return Pending(detail)

    def _judge(self, service: ServiceStatus) -> None:
        """Raise Failed when the deployment that is watched has failed, whether or not it is rolled back.

        An older one may be FAILED and still have tasks: that is not the verdict on this one.
        """
        primary = service.deployments[0]
        if self._deployment is None and is_rollback(primary):
            raise self.verdict(
                f"is being rolled back to {primary.task_definition}: {primary.rollout_state_reason}", self._failures()
            )
        watched = self._deployment or primary
        reason = judge(watched.id, service).reason
        if reason is not None:
            what = f"failed to deploy {watched.task_definition}: {reason}"
            if is_rollback(primary):
                raise self.verdict(f"{what} It goes back to {primary.task_definition}", self._failures())
            raise self.verdict(what, self._failures(), stalled=primary.id == watched.id)
        self._deployment = next((one for one in service.deployments if one.id == watched.id), primary)

    def _judge_tasks(self, primary: DeploymentStatus) -> None:
        """Raise Failed when task after task of the deployment fails and none runs: others may hide that."""
        if primary.rollout_state != "IN_PROGRESS" or primary.running_count or is_rollback(primary):
            return
        failures = self._failures() if primary.failed >= max(_FEWEST_FAILURES, primary.desired_count) else ()
        if failures:
            raise self.verdict(f"cannot start the tasks of {primary.task_definition}", failures)

    def _failures(self) -> tuple[StoppedTask, ...]:
        """Return the tasks that failed since the wait began, latest first."""
        tasks = stopped_tasks(self._cloud, self._names, known=self._stopped_before)
        return tuple(task for task in tasks if task.failed)

    def failures_if_answered(self) -> tuple[StoppedTask, ...]:
        try:
            return self._failures() if self._begun else ()
        except Unavailable:
            return ()

    def verdict(self, what: str, failures: tuple[StoppedTask, ...], *, stalled: bool = False) -> Failed:
        """Return the verdict. stalled: ECS starts no more tasks by itself."""
        message = f"service '{self._names.service}' in cluster '{self._names.cluster}' {what}"
        hint = "its events say more: miyabi status"
        if failures:
            message = f"{message}: {explain(failures)}"
            hint = self._last_lines(failures[0])
        if stalled:
            service = f"--cluster {self._names.cluster} --service {self._names.service}"
            hint += f"\nno more tasks are started until it is deployed anew: aws ecs update-service {service}"
            hint += " --force-new-deployment"
        return Failed(message, hint=hint)

    def _last_lines(self, task: StoppedTask) -> str:
        words = last_words(self._cloud, task)
        if words is None:
            return "the task logged nothing: check its image, its command and its log configuration"
        lines = "\n".join(f"    {line}" for line in words.lines)
        return f"its last lines in {words.log_group} {words.log_stream}:\n{lines}"
