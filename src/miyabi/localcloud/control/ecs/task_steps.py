"""The steps of a task's life that change rows: each applies only to a row that is still where the look found it.

Everything here runs on the worker thread, in a transaction.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from miyabi.environment.home import Home
from miyabi.localcloud.control.addresses import AddressBook
from miyabi.localcloud.control.credentials import Keys
from miyabi.localcloud.control.ecs import deployments, launch
from miyabi.localcloud.control.ecs.service_loop import Targets
from miyabi.localcloud.control.ecs.tables import EcsTables, new_id
from miyabi.localcloud.control.ecs.tasks import stop
from miyabi.localcloud.control.engine import Clock
from miyabi.localcloud.control.service import ApiError
from miyabi.localcloud.processes import ProcessState
from miyabi.model.ecs import Container, Service, Task, TaskDefinition, TaskStatus

EXITED = "EssentialContainerExited"
FAILED_START = "TaskFailedToStart"
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
"""A container's `reason`, in ECS's words. Source: docs.aws.amazon.com, "Stopped tasks error messages"."""
HOST_LOST = "TerminationNotice"
_NOT_CONSISTENTLY = 3


class LogGroups(Protocol):
    """The part of CloudWatch Logs that ECS speaks to."""

    def follow(self, region: str, group: str, stream: str, path: str) -> None: ...

    def open_stream(self, region: str, group: str, stream: str) -> None: ...

    def finish(self, path: str) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """A task as one look of the loop found it."""

    region: str
    task: Task
    definition: TaskDefinition
    draining: bool

    @property
    def key(self) -> str:
        """The task's key in all regions."""
        return f"{self.region}/{self.task.key}"


