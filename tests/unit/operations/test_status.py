from __future__ import annotations

import msgspec
import pytest

from miyabi.model.errors import Denied, Unavailable
from miyabi.operations.status import describe_environment
from tests.unit.operations.environment import GROUP, Names, World
from tests.unit.operations.scripted_cloud import Refused, ScriptedCloud


def test_a_whole_environment_is_described() -> None:
    world = World()
    world.health["10.0.11.2"] = "unhealthy"
    status = describe_environment(world.cloud(), Names())
    assert status.missing == ()
    assert status.cluster is not None
    assert status.service is not None
    assert (status.service.desired_count, status.service.running_count, status.service.pending_count) == (2, 2, 0)
    assert status.service.deployments[0].task_definition == "miyabi-app-dev:1"
    assert len(status.service.events) == 5
    assert [(task.id, task.zone, task.address, task.health) for task in status.tasks] == [
        ("run2", "us-west-2a", "10.0.11.2", "unhealthy"),
        ("run1", "us-west-2b", "10.0.11.1", "healthy"),
    ]
    assert status.tasks[0].image_digest == "sha256:2"
    assert status.load_balancer is not None
    assert (status.load_balancer.dns_name, status.load_balancer.state) == ("alb.example", "active")
    assert status.target_group == GROUP
    assert [(target.health, target.reason) for target in status.targets] == [
        ("healthy", None),
        ("unhealthy", "Target.Timeout"),
    ]
    assert status.healthy_targets == 1
    assert status.image == "web:v1"


def test_a_load_balancer_that_is_not_active_says_why() -> None:
    world = World()
    world.balancer_state = {"Code": "active_impaired", "Reason": "port 80 on 127.9.1.4 is taken by another process"}
    balancer = describe_environment(world.cloud(), Names()).load_balancer
    assert balancer is not None
    assert (
        balancer.complaint()
        == "load balancer 'miyabi-alb-dev' is active_impaired: port 80 on 127.9.1.4 is taken by another process"
    )
    assert "End that program" in balancer.mend()


def test_a_status_can_be_encoded() -> None:
    encoded = msgspec.json.decode(msgspec.json.encode(describe_environment(World().cloud(), Names())))
    assert encoded["tasks"][0]["started_at"] == "2025-11-18T12:00:00Z"


def test_the_primary_deployment_comes_first() -> None:
    world = World()
    assert world.service is not None
    primary = world.service["deployments"][0]
    world.service["deployments"] = [{**primary, "id": "old", "status": "ACTIVE"}, primary]
    status = describe_environment(world.cloud(), Names())
    assert status.service is not None
    assert [one.status for one in status.service.deployments] == ["PRIMARY", "ACTIVE"]


def test_what_does_not_exist_is_listed_as_missing() -> None:
    world = World()
    world.service, world.balancer, world.image = None, False, None
    status = describe_environment(world.cloud(), Names())
    assert status.missing == (
        "service 'miyabi-service-dev'",
        "load balancer 'miyabi-alb-dev'",
        "target group 'miyabi-tg-dev'",
        "parameter '/miyabi/dev/image'",
    )
    assert status.tasks == ()


def test_without_a_cluster_the_service_is_not_asked_for() -> None:
    world = World()
    world.cluster = False
    cloud = world.cloud()
    status = describe_environment(cloud, Names())
    assert status.missing == ("cluster 'miyabi-cluster-dev'",)
    assert "ecs:DescribeServices" not in {name for name, _ in cloud.calls}


def test_a_deleted_service_is_missing() -> None:
    world = World()
    assert world.service is not None
    world.service["status"] = "INACTIVE"
    assert describe_environment(world.cloud(), Names()).missing == ("service 'miyabi-service-dev'",)


@pytest.mark.parametrize(
    ("refused", "kind"),
    [(Refused("ExpiredTokenException"), Denied), (Refused("ServerException", status=500), Unavailable)],
)
def test_without_credentials_or_an_answer_there_is_no_status(refused: Refused, kind: type[Exception]) -> None:
    def refuse() -> dict[str, object]:
        raise refused

    with pytest.raises(kind, match="describing cluster 'miyabi-cluster-dev' in us-west-2"):
        describe_environment(ScriptedCloud({"ecs:DescribeClusters": refuse}), Names())
