"""`deploy TAG`: another image for the service, followed to its verdict; `service diff`: what it would change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from miyabi.aws.errors import translated
from miyabi.model.errors import NotFound
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run
from miyabi.operations.images import list_images
from miyabi.operations.service.changing import refuse_during_deployment
from miyabi.operations.service.found import find_service
from miyabi.operations.service.release import Released, release, see_through
from miyabi.operations.service.revisions import Difference, Revision, describe_revision
from miyabi.operations.service.rollout import DEADLINE, ROLLOUT
from miyabi.operations.status import task_pages

_NEWEST = 5


@dataclass(frozen=True, slots=True)
class DeployParams:
    """Which version."""

    tag: str = param("Tag of the image in the environment's repository", argument=True)
    timeout: timedelta = param("How long to follow the rollout", default=DEADLINE, minimum=10)


@dataclass(frozen=True, slots=True)
class DiffParams:
    """Which version."""

    tag: str = param("Tag of the image in the environment's repository", argument=True)


@dataclass(frozen=True, slots=True)
class Compared:
    """What a deployment of a tag would change."""

    image: str
    digest: str
    pushed_at: datetime | None
    task_definition: str
    """The revision that runs."""
    running_image: str
    running_digests: tuple[str, ...]
    """Of the tasks that run; several in the middle of a rollout."""
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Whether exactly this image runs."""
        return not self.differences and set(self.running_digests) <= {self.digest}


@operation(
    "service.diff",
    effect=Effect.READ,
    permissions=(
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecr:DescribeRepositories",
        "ecr:DescribeImages",
    ),
)
def diff_service(run: Run, params: DiffParams) -> Compared:
    """Say what deploying a tag would change: the image, its digest, the task definition."""
    running = describe_revision(run, find_service(run).running_task_definition)
    return _compare(run, running, params.tag)


@operation(
    "service.deploy",
    effect=Effect.CHANGE,
    permissions=(
        *ROLLOUT,
        "ecs:TagResource",
        "ecs:RegisterTaskDefinition",
        "ecs:DeregisterTaskDefinition",
        "ecs:UpdateService",
        "iam:PassRole",
        "ecr:DescribeRepositories",
        "ecr:DescribeImages",
        "ssm:GetParameter",
        "ssm:PutParameter",
    ),
    verify=lambda run, params, result: see_through(run, result, deadline=params.timeout),
)
def deploy_service(run: Run, params: DeployParams) -> Released:
    """Deploy another image and follow the rollout to its verdict.

    A revision is registered from the one that runs, the image parameter is set, and ECS replaces the tasks. The
    verdict is what was observed: steady, or rolled back (exit 1) with each stopped task's reason and last log lines;
    then the revision is deregistered and the parameter put back.
    """
    found = find_service(run)
    refuse_during_deployment(found, "another deployment")
    running = describe_revision(run, found.running_task_definition)
    run.step(f"looking for {params.tag} in repository '{run.environment.repository}'")
    compared = _compare(run, running, params.tag)
    if compared.same:
        run.warn(f"{params.tag} runs already, with this digest: its tasks are replaced nevertheless")
    return release(run, found, running, running, compared.image)


def _compare(run: Run, running: Revision, tag: str) -> Compared:
    repository = run.environment.repository
    with translated(f"describing repository '{repository}'"):
        found = run.cloud.client("ecr").describe_repositories(repositoryNames=[repository])["repositories"]
    images = list_images(run.cloud, repository)
    wanted = next((one for one in images if tag in one.tags), None)
    if wanted is None:
        newest = [name for one in images for name in one.tags][:_NEWEST]
        raise NotFound(
            f"image '{tag}' not found in repository '{repository}'",
            hint=f"It has, newest first: {', '.join(newest)}." if newest else "It is empty: `miyabi image build`.",
        )
    image = f"{found[0]['repositoryUri']}:{tag}"
    changes = [Difference(f"{run.environment.container}.image", running.image, image)] if running.image != image else []
    digests = _running_digests(run)
    if digests and digests != (wanted.digest,):
        changes.append(Difference("digest", ", ".join(digests), wanted.digest))
    return Compared(
        image=image,
        digest=wanted.digest,
        pushed_at=wanted.pushed_at,
        task_definition=running.name,
        running_image=running.image,
        running_digests=digests,
        differences=tuple(changes),
    )


def _running_digests(run: Run) -> tuple[str, ...]:
    """Return the digests of the environment's container in the tasks that run."""
    names = run.environment
    with translated(f"describing the tasks of service '{names.service}'"):
        found = {
            container.get("imageDigest", "")
            for page in task_pages(run.cloud, names, "RUNNING")
            for task in page
            for container in task.get("containers", [])
            if container.get("name") == names.container
        }
    return tuple(sorted(found - {""}))