class TaskSteps:
    """Changes tasks' rows, and what hangs on them: addresses, keys, targets, logs, the service's events."""

    def __init__(
        self,
        home: Home,
        clock: Clock,
        tables: EcsTables,
        targets: Targets,
        logs: LogGroups,
        addresses: AddressBook,
        keys: Keys,
    ) -> None:
        self._home = home
        self._clock = clock
        self._tables = tables
        self._targets = targets
        self._logs = logs
        self._addresses = addresses
        self._keys = keys

    def provision(self, look: Look) -> None:
        """Give the task its address."""
        if self._current(look) is None:
            return
        try:
            address = self._addresses.lease(f"ecs/{look.task.id}", look.task.cidr)
        except ApiError as error:
            self.fail(
                look,
                "Unexpected EC2 error while attempting to Create Network Interface in subnet "
                f"'{look.task.subnet_id}': {error.code}: {error.message}",
            )
            return
        self._change(look, address=address, last_status=TaskStatus.PENDING, pull_started_at=self._clock())

    def pulled(self, look: Look, digests: Mapping[str, str], stop_signals: Mapping[str, str]) -> bool:
        """Note the images; say whether the containers are still to be started."""
        containers = [
            dataclasses.replace(item, image_digest=digests[item.name], stop_signal=stop_signals[item.name])
            for item in look.task.containers
        ]
        return self._change(look, containers=containers, pull_stopped_at=self._clock())

    def launched(self, look: Look) -> None:
        """Note that the containers run. A task that was stopped meanwhile stays so: its processes are ended."""
        current = self._current(look)
        if current is not None:
            running = [dataclasses.replace(item, last_status=TaskStatus.RUNNING) for item in current.containers]
            self._change(look, containers=running, last_status=TaskStatus.ACTIVATING)

    def register(self, look: Look) -> None:
        """Register the task with its target groups; then it is RUNNING."""
        if self._current(look) is None:
            return
        now = self._clock()
        task = look.task
        for entry in task.load_balancers:
            arn, port = entry["targetGroupArn"], entry["containerPort"]
            try:
                self._targets.register(look.region, arn, task.address or "", port, task.zone, now)
            except ApiError as error:
                self._event(look, f"failed to register targets in (target-group {arn}): {error.message}")
                continue
            self._event(look, f"registered 1 targets in (target-group {arn})")
        self._change(look, last_status=TaskStatus.RUNNING, started_at=now)

    def note(self, look: Look, processes: Mapping[str, ProcessState]) -> None:
        """Write down how containers that are not essential ended."""
        self._change(look, containers=[self._ended(look, item, processes) for item in look.task.containers])

    def begin_stop(self, look: Look, reason: str, code: str) -> None:
        """Mark the task as one that is to stop."""
        current = self._current(look)
        if current is not None:
            self._tables.put_task(look.region, stop(current, reason, code, now=self._clock()))

    def fail(self, look: Look, reason: str) -> None:
        """Mark the task as one that could not start."""
        if self._current(look) is not None:
            self.begin_stop(look, reason, FAILED_START)
            self._event(look, f"was unable to start (task {look.task.id}). Reason: {reason}")

    def deregister(self, look: Look) -> None:
        """Let the task's targets drain."""
        if self._current(look) is None:
            return
        now = self._clock()
        for entry in look.task.load_balancers:
            if look.draining:
                arn = entry["targetGroupArn"]
                with contextlib.suppress(ApiError):
                    self._targets.deregister(look.region, arn, look.task.address or "", entry["containerPort"], now)
                self._event(look, f"deregistered 1 targets in (target-group {arn})")
        if look.draining:
            self._event(look, "has begun draining connections on 1 tasks.")
        self._change(look, last_status=TaskStatus.DEACTIVATING)

    def terminated(self, look: Look) -> None:
        """Note that the containers were asked to end."""
        self._change(look, last_status=TaskStatus.STOPPING, terminated_at=self._clock())

    def release(self, look: Look, processes: Mapping[str, ProcessState]) -> None:
        """Everything has ended: keep the exit codes, give everything back, and count a failed start."""
        if self._current(look) is None:
            return
        now = self._clock()
        task = look.task
        containers = [
            dataclasses.replace(self._ended(look, item, processes), last_status=TaskStatus.STOPPED)
            for item in task.containers
        ]
        for container in containers:
            self._logs.finish(str(launch.output_path(self._home, task, container)))
        self._addresses.release(f"ecs/{task.id}")
        self._keys.revoke(task.arn)
        self._change(
            look,
            containers=containers,
            last_status=TaskStatus.STOPPED,
            stopped_at=now,
            execution_stopped_at=now,
        )
        self._count_failure(look, now)

    def service_of(self, look: Look) -> Service | None:
        """Return the service that keeps the task, if one does."""
        name = look.task.service_name
        return self._tables.services.get(look.region, f"{look.task.cluster_name}/{name}") if name else None

    def _ended(self, look: Look, container: Container, processes: Mapping[str, ProcessState]) -> Container:
        state = processes.get(launch.process_name(look.task, container))
        if state is None or state.running:
            return container
        ended = dataclasses.replace(container, last_status=TaskStatus.STOPPED, exit_code=state.exit_code)
        return dataclasses.replace(ended, reason=OUT_OF_MEMORY) if state.out_of_memory else ended

    def _count_failure(self, look: Look, now: datetime) -> None:
        """Count a task that ended by itself, or for its load balancer, before it was ever healthy."""
        task, service = look.task, self.service_of(look)
        unhealthy = "ELB health checks" in (task.stopped_reason or "")
        if service is None or task.was_healthy or not (unhealthy or task.stop_code in {EXITED, FAILED_START}):
            return
        cause = deployments.FAILED_CHECKS if unhealthy else deployments.FAILED_TO_START
        service = deployments.count_failure(service, task.started_by, cause, now)
        self._tables.put_service(look.region, service)
        deployment = service.deployment(task.started_by)
        if deployment is not None and deployment.failed_tasks == _NOT_CONSISTENTLY:
            self._event(look, "is unable to consistently start tasks successfully. Its next starts are delayed.")

    def _event(self, look: Look, text: str) -> None:
        service = self.service_of(look)
        if service is not None:
            message = f"(service {service.name}) {text}"
            service = service.with_events(message, ids=[new_id()], now=self._clock())
            self._tables.put_service(look.region, service)

    def _current(self, look: Look) -> Task | None:
        """Return the task's row as it is now; None where it has gone another way since the look."""
        row = self._tables.tasks.get(look.region, look.task.key)
        before = look.task
        if row is None or (row.last_status, row.desired_status) != (before.last_status, before.desired_status):
            return None
        return row

    def _change(self, look: Look, **changes: object) -> bool:
        """Change the row unless it has gone another way; say whether it was changed."""
        current = self._current(look)
        if current is None:
            return False
        changed = dataclasses.replace(current, version=current.version + 1, **changes)  # type: ignore[arg-type]
        self._tables.put_task(look.region, changed)
        return True
