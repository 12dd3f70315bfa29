"""`deploy` and `rollback` against the API in process: what they register, write, put back and refuse."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.awsrequest import AWSResponse
from moto.core.base_backend import BackendDict

from miyabi.cli.operations import show
from miyabi.cli.output import Output
from miyabi.localcloud.control.ecs import deployments
from miyabi.model.ecs import RolloutState, Service
from miyabi.model.errors import Conflict, Denied, Failed, Interrupted, InvalidInput, NotFound
from miyabi.operations.images import publish_image
from miyabi.policy.circuit_breaker import Tripped
from tests.contract.control_api import REGION, serve
from tests.contract.operated import CLUSTER, SERVICE, Operated

REPOSITORY, PARAMETER = "miyabi-web-api", "/miyabi/dev/image"
MANIFEST = """\
base = "python:3.11-slim"
command = ["python3", "-c", "pass"]
listen_address_variable = "HOST"

[environment]
VERSION = "{tag}"

[files]
"manifest.toml" = "{tag}.toml"
"""


class World(Operated):
    """The operated environment with images v1 to v3, of which v1 runs."""

    def _make(self) -> None:
        super()._make()
        self.served.client("ecr").create_repository(repositoryName=REPOSITORY)
        for tag in ("v1", "v2", "v3"):
            path = self.root / f"{tag}.toml"
            path.write_text(MANIFEST.format(tag=tag))
            self.uri = publish_image(self.cloud(), path, REPOSITORY, tag).uri.rpartition(":")[0]
        self.ssm = self.served.client("ssm")
        self.ssm.put_parameter(Name=PARAMETER, Value=f"{self.uri}:v1", Type="String")
        self.register("v1", memory="512")
        self.ecs.update_service(cluster=CLUSTER, service=SERVICE, taskDefinition="miyabi-app-dev")

    def register(self, tag: str, *, memory: str) -> str:
        """Register a revision from outside; return its ARN."""
        answer = self.ecs.register_task_definition(
            family="miyabi-app-dev",
            cpu="256",
            memory=memory,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            executionRoleArn=f"arn:aws:iam::{self.served.instance.account}:role/execution",
            containerDefinitions=[{"name": "miyabi-app", "image": f"{self.uri}:{tag}", "essential": True}],
        )
        arn: str = answer["taskDefinition"]["taskDefinitionArn"]
        return arn

    def running(self) -> tuple[str, str, str]:
        """Return tag, memory and `family:revision` of what the service runs, as far as the parameter agrees."""
        arn = self.service()["taskDefinition"]
        definition = self.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        image = definition["containerDefinitions"][0]["image"]
        assert self.ssm.get_parameter(Name=PARAMETER)["Parameter"]["Value"] == image
        return image.rpartition(":")[2], definition["memory"], arn.rpartition("/")[2]

    def change_service(self, change: Callable[[Service], Service]) -> None:
        tables = self.served.tables
        self.on_worker(lambda: tables.put_service(REGION, change(tables.service(REGION, CLUSTER, SERVICE))))

    def break_rollout(self) -> None:
        """Do what ECS's circuit breaker does: fail the PRIMARY deployment and begin the one that goes back."""
        last = next(one for one in self.service()["deployments"] if one["rolloutState"] == "COMPLETED")

        def fail(row: Service) -> Service:
            back = next(one for one in row.deployments if one.id == last["id"])
            row, messages = deployments.fail(row, Tripped(deployments.FAILED_TO_START, back), datetime.now(UTC))
            return row.with_events(*messages, ids=["e1", "e2"], now=datetime.now(UTC))

        self.change_service(fail)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    BackendDict.reset()
    (tmp_path / "home").mkdir()
    with serve(tmp_path / "home") as served:
        yield World(served, tmp_path)


def test_diff_names_what_a_tag_would_change(world: World) -> None:
    compared = world.run("service.diff", tag="v2")
    assert [(one.setting, one.after) for one in compared.differences] == [("miyabi-app.image", f"{world.uri}:v2")]
    assert world.run("service.diff", tag="v1").differences == ()


