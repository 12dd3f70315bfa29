"""The loops of live ECS with a supervisor, targets and images that do as the test says."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from miyabi.environment.home import Home, Instance
from miyabi.localcloud.control.addresses import AddressBook
from miyabi.localcloud.control.credentials import Keys
from miyabi.localcloud.control.ecr import ImageNotFound, ResolvedImage
from miyabi.localcloud.control.ecs import deployments
from miyabi.localcloud.control.ecs.service_loop import ServiceLoop
from miyabi.localcloud.control.ecs.tables import EcsTables, definition_key
from miyabi.localcloud.control.ecs.task_loop import TaskLoop
from miyabi.localcloud.control.ecs.tasks import stop
from miyabi.localcloud.control.engine import Engine, wall_clock
from miyabi.localcloud.control.store import Store
from miyabi.localcloud.processes import ProcessSpec, ProcessState
from miyabi.model.ecs import Cluster, Container, Service, Task, TaskDefinition, TaskStatus
from miyabi.model.load_balancing import TargetHealth

ACCOUNT, REGION = "112530848482", "us-west-2"
ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}"


class Supervisor:
    """Runs nothing, and remembers what it was asked."""

    def __init__(self) -> None:
        self.processes: dict[str, ProcessState] = {}
        self.starts: list[str] = []
        self.signals: list[tuple[str, signal.Signals]] = []
        self.held: dict[str, asyncio.Event] = {}
        self.error: Exception | None = None

    async def start(self, spec: ProcessSpec) -> ProcessState:
        self.starts.append(spec.name)
        for part, event in self.held.items():
            if part in spec.name:
                await event.wait()
        if self.error is not None:
            raise self.error
        self.processes[spec.name] = ProcessState(spec.name, 1, 0.0, running=True)
        return self.processes[spec.name]

    async def signal(self, name: str, number: signal.Signals) -> None:
        self.signals.append((name, number))
        self.end(name, 128 + number)

    async def list(self) -> tuple[ProcessState, ...]:
        return tuple(self.processes.values())

    async def forget(self, name: str) -> None:
        del self.processes[name]

    def end(self, name: str, exit_code: int) -> None:
        self.processes[name] = dataclasses.replace(self.processes[name], running=False, exit_code=exit_code)


class Targets:
    """No target group knows any target; one that is broken raises."""

    def register(
        self, region: str, target_group_arn: str, address: str, port: int, zone: str, now: datetime
    ) -> None: ...

    def deregister(self, region: str, target_group_arn: str, address: str, port: int, now: datetime) -> None: ...

    def target_health(self, region: str, target_group_arn: str, address: str, port: int) -> TargetHealth | None:
        if target_group_arn == "broken":
            raise RuntimeError("broken target group")
        return None


class Logs:
    def follow(self, region: str, group: str, stream: str, path: str) -> None: ...

    def finish(self, path: str) -> None: ...


class World:
    """A control plane's ECS without API and processes."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self.home.create()
        self.instance = Instance(1, "0badcafe", 77, 1, ACCOUNT, REGION, "AKIATEST", "secret")
        store = Store(self.home.state / "control.sqlite")
        self.ahead = timedelta(0)
        self.engine = Engine(store, clock=lambda: wall_clock() + self.ahead)
        self.tables = EcsTables(store)
        self.supervisor = Supervisor()
        self.resolving: Callable[[str], None] = lambda _: None
        addresses, keys = AddressBook(store, 77), Keys(store, self.instance)
        self.addresses = addresses
        self.services = ServiceLoop(self.engine, self.tables, Targets(), ACCOUNT)
        self.tasks = TaskLoop(
            self.home,
            self.instance,
            self.engine,
            self.tables,
            Targets(),
            Logs(),
            addresses,
            keys,
            self.supervisor,  # type: ignore[arg-type]
            self._resolve,
        )
        self.manifest = self._image("SIGINT")

    def _image(self, stop_signal: str) -> bytes:
        config = json.dumps({"config": {"Cmd": ["/bin/true"], "StopSignal": stop_signal}}).encode()
        digests = [f"sha256:{hashlib.sha256(content).hexdigest()}" for content in (config, b"layer")]
        blobs = self.home.images / "blobs" / "sha256"
        blobs.mkdir(parents=True, exist_ok=True)
        (blobs / digests[0].removeprefix("sha256:")).write_bytes(config)
        manifest = json.dumps({"config": {"digest": digests[0]}, "layers": [{"digest": digests[1]}]}).encode()
        (self.home.images / hashlib.sha256(manifest).hexdigest()).mkdir()  # unpacked already
        return manifest

    def _resolve(self, _: str, __: str, image: str) -> ResolvedImage:
        self.resolving(image)
        if image.endswith(":missing"):
            raise ImageNotFound(f"CannotPullContainerError: {image}: not found")
        return ResolvedImage(digest=f"sha256:{hashlib.sha256(self.manifest).hexdigest()}", manifest=self.manifest)

    def define(self, family: str = "web", image: str = "web:v1") -> TaskDefinition:
        containers: list[dict[str, Any]] = [
            {"name": name, "image": image, "essential": name == "app", "portMappings": []} for name in ("app", "side")
        ]
        row = TaskDefinition(
            family=family,
            revision=1,
            arn=f"{ARN}:task-definition/{family}:1",
            definition={"containerDefinitions": containers},
            registered_at=wall_clock(),
            registered_by="me",
            tags={},
        )
        self.tables.definitions.put(REGION, definition_key(family, 1), row)
        return row

    def add_task(self, task_id: str, **changes: Any) -> Task:
        task = Task(
            id=task_id,
            arn=f"{ARN}:task/c/{task_id}",
            cluster_arn=f"{ARN}:cluster/c",
            cluster_name="c",
            task_definition=self.define().arn,
            group="family:web",
            started_by="",
            zone=f"{REGION}a",
            subnet_id="subnet-1",
            cidr="10.0.11.0/24",
            cpu="256",
            memory="512",
            created_at=wall_clock(),
            containers=[
                Container(name, "web:v1", essential=name == "app", runtime_id=name) for name in ("app", "side")
            ],
            load_balancers=[],
            network={},
            platform_version="1.4.0",
            interface_id="eni-1",
            attachment_id="1",
            secret="s",
            tags={},
            overrides={},
        )
        task = dataclasses.replace(task, **changes)
        self.tables.put_task(REGION, task)
        return task

    async def task(self, task_id: str) -> Task:
        found = await self.engine.run(self.tables.tasks.get, REGION, f"c/{task_id}")
        assert found is not None
        return found

    async def stop(self, task_id: str) -> None:
        row = await self.task(task_id)
        stopped = stop(row, "enough", "UserInitiated", now=wall_clock())
        await self.engine.run(self.tables.put_task, REGION, stopped)

    async def status(self, task_id: str) -> TaskStatus:
        return (await self.task(task_id)).last_status

    @contextlib.asynccontextmanager
    async def driven(self) -> AsyncIterator[asyncio.Task[None]]:
        """Drive the tasks as the control plane does, until the block ends."""
        driver = asyncio.create_task(self.engine.supervise(self.tasks))
        try:
            yield driver
        finally:
            driver.cancel()
            await asyncio.gather(driver, return_exceptions=True)


