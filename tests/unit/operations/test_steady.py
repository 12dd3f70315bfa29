from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from miyabi.aws.waiting import Progress
from miyabi.model.errors import Failed, NotFound, Unavailable
from miyabi.operations.status import EnvironmentStatus
from miyabi.operations.steady import wait_until_steady
from tests.unit.operations.environment import Names, World, deployment, stopped_task
from tests.unit.operations.scripted_cloud import Refused, ScriptedCloud


class Wait:
    """Waits in a time of its own; after each look the next change is made."""

    def __init__(self, world: World, *changes: Callable[[World], None]) -> None:
        self.world = world
        self.changes = list(changes)
        self.time = 0.0
        self.seen: list[Progress] = []

    def __call__(self, cloud: ScriptedCloud | None = None, **more: str) -> EnvironmentStatus:
        return wait_until_steady(
            cloud or self.world.cloud(),
            Names(),
            timedelta(seconds=60),
            self.seen.append,
            clock=lambda: self.time,
            sleep=self._sleep,
            task_definition=more.get("task_definition"),
        )

    def _sleep(self, seconds: float) -> None:
        self.time += seconds
        if self.changes:
            self.changes.pop(0)(self.world)


def rolling_out(world: World) -> None:
    assert world.service is not None
    world.service["deployments"] = [
        deployment(2, "IN_PROGRESS", runningCount=0),
        deployment(1, "COMPLETED", "ACTIVE"),
    ]


def rolled_out(world: World) -> None:
    assert world.service is not None
    world.service["deployments"] = [deployment(2)]


def no_task_runs(world: World) -> None:
    assert world.service is not None
    world.service.update(runningCount=0, deployments=[deployment(1, "IN_PROGRESS")])
    world.running, world.health = [], {}


def test_a_steady_service_is_steady_at_the_first_look() -> None:
    wait = Wait(World())
    assert wait().healthy_targets == 2
    assert wait.seen == []


def test_the_wait_says_what_is_still_missing() -> None:
    def one_unhealthy(world: World) -> None:
        rolled_out(world)
        world.health["10.0.11.1"] = "initial"

    world = World()
    rolling_out(world)
    wait = Wait(world, one_unhealthy, lambda world: world.health.update({"10.0.11.1": "healthy"}))
    wait()
    assert [progress.detail for progress in wait.seen] == [
        "the previous deployment still has tasks",
        "1 of 2 targets are healthy",
    ]


def test_a_failed_deployment_is_a_failure_with_the_last_log_lines() -> None:
    def failed(world: World) -> None:
        assert world.service is not None
        world.service["deployments"] = [
            deployment(3, "IN_PROGRESS"),
            deployment(2, "FAILED", "ACTIVE", rolloutStateReason="ECS deployment circuit breaker: tasks failed"),
        ]
        world.stopped = [stopped_task(1), stopped_task(2, exit_code=137)]

    world = World()
    rolling_out(world)
    with pytest.raises(Failed, match="failed to deploy miyabi-app-dev:2: ECS deployment circuit breaker") as error:
        Wait(world, failed)()
    assert "2 tasks stopped, the latest: Essential container in task exited, exit code 137 (task stop2)" in str(
        error.value
    )
    assert error.value.hint is not None
    assert "/ecs/miyabi-dev ecs/miyabi-app/stop2" in error.value.hint
    assert "ValueError: no" in error.value.hint


BROKEN = "ECS deployment circuit breaker: tasks failed to start."
BACK = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1."


def test_a_deployment_that_is_rolled_back_is_a_failure_at_once_though_old_tasks_are_healthy() -> None:
    def tripped(world: World) -> None:
        assert world.service is not None
        world.service["deployments"] = [
            deployment(3, "IN_PROGRESS", taskDefinition=deployment(1)["taskDefinition"], rolloutStateReason=BACK),
            deployment(2, "FAILED", "ACTIVE", rolloutStateReason=BROKEN),
            deployment(1, "COMPLETED", "ACTIVE"),
        ]
        world.stopped = [stopped_task(1, "CannotPullContainerError: web:v9: not found", exit_code=None)]

    world = World()
    rolling_out(world)
    wait = Wait(world, tripped)
    with pytest.raises(
        Failed, match=r"tasks failed to start. It goes back to miyabi-app-dev:1: 1 task stopped: Cannot"
    ):
        wait()
    assert wait.time == 1
    assert world.health == {"10.0.11.1": "healthy", "10.0.11.2": "healthy"}


