"""Takes each task from PROVISIONING to STOPPED: one step of its life a look, driven by what its processes do."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import shutil
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from miyabi.environment.home import Home, Instance
from miyabi.localcloud.control.addresses import AddressBook
from miyabi.localcloud.control.credentials import Keys
from miyabi.localcloud.control.ecr import ImageNotFound, ResolvedImage
from miyabi.localcloud.control.ecs import launch
from miyabi.localcloud.control.ecs.secrets_injection import resolve_secrets
from miyabi.localcloud.control.ecs.service_loop import Targets
from miyabi.localcloud.control.ecs.tables import EcsTables, new_id
from miyabi.localcloud.control.ecs.tasks import stop
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.service import ApiError
from miyabi.localcloud.data.images import BrokenImage, UnpackedImage, unpack
from miyabi.localcloud.processes import ProcessState
from miyabi.localcloud.supervisor_client import SupervisorClient
from miyabi.model.ecs import Container, Service, Task, TaskDefinition, TaskStatus
from miyabi.model.errors import Conflict, InvalidInput, NotFound
from miyabi.policy.task_life import NextStep, Process, Step, next_step

log = logging.getLogger(__name__)

_IDLE = timedelta(seconds=5)
_KEEP_STOPPED = timedelta(hours=1)
_BUSY = timedelta(milliseconds=250)
_AGAIN = timedelta(milliseconds=20)
_FAILED_START = "TaskFailedToStart"


class LogGroups(Protocol):
    """The part of CloudWatch Logs that ECS speaks to."""

    def follow(self, region: str, group: str, stream: str, path: str) -> None: ...

    def finish(self, path: str) -> None: ...


Resolve = Callable[[str, str, str], ResolvedImage]
"""(account, region, image) -> the image; raises `ImageNotFound`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """A task as one look of the loop found it."""

    region: str
    task: Task
    definition: TaskDefinition
    draining: bool