async def until(condition: Callable[[], Awaitable[object]], *, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - what is waited for is a row
            await asyncio.sleep(0.005)


@pytest.fixture
def world(tmp_path: Path) -> Any:
    world = World(tmp_path / "home")
    yield world
    world.engine.close()


def test_a_launch_that_takes_long_delays_no_other_task_and_is_not_begun_twice(world: World) -> None:
    async def run() -> None:
        world.add_task("slow")
        world.add_task("fast")
        slow = world.supervisor.held["task/slow/app"] = asyncio.Event()
        async with world.driven():
            await until(lambda: is_in(world, "fast", TaskStatus.RUNNING))
            for _ in range(20):
                world.engine.wake()
                await asyncio.sleep(0.001)
            assert await world.status("slow") is TaskStatus.PENDING
            slow.set()
            await until(lambda: is_in(world, "slow", TaskStatus.RUNNING))
        assert sorted(world.supervisor.starts) == [
            "task/fast/app",
            "task/fast/side",
            "task/slow/app",
            "task/slow/side",
        ]

    asyncio.run(run())


async def is_in(world: World, task_id: str, status: TaskStatus) -> bool:
    return await world.status(task_id) is status


def test_a_task_that_is_stopped_while_it_is_launched_is_ended_and_never_comes_back(world: World) -> None:
    async def run() -> None:
        world.add_task("1")
        held = world.supervisor.held["task/1/app"] = asyncio.Event()
        seen: set[TaskStatus] = set()

        async def stopped() -> bool:
            row = await world.task("1")
            seen.add(row.last_status)
            running = any(state.running for state in world.supervisor.processes.values())
            if running:
                leases = await world.engine.run(world.addresses._leases.list, "*")
                assert [lease.owner for lease in leases] == ["ecs/1"]
            return row.last_status is TaskStatus.STOPPED

        async with world.driven():
            await until(lambda: begun(world, "task/1/app"))
            await world.stop("1")
            held.set()
            await until(stopped)
        assert TaskStatus.RUNNING not in seen
        assert TaskStatus.ACTIVATING not in seen
        assert not any(state.running for state in world.supervisor.processes.values())
        assert (await world.task("1")).stop_code == "UserInitiated"
        assert await world.engine.run(world.addresses._leases.list, "*") == []

    asyncio.run(run())


async def begun(world: World, name: str) -> bool:
    return name in world.supervisor.starts


def test_a_task_that_is_stopped_while_its_image_is_pulled_starts_no_process(world: World) -> None:
    def stop_now(_: str) -> None:
        row = world.tables.tasks.get(REGION, "c/1")
        assert row is not None
        world.tables.put_task(REGION, stop(row, "enough", "UserInitiated", now=wall_clock()))

    async def run() -> None:
        world.add_task("1")
        world.resolving = stop_now
        async with world.driven():
            await until(lambda: is_in(world, "1", TaskStatus.STOPPED))
        assert (await world.task("1")).stop_code == "UserInitiated"
        assert world.supervisor.starts == []

    asyncio.run(run())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device"), "CannotStartContainerError: OSError: [Errno 28] No space left"),
        (KeyError("x"), "CannotStartContainerError: KeyError: 'x'"),
    ],
)
def test_whatever_keeps_a_task_from_starting_ends_it_with_the_reason(
    world: World, error: Exception, reason: str
) -> None:
    async def run() -> None:
        world.add_task("1")
        world.supervisor.error = error
        async with world.driven():
            await until(lambda: is_in(world, "1", TaskStatus.STOPPED))
        task = await world.task("1")
        assert task.stop_code == "TaskFailedToStart"
        assert (task.stopped_reason or "").startswith(reason)

    asyncio.run(run())


