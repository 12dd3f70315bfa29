"""Takes each task from PROVISIONING to STOPPED: one step of its life a look, driven by what its processes do."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import shutil
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from miyabi.environment.home import Home, Instance
from miyabi.localcloud.control.addresses import AddressBook
from miyabi.localcloud.control.authorization import Principals
from miyabi.localcloud.control.credentials import Keys
from miyabi.localcloud.control.ecs import launch
from miyabi.localcloud.control.ecs.launching import Launching, Resolve
from miyabi.localcloud.control.ecs.service_loop import Targets
from miyabi.localcloud.control.ecs.tables import EcsTables
from miyabi.localcloud.control.ecs.task_steps import EXITED, HOST_LOST, LogGroups, Look, TaskSteps
from miyabi.localcloud.control.ecs.troubles import Troubles
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.processes import ProcessState
from miyabi.localcloud.supervisor_client import SupervisorClient
from miyabi.model.ecs import Task, TaskDefinition, TaskStatus
from miyabi.model.errors import Conflict, NotFound
from miyabi.policy.task_life import NextStep, Process, Step, next_step

log = logging.getLogger(__name__)

_IDLE = timedelta(seconds=5)
_KEEP_STOPPED = timedelta(hours=1)
_BUSY = timedelta(milliseconds=250)
_AGAIN = timedelta(milliseconds=20)
_RETRY = timedelta(seconds=1)

Processes = Mapping[str, ProcessState]


@dataclass(slots=True)
class _Observed:
    """The tasks that have not ended."""

    looks: list[Look] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    broken: dict[str, Exception] = field(default_factory=dict)
    """Those that could not be looked at, by name."""


class TaskLoop:
    """Drives the tasks' processes through the supervisor.

    A step that only changes rows is taken at once. One that takes long runs beside the loop, and its task is left
    alone until it has ended: there is at most one for a task.
    """

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
        self._engine = engine
        self._tables = tables
        self._targets = targets
        self._supervisor = supervisor
        self._steps = TaskSteps(home, engine.clock, tables, targets, logs, addresses, keys)
        principals = Principals(instance.account, keys)
        self._launching = Launching(home, instance, engine, tables, self._steps, logs, supervisor, resolve, principals)
        self._troubles = Troubles(log)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._owner: asyncio.Task[Any] | None = None

    async def step(self) -> timedelta:
        """Take every open task that no step runs for one step further."""
        self._end_with_caller()
        # In this order: a step that ends meanwhile counts as running, and what a row says of its processes was so
        # before they are listed.
        busy = set(self._running)
        seen = await self._engine.run(self._observe)
        processes = {state.name: state for state in await self._supervisor.list()}
        await self._forget_orphans(processes, seen.ids)
        self._troubles.keep_only({_name_of(look) for look in seen.looks} | seen.broken.keys())
        for name, error in seen.broken.items():
            self._troubles.add(name, error)
        pauses = [_IDLE]
        for look in seen.looks:
            if look.key in busy:
                continue
            try:
                pauses.append(await self._take(look, processes))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this task's
                self._troubles.add(_name_of(look), error)
                pauses.append(_RETRY)
        return min(pauses)

    async def _take(self, look: Look, processes: Processes) -> timedelta:
        """Take the next step, or begin it; return when to look again."""
        now = self._engine.clock()
        next_ = self._next(look, processes, now)
        if next_.step is Step.WAIT:
            return next_.look_again or (_BUSY if next_.reason else _IDLE)
        if next_.step is Step.LAUNCH:
            self._begin(look, lambda: self._launching.launch(look))
            return _IDLE
        if next_.step in {Step.TERMINATE, Step.KILL}:
            self._begin(look, lambda: self._end(look, processes, next_.step))
            return _BUSY
        steps = self._steps
        on_rows: dict[Step, Callable[[], None]] = {
            Step.PROVISION: lambda: steps.provision(look),
            Step.REGISTER: lambda: steps.register(look),
            Step.NOTE: lambda: steps.note(look, processes),
            Step.BEGIN_STOP: lambda: self._begin_stop(look, next_.reason, EXITED),
            Step.LOST: lambda: self._begin_stop(look, next_.reason, HOST_LOST),
            Step.DEREGISTER: lambda: steps.deregister(look),
            Step.RELEASE: lambda: steps.release(look, processes),
        }
        await self._engine.run(on_rows[next_.step])
        self._troubles.clear(_name_of(look))
        self._engine.wake()
        return _AGAIN

    def _begin_stop(self, look: Look, reason: str, code: str) -> None:
        """Mark a task that is dead, and take it out of its target groups at once: requests still go to it."""
        self._steps.begin_stop(look, reason, code)
        task = self._tables.tasks.get(look.region, look.task.key)
        if task is not None and task.desired_status is TaskStatus.STOPPED:
            self._steps.deregister(dataclasses.replace(look, task=task))

    def _next(self, look: Look, processes: Processes, now: datetime) -> NextStep:
        found = []
        for container in look.task.containers:
            state = processes.get(launch.process_name(look.task, container))
            if state is not None:
                found.append(Process(container.name, container.essential, state.running, state.exit_code))
        timeout = timedelta(seconds=launch.stop_timeout_seconds(look.definition))
        return next_step(look.task, found, draining=look.draining, stop_timeout=timeout, now=now)

    def _begin(self, look: Look, step: Callable[[], Awaitable[None]]) -> None:
        """Run a step beside the loop, which is woken when it has ended."""

        async def run() -> None:
            try:
                await step()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this task's
                self._troubles.add(_name_of(look), error)
                await asyncio.sleep(_RETRY.total_seconds())
            else:
                self._troubles.clear(_name_of(look))

        def ended(_: asyncio.Task[None]) -> None:
            del self._running[look.key]
            self._engine.wake()

        running = asyncio.create_task(run(), name=f"ecs-task {look.task.id}")
        self._running[look.key] = running
        running.add_done_callback(ended)

    async def _end(self, look: Look, processes: Processes, step: Step) -> None:
        """Signal the containers that run: their images' stop signals, or SIGKILL."""
        for container in look.task.containers:
            state = processes.get(launch.process_name(look.task, container))
            if state is not None and state.running:
                number = signal.SIGKILL if step is Step.KILL else _signal_of(container.stop_signal)
                with contextlib.suppress(NotFound, Conflict):  # it ended by itself meanwhile
                    await self._supervisor.signal(state.name, number)
        if step is Step.TERMINATE:
            await self._engine.run(self._steps.terminated, look)
        else:
            await asyncio.sleep(_BUSY.total_seconds())

    def _end_with_caller(self) -> None:
        """Let the steps that run end when the task that drives this loop ends: at shutdown nothing goes on."""
        owner = asyncio.current_task()
        if owner is not None and owner is not self._owner:
            self._owner = owner
            owner.add_done_callback(lambda _: self._cancel())

    def _cancel(self) -> None:
        for running in self._running.values():
            running.cancel()

    def _observe(self) -> _Observed:
        """Return every task that has not ended. Those that ended an hour ago are forgotten, as ECS does."""
        now = self._engine.clock()
        seen = _Observed()
        definitions: dict[str, TaskDefinition] = {}
        for region in self._tables.tasks.regions():
            for task in self._tables.tasks.list(region):
                if task.last_status is not TaskStatus.STOPPED:
                    seen.ids.add(task.id)
                    try:
                        seen.looks.append(self._look(region, task, definitions))
                    except Exception as error:  # noqa: BLE001 - whatever it is, it is this task's
                        seen.broken[f"task {task.id} in {region}"] = error
                elif task.stopped_at is not None and now - task.stopped_at > _KEEP_STOPPED:
                    self._tables.tasks.delete(region, task.key)
                    shutil.rmtree(launch.task_directory(self._home, task), ignore_errors=True)
        return seen

    def _look(self, region: str, task: Task, definitions: dict[str, TaskDefinition]) -> Look:
        if task.task_definition not in definitions:
            definitions[task.task_definition] = self._tables.definition(region, task.task_definition)
        draining = any(
            self._targets.target_health(region, entry["targetGroupArn"], task.address or "", entry["containerPort"])
            for entry in task.load_balancers
        )
        return Look(region, task, definitions[task.task_definition], draining)

    async def _forget_orphans(self, processes: Processes, open_ids: set[str]) -> None:
        """Drop the supervisor's records of tasks that are STOPPED, and end processes that no row stands for."""
        tasks = {name: name.split("/")[1] for name in processes if name.startswith("task/")}
        if not set(tasks.values()) - open_ids:
            return
        # A task may have been made and launched since the look.
        open_ids = (await self._engine.run(self._observe)).ids
        for state in (processes[name] for name, task_id in tasks.items() if task_id not in open_ids):
            with contextlib.suppress(NotFound, Conflict):
                if state.running:
                    log.warning("ending %s: no task stands for it", state.name)
                    await self._supervisor.signal(state.name, signal.SIGKILL)
                else:
                    await self._supervisor.forget(state.name)


def _name_of(look: Look) -> str:
    return f"task {look.task.id} in {look.region}"


def _signal_of(name: str) -> signal.Signals:
    """Return the signal that an image names: `SIGINT`, `INT` or `2`; one that there is not is SIGTERM, as on ECS."""
    with contextlib.suppress(KeyError, ValueError):
        if name.isdigit():
            return signal.Signals(int(name))
        return signal.Signals[name if name.startswith("SIG") else f"SIG{name}"]
    return signal.SIGTERM