@pytest.mark.parametrize("seen_before", [True, False])
def test_a_rollback_tells_of_a_failure_that_was_never_seen(seen_before: bool) -> None:
    def tripped(world: World) -> None:
        assert world.service is not None
        world.service["deployments"] = [deployment(3, "IN_PROGRESS", rolloutStateReason=BACK)]

    world = World()
    (rolling_out if seen_before else tripped)(world)
    with pytest.raises(Failed, match="rolling back to deploymentId ecs-svc/1"):
        Wait(world, tripped)()


def test_a_failed_deployment_without_a_way_back_says_how_to_go_on() -> None:
    world = World()
    no_task_runs(world)
    assert world.service is not None
    world.service["deployments"] = [deployment(1, "FAILED", rolloutStateReason=BROKEN)]
    with pytest.raises(Failed, match="tasks failed to start") as error:
        Wait(world)()
    assert error.value.hint is not None
    assert "--cluster miyabi-cluster-dev --service miyabi-service-dev --force-new-deployment" in error.value.hint


def test_tasks_that_keep_failing_beside_healthy_old_ones_fail_the_wait() -> None:
    def failing(world: World) -> None:
        assert world.service is not None
        world.service["deployments"][0]["failedTasks"] += 1
        world.stopped = [*world.stopped, stopped_task(len(world.stopped) + 1)]

    world = World()
    rolling_out(world)
    wait = Wait(world, *[failing] * 4)
    with pytest.raises(Failed, match="cannot start the tasks of miyabi-app-dev:2: 3 tasks stopped"):
        wait()
    assert wait.time == 3


def test_an_older_failed_deployment_does_not_fail_the_new_one() -> None:
    world = World()
    assert world.service is not None
    world.service["deployments"] = [deployment(2, "IN_PROGRESS"), deployment(1, "FAILED", "ACTIVE")]
    Wait(world, rolled_out)()


def test_a_deployment_that_failed_between_two_looks_is_found_in_the_events() -> None:
    def rolled_back(world: World) -> None:
        assert world.service is not None
        world.service["deployments"] = [deployment(1)]
        message = "(service miyabi-service-dev) (deployment ecs-svc/2) deployment failed: tasks failed to start."
        world.service["events"].insert(0, {"id": "x", "message": message})

    world = World()
    rolling_out(world)
    with pytest.raises(Failed, match=r"deployment failed: tasks failed to start"):
        Wait(world, rolled_back)()


def test_another_revision_than_the_wanted_one_is_a_failure() -> None:
    with pytest.raises(Failed, match=r"with miyabi-app-dev:1 and not with miyabi-app-dev:2"):
        Wait(World())(task_definition="miyabi-app-dev:2")


def test_tasks_that_keep_stopping_fail_the_wait_before_its_deadline() -> None:
    def stop_one(world: World) -> None:
        world.stopped = [*world.stopped, stopped_task(len(world.stopped) + 1)]

    world = World()
    no_task_runs(world)
    world.stopped = [stopped_task(50), stopped_task(51), stopped_task(52)]  # from before: not this wait's
    wait = Wait(world, *[stop_one] * 5)
    with pytest.raises(Failed, match="cannot keep its tasks running: 3 tasks stopped"):
        wait()
    assert wait.time == 3


def test_an_image_that_cannot_be_pulled_is_named() -> None:
    def cannot_pull(world: World) -> None:
        world.stopped = [stopped_task(1, "CannotPullContainerError: web:v9: not found", exit_code=None)]

    world = World()
    no_task_runs(world)
    world.lines = []
    with pytest.raises(Failed, match="is not steady after 60 s: 1 task stopped: CannotPullContainerError") as error:
        Wait(world, cannot_pull)()
    assert error.value.hint is not None
    assert "logged nothing" in error.value.hint


def test_the_deadline_without_a_failure_is_not_a_verdict() -> None:
    world = World()
    no_task_runs(world)
    with pytest.raises(Unavailable, match=r"waited 60 s for .*: 0 of 2 tasks run"):
        Wait(world)()


def test_an_answer_that_stays_out_for_a_while_does_not_end_the_wait() -> None:
    world = World()
    rolling_out(world)
    answers = iter([True, False, True, True])

    def clusters() -> dict[str, object]:
        if not next(answers, True):
            raise Refused("ServiceUnavailable", status=503)
        return {"clusters": [{"clusterName": "miyabi-cluster-dev", "status": "ACTIVE"}], "failures": []}

    cloud = world.cloud(ecs__DescribeClusters=clusters)
    wait = Wait(world, lambda _: None, rolled_out)
    wait(cloud)
    assert "no answer" in wait.seen[1].detail


def test_without_the_service_there_is_nothing_to_wait_for() -> None:
    world = World()
    world.service = None
    with pytest.raises(NotFound, match="service 'miyabi-service-dev' not found in us-west-2"):
        Wait(world)()