def test_a_subnet_without_addresses_ends_the_task_with_the_reason(world: World) -> None:
    async def run() -> None:
        world.add_task("1", cidr="10.0.11.0/30")
        async with world.driven():
            await until(lambda: is_in(world, "1", TaskStatus.STOPPED))
        assert "InsufficientFreeAddressesInSubnet" in ((await world.task("1")).stopped_reason or "")

    asyncio.run(run())


def test_one_broken_task_does_not_keep_the_others_from_starting(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        world.add_task("1", load_balancers=[{"targetGroupArn": "broken", "containerPort": 1}])
        world.add_task("2")
        world.add_task("3", task_definition=f"{ARN}:task-definition/none:1")
        async with world.driven():
            await until(lambda: is_in(world, "2", TaskStatus.RUNNING))

    asyncio.run(run())
    told = [record.message for record in caplog.records if "it is tried again" in record.message]
    assert len(told) == 2, told


def test_the_images_stop_signal_is_sent_and_a_side_container_that_ended_is_shown(world: World) -> None:
    async def run() -> None:
        world.add_task("1")
        async with world.driven():
            await until(lambda: is_in(world, "1", TaskStatus.RUNNING))
            world.supervisor.end("task/1/side", 3)
            world.engine.wake()

            async def noted() -> bool:
                side = (await world.task("1")).containers[1]
                return (side.last_status, side.exit_code) == (TaskStatus.STOPPED, 3)

            await until(noted)
            assert await world.status("1") is TaskStatus.RUNNING
            await world.stop("1")
            world.engine.wake()
            await until(lambda: is_in(world, "1", TaskStatus.STOPPED))
        assert world.supervisor.signals == [("task/1/app", signal.SIGINT)]
        assert [container.exit_code for container in (await world.task("1")).containers] == [130, 3]

    asyncio.run(run())


def test_what_runs_beside_the_loop_ends_with_it_and_changes_nothing(world: World) -> None:
    async def run() -> None:
        world.add_task("1")
        world.supervisor.held["task/1/app"] = asyncio.Event()
        async with world.driven():
            await until(lambda: begun(world, "task/1/app"))
        await until(nothing_runs)
        task = await world.task("1")
        assert (task.last_status, task.desired_status) == (TaskStatus.PENDING, TaskStatus.RUNNING)

    async def nothing_runs() -> bool:
        return not any(task.get_name().startswith("ecs-task ") for task in asyncio.all_tasks())

    asyncio.run(run())


def test_processes_that_no_task_stands_for_are_ended_and_others_left_alone(world: World) -> None:
    async def run() -> None:
        for name in ("task/gone/app", "haproxy"):
            world.supervisor.processes[name] = ProcessState(name, 1, 0.0, running=True)
        async with world.driven():
            await until(lambda: asyncio.sleep(0, bool(world.supervisor.signals)))
        assert world.supervisor.signals == [("task/gone/app", signal.SIGKILL)]

    asyncio.run(run())


def add_service(world: World, name: str, definition: TaskDefinition, **changes: Any) -> Service:
    row = Service(
        name=name,
        arn=f"{ARN}:service/c/{name}",
        cluster_arn=f"{ARN}:cluster/c",
        cluster_name="c",
        desired_count=2,
        created_at=wall_clock(),
        created_by="me",
        deployments=[],
        events=[],
        settings={
            "deploymentConfiguration": {
                "minimumHealthyPercent": 100,
                "maximumPercent": 200,
                "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            }
        },
        tags={},
    )
    row = redeployed(dataclasses.replace(row, **changes), definition)
    world.tables.put_service(REGION, row)
    world.tables.clusters.put(REGION, "c", Cluster("c", f"{ARN}:cluster/c", [], None, [], [], {}))
    return row


def redeployed(row: Service, definition: TaskDefinition) -> Service:
    return deployments.deploy(
        row, wall_clock(), task_definition=definition.arn, network={}, load_balancers=[], platform_version="LATEST"
    )


async def service_of(world: World, name: str) -> Service:
    found = await world.engine.run(world.tables.services.get, REGION, f"c/{name}")
    assert found is not None
    return found


def test_one_broken_service_does_not_keep_the_others_from_being_planned(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        definition = world.define()
        add_service(world, "a-broken", definition, settings={})
        add_service(world, "b-fine", definition, desired_count=0)
        for _ in range(3):
            await world.services.step()
        assert (await service_of(world, "b-fine")).steady
        assert not (await service_of(world, "a-broken")).events

    asyncio.run(run())
    told = [record.message for record in caplog.records if "a-broken" in record.message]
    assert len(told) == 1, told


def test_a_service_that_cannot_place_tasks_fails_its_deployment_in_ecs_words(world: World) -> None:
    async def run() -> None:
        add_service(world, "web", world.define())  # without subnets: no task can be placed
        row = await planned_until_it_failed(world)
        assert row.primary.rollout_state_reason == "ECS deployment circuit breaker: tasks failed to start."
        messages = [event.message for event in row.events]
        assert messages[0] == f"(service web) (deployment {row.primary.id}) deployment failed: tasks failed to start."
        count = len(messages)
        await world.services.step()
        assert len((await service_of(world, "web")).events) == count, "a failed deployment starts nothing more"

    asyncio.run(run())


def test_a_failed_deployment_is_rolled_back_to_the_last_completed_one(world: World) -> None:
    async def run() -> None:
        good, bad = world.define("good"), world.define("bad")
        add_service(world, "web", good, desired_count=0)
        await world.services.step()
        row = await service_of(world, "web")
        completed = dataclasses.replace(row.primary, images={"app": "sha256:1"})
        row = redeployed(dataclasses.replace(row.with_deployment(completed), desired_count=1), bad)
        failing = dataclasses.replace(row.primary, failed_tasks=3, last_failure_at=wall_clock())
        await world.engine.run(world.tables.put_service, REGION, row.with_deployment(failing))
        await world.services.step()
        row = await service_of(world, "web")
        assert [item.task_definition for item in row.deployments] == [good.arn, good.arn]
        assert row.primary.rollback
        assert row.primary.images == {"app": "sha256:1"}
        reason = f"ECS deployment circuit breaker: rolling back to deploymentId {completed.id}."
        assert row.primary.rollout_state_reason == reason
        messages = [event.message for event in row.events]
        assert f"(service web) (deployment {failing.id}) deployment failed: tasks failed to start." in messages
        assert f"(service web) rolling back to deployment {completed.id}." in messages

    asyncio.run(run())


async def planned_until_it_failed(world: World) -> Service:
    async def failed() -> bool:
        await world.services.step()
        world.ahead += timedelta(seconds=5)  # over the pause before the next start
        return (await service_of(world, "web")).primary.rollout_state == "FAILED"

    await until(failed)
    return await service_of(world, "web")


def test_tasks_that_fail_to_start_are_counted_for_their_own_deployment(world: World) -> None:
    async def run() -> None:
        old, new = world.define("old"), world.define("new")
        row = redeployed(add_service(world, "web", old), new)
        world.tables.put_service(REGION, row)
        world.supervisor.error = KeyError("x")
        world.add_task("1", group="service:web", started_by=row.deployments[1].id)
        async with world.driven():
            await until(lambda: is_in(world, "1", TaskStatus.STOPPED))
        counted = await service_of(world, "web")
        assert [item.failed_tasks for item in counted.deployments] == [0, 1]
        assert counted.deployments[1].last_failure == "tasks failed to start"

    asyncio.run(run())


def test_tasks_that_a_stopped_host_took_along_are_no_failures(world: World) -> None:
    async def run() -> None:
        row = add_service(world, "web", world.define())
        world.add_task("1", group="service:web", started_by=row.primary.id, last_status=TaskStatus.RUNNING)
        async with world.driven():
            await until(lambda: is_in(world, "1", TaskStatus.STOPPED))
        assert (await world.task("1")).stop_code == "TerminationNotice"
        assert (await service_of(world, "web")).primary.failed_tasks == 0

    asyncio.run(run())


def planned(world: World, count: int) -> float:
    """Look at so many services of four tasks that are as they should be; return what it took.

    Seconds of the worker thread's own time.
    """

    def fill() -> None:
        definition = world.define()
        with world.engine.store.transaction():
            for number in range(count):
                row = add_service(world, f"s{number:03}", definition, desired_count=4)
                for task in range(4):
                    world.add_task(
                        f"{number:03}-{task}",
                        group=f"service:s{number:03}",
                        started_by=row.primary.id,
                        last_status=TaskStatus.RUNNING,
                        started_at=wall_clock() - timedelta(minutes=5),
                    )

    async def run() -> float:
        await world.engine.run(fill)
        await world.services.step()  # a first one writes down that they are steady
        begun = await world.engine.run(time.thread_time)
        await world.services.step()
        return await world.engine.run(time.thread_time) - begun

    taken = asyncio.run(run())
    assert [row.steady for row in world.tables.services.list(REGION)] == [True] * count
    assert len(world.tables.tasks.list(REGION)) == 4 * count
    return taken


def test_a_thousand_services_of_a_cluster_are_planned_within_a_second(world: World) -> None:
    assert planned(world, 1000) < 1