class TaskLoop:
    """Drives the tasks' processes through the supervisor."""

    name = "ecs-tasks"

    def __init__(
        self,
        home: Home,
        instance: Instance,
        engine: Engine,
        tables: EcsTables,
        targets: Targets,
        logs: LogGroups,
        addresses: AddressBook,
        keys: Keys,
        supervisor: SupervisorClient,
        resolve: Resolve,
    ) -> None:
        self._home = home
        self._instance = instance
        self._engine = engine
        self._tables = tables
        self._targets = targets
        self._logs = logs
        self._addresses = addresses
        self._keys = keys
        self._supervisor = supervisor
        self._resolve = resolve

    async def step(self) -> timedelta:
        """Take every open task one step further."""
        processes = {state.name: state for state in await self._supervisor.list()}
        looks = await self._engine.run(self._observe)
        await self._forget_orphans(processes, looks)
        now = self._engine.clock()
        steps = [self._next(look, processes, now) for look in looks]
        await asyncio.gather(*(self._take(look, step, processes) for look, step in zip(looks, steps, strict=True)))
        if any(step.step is not Step.WAIT for step in steps):
            return _AGAIN
        waits = [step.look_again or _BUSY for step in steps if step.reason]
        return min([_IDLE, *waits])

    def _forget_stopped(self) -> None:
        """Drop tasks that stopped an hour ago, as ECS does, and what is left of their files."""
        now = self._engine.clock()
        for region in self._tables.tasks.regions():
            for task in self._tables.tasks.list(region):
                if task.stopped_at is not None and now - task.stopped_at > _KEEP_STOPPED:
                    self._tables.tasks.delete(region, task.key)
                    shutil.rmtree(launch.task_directory(self._home, task), ignore_errors=True)

    def _observe(self) -> list[Look]:
        self._forget_stopped()
        looks = []
        for region, task in self._tables.open_tasks():
            draining = any(
                self._targets.target_health(region, entry["targetGroupArn"], task.address or "", entry["containerPort"])
                for entry in task.load_balancers
            )
            looks.append(Look(region, task, self._tables.definition(region, task.task_definition), draining))
        return looks

    def _next(self, look: Look, processes: dict[str, ProcessState], now: datetime) -> NextStep:
        found = []
        for container in look.task.containers:
            state = processes.get(launch.process_name(look.task, container))
            if state is not None:
                found.append(Process(container.name, container.essential, state.running, state.exit_code))
        timeout = timedelta(seconds=launch.stop_timeout_seconds(look.definition))
        return next_step(look.task, found, draining=look.draining, stop_timeout=timeout, now=now)

    async def _take(self, look: Look, step: NextStep, processes: dict[str, ProcessState]) -> None:
        """Carry the step out. What only changes rows runs on the worker; the rest asks the supervisor."""
        on_rows: dict[Step, Callable[[], None]] = {
            Step.PROVISION: lambda: self._provision(look),
            Step.REGISTER: lambda: self._register(look),
            Step.BEGIN_STOP: lambda: self._begin_stop(look, step.reason),
            Step.DEREGISTER: lambda: self._deregister(look),
            Step.RELEASE: lambda: self._release(look, processes),
        }
        if step.step in on_rows:
            await self._engine.run(on_rows[step.step])
        elif step.step is Step.LAUNCH:
            await self._launch(look)
        elif step.step is Step.TERMINATE:
            await self._signal(look, processes, signal.SIGTERM)
            await self._engine.run(self._terminated, look)
        elif step.step is Step.KILL:
            await self._signal(look, processes, signal.SIGKILL)
        if step.step not in {Step.WAIT, Step.KILL}:
            self._engine.wake()

    def _provision(self, look: Look) -> None:
        address = self._addresses.lease(f"ecs/{look.task.id}", look.task.cidr)
        self._update(look, address=address, last_status=TaskStatus.PENDING, pull_started_at=self._engine.clock())

    async def _launch(self, look: Look) -> None:
        try:
            resolved = {c.name: await self._engine.run(self._pull, look, c) for c in look.task.containers}
            images = {
                name: await asyncio.to_thread(unpack, self._home, item.manifest) for name, item in resolved.items()
            }
            await self._engine.run(self._update, look, pull_stopped_at=self._engine.clock())
            for container in look.task.containers:
                await self._start(look, container, images[container.name])
        except ImageNotFound as error:
            await self._engine.run(self._fail, look, str(error))
        except BrokenImage as error:
            await self._engine.run(self._fail, look, f"CannotPullContainerError: {error}")
        except launch.CannotStart as error:
            await self._engine.run(self._fail, look, str(error))
        else:
            digests = {name: item.digest for name, item in resolved.items()}
            await self._engine.run(self._launched, look, digests)

    def _pull(self, look: Look, container: Container) -> ResolvedImage:
        """Resolve the image; a deployment keeps to the digest that its first task got."""
        service = self._service_of(look)
        pinned = None
        deployment = None
        if service is not None:
            deployment = next((d for d in service.deployments if d.id == look.task.started_by), None)
            pinned = deployment.images.get(container.name) if deployment else None
        reference = container.image
        if pinned is not None:
            reference = f"{_without_tag(reference)}@{pinned}"
        resolved = self._resolve(self._instance.account, look.region, reference)
        if service is not None and deployment is not None and pinned is None:
            images = {**deployment.images, container.name: resolved.digest}
            fixed = dataclasses.replace(deployment, images=images)
            deployments = [fixed if item.id == fixed.id else item for item in service.deployments]
            self._tables.put_service(look.region, dataclasses.replace(service, deployments=deployments))
        return resolved

    async def _start(self, look: Look, container: Container, image: UnpackedImage) -> None:
        target = launch.log_target(look.task, look.definition, container, look.region)
        given = launch.container_definition(look.definition, container)
        secrets = await self._engine.run(resolve_secrets, given, account=self._instance.account, region=look.region)
        # The address was leased in the step before this look.
        spec = launch.process_spec(
            self._home, self._instance, look.task, look.definition, container, image, look.region, secrets
        )
        if target is not None:
            try:
                await self._engine.run(self._logs.follow, target.region, target.group, target.stream, spec.output)
            except ApiError as error:
                raise launch.CannotStart(
                    "ResourceInitializationError: failed to validate logger args: create stream has been retried "
                    f"1 times: failed to create Cloudwatch log stream: {error.code}: {error.message}"
                ) from error
        try:
            await self._supervisor.start(spec)
        except InvalidInput as error:  # no such program, no such working directory
            raise launch.CannotStart(f"CannotStartContainerError: {error.message}") from error
        except Conflict:
            log.info("%s was started before", spec.name)  # the control plane died between start and note

    def _launched(self, look: Look, digests: dict[str, str]) -> None:
        containers = [
            dataclasses.replace(c, image_digest=digests[c.name], last_status=TaskStatus.RUNNING)
            for c in look.task.containers
        ]
        self._update(look, containers=containers, last_status=TaskStatus.ACTIVATING)

    def _register(self, look: Look) -> None:
        now = self._engine.clock()
        task = look.task
        for entry in task.load_balancers:
            arn, port = entry["targetGroupArn"], entry["containerPort"]
            try:
                self._targets.register(look.region, arn, task.address or "", port, task.zone, now)
            except ApiError as error:
                self._event(look, f"failed to register targets in (target-group {arn}): {error.message}")
                continue
            self._event(look, f"registered 1 targets in (target-group {arn})")
        self._update(look, last_status=TaskStatus.RUNNING, started_at=now)

    def _begin_stop(self, look: Look, reason: str) -> None:
        current = self._tables.tasks.get(look.region, look.task.key)
        if current is not None:
            stopped = stop(current, reason, "EssentialContainerExited", now=self._engine.clock())
            self._tables.put_task(look.region, stopped)

    def _fail(self, look: Look, reason: str) -> None:
        current = self._tables.tasks.get(look.region, look.task.key)
        if current is not None:
            self._tables.put_task(look.region, stop(current, reason, _FAILED_START, now=self._engine.clock()))
            self._event(look, f"was unable to start (task {current.id}). Reason: {reason}")

    def _deregister(self, look: Look) -> None:
        now = self._engine.clock()
        for entry in look.task.load_balancers:
            if look.draining:
                arn = entry["targetGroupArn"]
                with contextlib.suppress(ApiError):
                    self._targets.deregister(look.region, arn, look.task.address or "", entry["containerPort"], now)
                self._event(look, f"deregistered 1 targets in (target-group {arn})")
        if look.draining:
            self._event(look, "has begun draining connections on 1 tasks.")
        self._update(look, last_status=TaskStatus.DEACTIVATING)

    async def _signal(self, look: Look, processes: dict[str, ProcessState], number: signal.Signals) -> None:
        for container in look.task.containers:
            name = launch.process_name(look.task, container)
            if name in processes and processes[name].running:
                with contextlib.suppress(NotFound, Conflict):  # it ended by itself meanwhile
                    await self._supervisor.signal(name, number)

    def _terminated(self, look: Look) -> None:
        self._update(look, last_status=TaskStatus.STOPPING, terminated_at=self._engine.clock())

    def _release(self, look: Look, processes: dict[str, ProcessState]) -> None:
        """Everything has ended: keep the exit codes, give everything back, and count a failed start."""
        now = self._engine.clock()
        task = look.task
        containers = []
        for container in task.containers:
            state = processes.get(launch.process_name(task, container))
            containers.append(
                dataclasses.replace(
                    container, last_status=TaskStatus.STOPPED, exit_code=state.exit_code if state else None
                )
            )
            self._logs.finish(str(launch.output_path(self._home, task, container)))
        self._addresses.release(f"ecs/{task.id}")
        self._keys.revoke(task.arn)
        self._update(
            look,
            containers=containers,
            last_status=TaskStatus.STOPPED,
            stopped_at=now,
            execution_stopped_at=now,
        )
        self._count_failure(look, now)

    def _count_failure(self, look: Look, now: datetime) -> None:
        task = look.task
        service = self._service_of(look)
        by_itself = task.stop_code in {"EssentialContainerExited", _FAILED_START} or "ELB health checks" in (
            task.stopped_reason or ""
        )
        if service is None or not by_itself or task.was_healthy:
            return
        failures = service.start_failures + 1
        deployments = [
            dataclasses.replace(item, failed_tasks=item.failed_tasks + 1) if item.id == task.started_by else item
            for item in service.deployments
        ]
        service = dataclasses.replace(service, start_failures=failures, last_failure_at=now, deployments=deployments)
        self._tables.put_service(look.region, service)
        if failures == 3:
            self._event(look, "is unable to consistently start tasks successfully. Its next starts are delayed.")

    async def _forget_orphans(self, processes: dict[str, ProcessState], looks: list[Look]) -> None:
        """Drop the supervisor's records of tasks that are STOPPED, and end processes that no row stands for."""
        open_names = {launch.process_name(look.task, c) for look in looks for c in look.task.containers}
        for name, state in processes.items():
            if not name.startswith("task/") or name in open_names:
                continue
            with contextlib.suppress(NotFound, Conflict):
                if state.running:
                    log.warning("ending %s: no task stands for it", name)
                    await self._supervisor.signal(name, signal.SIGKILL)
                else:
                    await self._supervisor.forget(name)

    def _service_of(self, look: Look) -> Service | None:
        name = look.task.service_name
        return self._tables.services.get(look.region, f"{look.task.cluster_name}/{name}") if name else None

    def _event(self, look: Look, text: str) -> None:
        service = self._service_of(look)
        if service is not None:
            message = f"(service {service.name}) {text}"
            service = service.with_events(message, ids=[new_id()], now=self._engine.clock())
            self._tables.put_service(look.region, service)

    def _update(self, look: Look, **changes: object) -> None:
        """Change the task's row as it is now: an API call may have changed it since the look."""
        current = self._tables.tasks.get(look.region, look.task.key)
        if current is not None:
            changed = dataclasses.replace(current, version=current.version + 1, **changes)  # type: ignore[arg-type]
            self._tables.put_task(look.region, changed)


def _without_tag(image: str) -> str:
    head, slash, last = image.partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"
