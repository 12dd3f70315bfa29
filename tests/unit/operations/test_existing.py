from __future__ import annotations

import pytest

from miyabi.model.errors import InvalidInput, NotFound
from miyabi.operations.existing import describe_existing, repository_of
from tests.unit.operations.environment import ECS, World


def arns(kind: str, *names: str) -> dict[str, list[str]]:
    return {f"{kind}Arns": [f"{ECS}:{kind}/{name}" for name in names]}


def test_the_only_service_is_described_with_everything_that_belongs_to_it() -> None:
    cloud = World().cloud(
        ecs__ListClusters=lambda: arns("cluster", "miyabi-cluster-dev"),
        ecs__ListServices=lambda: arns("service", "miyabi-cluster-dev/miyabi-service-dev"),
    )
    found = describe_existing(cloud)
    assert (found.account, found.region) == ("112530848482", "us-west-2")
    assert (found.cluster, found.service) == ("miyabi-cluster-dev", "miyabi-service-dev")
    assert (found.task_family, found.container, found.container_port) == ("miyabi-app-dev", "miyabi-app", 8080)
    assert found.log_group == "/ecs/miyabi-dev"
    assert (found.target_group, found.load_balancer, found.health_path) == (
        "miyabi-tg-dev",
        "miyabi-alb-dev",
        "/health",
    )
    assert found.repository == "team/miyabi-web-api"


def test_a_service_without_a_load_balancer_has_none() -> None:
    world = World()
    assert world.service is not None
    world.service["loadBalancers"] = []
    found = describe_existing(world.cloud(), "c", "s")
    assert (found.container, found.container_port) == ("miyabi-app", None)
    assert (found.target_group, found.load_balancer, found.health_path) == (None, None, None)


def test_several_candidates_are_listed() -> None:
    cloud = World().cloud(
        ecs__ListClusters=lambda: arns("cluster", "b", "a"), ecs__ListServices=lambda: arns("service", "a/y", "a/x")
    )
    with pytest.raises(InvalidInput, match="2 clusters in us-west-2: a, b") as error:
        describe_existing(cloud)
    assert error.value.hint == "choose one with --cluster"
    with pytest.raises(InvalidInput, match="2 services in cluster 'a': x, y"):
        describe_existing(cloud, "a")


def test_without_a_candidate_there_is_nothing_to_describe() -> None:
    with pytest.raises(NotFound, match="no cluster in us-west-2"):
        describe_existing(World().cloud(ecs__ListClusters=lambda: arns("cluster")))


def test_a_service_that_is_not_there_is_answered_with_those_that_are() -> None:
    world = World()
    world.service = None
    cloud = world.cloud(ecs__ListServices=lambda: arns("service", "c/web"))
    with pytest.raises(NotFound, match="service 'wbe' not found in cluster 'c'") as error:
        describe_existing(cloud, "c", "wbe")
    assert error.value.hint == "its services: web"


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("112530848482.dkr.ecr.us-west-2.amazonaws.com/web:v1", "web"),
        ("112530848482.dkr.ecr.us-west-2.amazonaws.com/a/web@sha256:00", "a/web"),
        ("112530848482.dkr.ecr.us-west-2.amazonaws.com/web:v1@sha256:00", "web"),
        ("nginx:1", None),
        (None, None),
    ],
)
def test_the_repository_is_read_from_an_ecr_image(image: str | None, repository: str | None) -> None:
    assert repository_of(image) == repository
