"""Launching a task: pull its images, follow its output, start its containers. Takes seconds; the loop goes on."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable

from miyabi.environment.home import Home, Instance
from miyabi.localcloud.control.authorization import Principals
from miyabi.localcloud.control.ecr import ImageNotFound, ResolvedImage
from miyabi.localcloud.control.ecs import launch, roles
from miyabi.localcloud.control.ecs.launch import LogTarget
from miyabi.localcloud.control.ecs.secrets_injection import resolve_secrets
from miyabi.localcloud.control.ecs.tables import EcsTables
from miyabi.localcloud.control.ecs.task_steps import LogGroups, Look, TaskSteps
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.service import ApiError
from miyabi.localcloud.data.images import BrokenImage, UnpackedImage, unpack
from miyabi.localcloud.supervisor_client import SupervisorClient
from miyabi.model.ecs import Container
from miyabi.model.errors import Conflict, InvalidInput, Unavailable

log = logging.getLogger(__name__)

Resolve = Callable[[str, str, str], ResolvedImage]
"""(account, region, image) -> the image; raises `ImageNotFound`."""


class Launching:
    """Starts the containers of tasks that are PENDING."""

    def __init__(
        self,
        home: Home,
        instance: Instance,
        engine: Engine,
        tables: EcsTables,
        steps: TaskSteps,
        logs: LogGroups,
        supervisor: SupervisorClient,
        resolve: Resolve,
        principals: Principals,
    ) -> None:
        self._home = home
        self._instance = instance
        self._engine = engine
        self._tables = tables
        self._steps = steps
        self._logs = logs
        self._supervisor = supervisor
        self._resolve = resolve
        self._principals = principals

    async def launch(self, look: Look) -> None:
        """Start the task's containers, or mark it as one that could not start.

        Unavailable: the supervisor does not answer, which says nothing of the task: try again.
        """
        try:
            await self._launch(look)
        except Unavailable:
            raise
        except ImageNotFound as error:
            reason = str(error)
        except BrokenImage as error:
            reason = f"CannotPullContainerError: {error}"
        except launch.CannotStart as error:
            reason = str(error)
        except Exception as error:
            log.exception("task %s cannot be started", look.task.id)
            reason = f"CannotStartContainerError: {type(error).__name__}: {error}"
        else:
            return
        await self._engine.run(self._steps.fail, look, reason)

    async def _launch(self, look: Look) -> None:
        await self._engine.run(roles.check_before_pull, self._principals, look)
        resolved = {item.name: await self._engine.run(self._pull, look, item) for item in look.task.containers}
        images = {name: await asyncio.to_thread(unpack, self._home, item.manifest) for name, item in resolved.items()}
        digests = {name: item.digest for name, item in resolved.items()}
        stop_signals = {name: item.stop_signal for name, item in images.items()}
        if not await self._engine.run(self._steps.pulled, look, digests, stop_signals):
            return  # it was stopped meanwhile
        for container in look.task.containers:
            await self._start(look, container, images[container.name])
        await self._engine.run(self._steps.launched, look)

    def _pull(self, look: Look, container: Container) -> ResolvedImage:
        """Resolve the image; a deployment keeps to the digest that its first task got."""
        service = self._steps.service_of(look)
        deployment = service.deployment(look.task.started_by) if service else None
        pinned = deployment.images.get(container.name) if deployment else None
        reference = f"{_without_tag(container.image)}@{pinned}" if pinned else container.image
        roles.check_pull(self._principals, look, reference)
        resolved = self._resolve(self._instance.account, look.region, reference)
        if service is not None and deployment is not None and pinned is None:
            images = {**deployment.images, container.name: resolved.digest}
            fixed = dataclasses.replace(deployment, images=images)
            self._tables.put_service(look.region, service.with_deployment(fixed))
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
                await self._engine.run(self._follow, look, target, spec.output)
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

    def _follow(self, look: Look, target: LogTarget, output: str) -> None:
        """Make the log stream, and feed it where the role may; its output is lost otherwise, as with awslogs."""
        roles.check_log_stream(self._principals, look, target)
        if roles.may_put_events(self._principals, look, target):
            self._logs.follow(target.region, target.group, target.stream, output)
        else:
            self._logs.open_stream(target.region, target.group, target.stream)


def _without_tag(image: str) -> str:
    head, slash, last = image.partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"