def test_a_deployed_tag_is_a_copy_of_the_running_revision_with_another_image(world: World) -> None:
    before = world.running()[2]
    released = world.run("service.deploy", tag="v2")
    assert (released.steady, released.previous_task_definition) == (True, before)
    assert world.running() == ("v2", "512", released.task_definition)
    assert released.task_definition != before
    for revision in (before, released.task_definition):
        tags = world.ecs.describe_task_definition(taskDefinition=revision, include=["TAGS"])["tags"]
        assert "miyabi:steady" in {tag["key"] for tag in tags}


def test_an_unknown_tag_changes_nothing_and_names_the_newest(world: World) -> None:
    before, settings = world.running(), world.settings()
    with pytest.raises(NotFound, match="image 'v9' not found in repository 'miyabi-web-api'") as caught:
        world.run("service.deploy", settings, tag="v9")
    assert "v3" in str(caught.value.hint)
    assert world.running() == before
    assert not {"ecs:RegisterTaskDefinition", "ssm:PutParameter", "ecs:UpdateService"} & set(settings.cloud.actions)  # type: ignore[attr-defined]
    assert world.lock_item().keys() <= {"lock_id", "fence"}


def test_a_dry_run_can_be_written_as_json(world: World) -> None:
    outcome, written = world.outcome("service.deploy", tag="v2", dry_run=True), io.StringIO()
    output = Output(written, written, environ={})
    output.json = True
    show(output, outcome)
    output.finish()
    calls = json.loads(written.getvalue())["calls"]
    assert "RegisterTaskDefinition" in calls[-1]["params"]["taskDefinition"]


def test_a_dry_run_collects_the_calls_and_sends_none(world: World) -> None:
    before = world.running()
    outcome = world.outcome("service.deploy", tag="v2", dry_run=True)
    operations = [call.operation for call in outcome.calls]
    assert operations == ["TagResource", "RegisterTaskDefinition", "PutParameter", "UpdateService"]
    assert world.running() == before


def test_a_failed_rollout_is_put_back_and_told_when_the_rollback_has_ended(world: World) -> None:
    before = world.running()
    looks = iter([world.break_rollout, world.settle])
    with pytest.raises(Failed) as caught:
        world.run("service.deploy", world.settings(sleep=lambda _: next(looks)()), tag="v2")
    assert f"was rolled back to {before[2]}: " in caught.value.message
    assert "tasks failed to start." in caught.value.message
    assert world.running() == before
    listed = world.ecs.list_task_definitions(familyPrefix="miyabi-app-dev", status="ACTIVE", sort="DESC")
    assert listed["taskDefinitionArns"][0].rpartition("/")[2] == before[2]
    assert world.lock_item().keys() <= {"lock_id", "fence"}


def test_a_rollout_that_another_replaces_is_a_conflict_and_nothing_is_withdrawn(world: World) -> None:
    def another() -> None:
        arn = world.register("v3", memory="512")
        world.ecs.update_service(cluster=CLUSTER, service=SERVICE, taskDefinition=arn)

    with pytest.raises(Conflict, match="it was replaced by miyabi-app-dev:"):
        world.run("service.deploy", world.settings(sleep=lambda _: another()), tag="v2")
    definition = world.ecs.describe_task_definition(taskDefinition="miyabi-app-dev:3")["taskDefinition"]
    assert definition["status"] == "ACTIVE"


def test_an_interruption_says_what_goes_on_and_leaves_the_rollout_to_ecs(world: World) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=r"waiting for the rollout of miyabi-app-dev:3 \(it goes on without us\)"):
        world.run("service.deploy", world.settings(sleep=interrupt), tag="v2")
    world.settle()
    assert world.running()[0] == "v2"
    assert world.lock_item().keys() <= {"lock_id", "fence"}


