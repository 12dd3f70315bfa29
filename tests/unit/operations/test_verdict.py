"""How a deployment stands, from what ECS reports: every way in which a rollout goes on and ends."""

from __future__ import annotations

import pytest

from miyabi.operations.status import DeploymentStatus, ServiceEvent, ServiceStatus
from miyabi.operations.verdict import End, Stage, judge


def deployment(
    name: str, state: str = "IN_PROGRESS", *, running: int = 2, desired: int = 2, status: str = "ACTIVE", why: str = ""
) -> DeploymentStatus:
    return DeploymentStatus(name, status, f"app:{name}", state, why, desired, running, 0, 0, None)


def primary(name: str, state: str = "IN_PROGRESS", **more: object) -> DeploymentStatus:
    return deployment(name, state, status="PRIMARY", **more)  # type: ignore[arg-type]


def service(*deployments: DeploymentStatus, events: tuple[str, ...] = ()) -> ServiceStatus:
    return ServiceStatus("app", "ACTIVE", 2, 2, 0, deployments, tuple(ServiceEvent(None, text) for text in events))


OLD = deployment("1", "COMPLETED")
RETIRED = deployment("1", "COMPLETED", desired=0, running=1)
BACK = "ECS deployment circuit breaker: rolling back to deploymentId 1."


@pytest.mark.parametrize(
    ("deployments", "stage"),
    [
        ((primary("2", running=0), OLD), Stage.STARTING),
        ((primary("2"), OLD), Stage.CHECKING),
        ((primary("2"), RETIRED), Stage.DRAINING),
        ((primary("2", "COMPLETED"), RETIRED), Stage.DRAINING),
        ((primary("2"),), Stage.CHECKING),
    ],
)
def test_a_rollout_under_way_is_at_its_stage(deployments: tuple[DeploymentStatus, ...], stage: Stage) -> None:
    seen = judge("2", service(*deployments))
    assert (seen.stage, seen.end) == (stage, None)
    assert "tasks of app:2 run" in seen.detail


def test_it_is_steady_when_it_is_complete_and_alone() -> None:
    assert judge("2", service(primary("2", "COMPLETED"))).end is End.STEADY


def test_a_failed_one_without_a_way_back_is_stalled() -> None:
    seen = judge("2", service(primary("2", "FAILED", why="tasks failed to start.")))
    assert (seen.end, seen.reason) == (End.STALLED, "tasks failed to start.")


def test_a_rollback_is_followed_until_the_failed_tasks_are_gone() -> None:
    failed = deployment("2", "FAILED", running=0, why="tasks failed to start.")
    for under_way in (service(primary("3", why=BACK), failed), service(primary("3", "COMPLETED"), failed)):
        seen = judge("2", under_way)
        assert (seen.stage, seen.end, seen.reason) == (Stage.ROLLING_BACK, None, "tasks failed to start.")
    ended = service(primary("3", "COMPLETED"))
    assert judge("2", ended, failed="tasks failed to start.").end is End.ROLLED_BACK


def test_a_rollback_that_nobody_saw_begin_is_found_in_the_events() -> None:
    said = "(service app) (deployment 2) deployment failed: tasks failed to start."
    seen = judge("2", service(primary("3", "COMPLETED"), events=(said,)))
    assert (seen.end, seen.reason) == (End.ROLLED_BACK, said)


def test_a_rollback_under_way_whose_deployment_is_forgotten_goes_on() -> None:
    seen = judge("2", service(primary("3", why=BACK)))
    assert (seen.stage, seen.end, seen.reason) == (Stage.ROLLING_BACK, None, BACK)


@pytest.mark.parametrize("rest", [(), (deployment("2"),)])
def test_another_deployment_supersedes_it(rest: tuple[DeploymentStatus, ...]) -> None:
    seen = judge("2", service(primary("9"), *rest))
    assert (seen.end, seen.reason) == (End.SUPERSEDED, None)
    assert "app:9" in seen.detail