def test_during_a_deployment_nothing_is_deployed(world: World) -> None:
    world.ecs.update_service(cluster=CLUSTER, service=SERVICE, forceNewDeployment=True)
    for name, values in (("service.deploy", {"tag": "v2"}), ("service.rollback", {})):
        with pytest.raises(Conflict, match="is being deployed"):
            world.run(name, **values)


def test_rollback_takes_the_last_steady_image_and_keeps_the_rest(world: World) -> None:
    world.run("service.deploy", tag="v2")
    arn = world.register("v2", memory="1024")
    world.ecs.update_service(cluster=CLUSTER, service=SERVICE, taskDefinition=arn)
    world.settle()
    released = world.run("service.rollback")
    assert world.running() == ("v1", "1024", released.task_definition)


def test_rollback_passes_over_what_never_ran_steadily(world: World) -> None:
    world.register("v3", memory="512")  # nobody ever deployed it
    world.run("service.deploy", tag="v2")
    outcome = world.outcome("service.rollback")
    assert world.running()[0] == "v1"
    assert outcome.warnings == ()


def test_rollback_to_a_revision_brings_all_of_it_and_says_what_terraform_will_want_back(world: World) -> None:
    world.run("service.deploy", tag="v2")
    arn = world.register("v2", memory="1024")
    world.ecs.update_service(cluster=CLUSTER, service=SERVICE, taskDefinition=arn)
    world.settle()
    outcome = world.outcome("service.rollback", revision="2")
    assert world.running()[:2] == ("v1", "512")
    assert ["memory 1024 → 512" in warning for warning in outcome.warnings] == [True]


def test_there_must_be_something_to_go_back_to(world: World) -> None:
    world.ecs.deregister_task_definition(taskDefinition="miyabi-app-dev:1")
    with pytest.raises(NotFound, match="no earlier version"):
        world.run("service.rollback")
    with pytest.raises(InvalidInput, match="runs already"):
        world.run("service.rollback", revision="2")
    with pytest.raises(NotFound, match="revision 77 of 'miyabi-app-dev' not found"):
        world.run("service.rollback", revision="77")


def test_a_stalled_rollout_is_a_failure_too(world: World) -> None:
    def stall(_: float) -> None:
        def fail(row: Service) -> Service:
            failed = dataclasses.replace(row.primary, rollout_state=RolloutState.FAILED, rollout_state_reason="no.")
            return dataclasses.replace(row, deployments=[failed])

        world.change_service(fail)

    with pytest.raises(Failed, match="no completed deployment to go back to"):
        world.run("service.deploy", world.settings(sleep=stall), tag="v2")


def test_an_update_that_is_refused_leaves_neither_revision_nor_parameter(world: World) -> None:
    before, cloud = world.running(), world.cloud()

    def refuse(action: str, _: int) -> AWSResponse | None:
        if action != "ecs:UpdateService":
            return None
        body = b'{"__type": "AccessDeniedException", "message": "no"}'
        return AWSResponse("http://127.0.0.1:1", 400, {"Content-Type": "application/json"}, Raw(body))

    cloud.hook = refuse
    with pytest.raises(Denied) as caught:
        world.run("service.deploy", world.settings(cloud), tag="v2")
    assert "miyabi-app-dev:3 is deregistered" in str(caught.value.hint)
    assert world.running() == before


class Raw(io.BytesIO):
    """A body as urllib3 hands it on."""

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def test_after_a_stalled_rollout_another_version_can_be_deployed(world: World) -> None:
    def stall(_: float) -> None:
        world.change_service(
            lambda row: row.with_deployment(
                dataclasses.replace(row.primary, rollout_state=RolloutState.FAILED, rollout_state_reason="no.")
            )
        )

    with pytest.raises(Failed):
        world.run("service.deploy", world.settings(sleep=stall), tag="v2")
    released = world.run("service.deploy", tag="v3")
    assert (released.previous_image.rpartition(":")[2], world.running()[0]) == ("v1", "v3")
