"""Putting a revision into service and seeing it through; what failed is put back as it was."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from miyabi.aws.errors import translated
from miyabi.model.errors import Failed, MiyabiError, NotFound, Unavailable
from miyabi.operations.execution.run import Run
from miyabi.operations.service.changing import update_service
from miyabi.operations.service.found import FoundService
from miyabi.operations.service.revisions import Revision, mark_steady, register_revision, withdraw
from miyabi.operations.service.rollout import Before, Followed, StageTime, before_rollout, follow_rollout
from miyabi.operations.status import last_part


@dataclass(frozen=True, slots=True)
class Released:
    """A version that was put into service."""

    image: str
    """`<repository>:<tag>`, as the task definition names it."""
    task_definition: str
    """`family:revision`."""
    previous_task_definition: str
    previous_image: str
    deployment: str
    """ECS's id."""
    desired_count: int
    steady: bool = False
    """Whether it was observed to run steadily; False before the rollout has ended."""
    seconds: float = 0.0
    stages: tuple[StageTime, ...] = ()
    slowest_stage: str | None = None
    arn: str = field(default="", repr=False)
    before: Before = field(default=Before(frozenset()), repr=False)


def release(run: Run, found: FoundService, running: Revision, base: Revision, image: str) -> Released:
    """Register a copy of `base` with the image, make it the environment's, and let ECS roll it out.

    running: what runs now; it is marked as steady, so that a rollback finds it.
    """
    before = before_rollout(run)
    if not running.steady and found.status.desired_count and found.status.running_count:
        mark_steady(run, running.arn)
    run.step(f"registering a revision with {image}")
    arn = register_revision(run, base, image)
    released = Released(
        image=image,
        task_definition=last_part(arn),
        previous_task_definition=running.name,
        previous_image=running.image,
        deployment="",
        desired_count=found.status.desired_count,
        arn=arn,
        before=before,
    )
    try:
        set_image(run, image)
        run.step(f"deploying {last_part(arn)}")
        updated = update_service(run, taskDefinition=arn)
    except MiyabiError as error:
        # Without an answer ECS may have begun: then nothing is taken back, only said.
        begun = [f"{last_part(arn)} may be on its way: `miyabi service status` says"]
        left = begun if isinstance(error, Unavailable) else _put_back(run, released)
        error.hint = "\n".join(part for part in (error.hint, *left) if part)
        raise
    return replace(released, deployment=updated["deployments"][0]["id"])


def set_image(run: Run, image: str) -> None:
    """Write the parameter from which Terraform takes the image; an environment may have none."""
    name = run.environment.image_parameter
    ssm = run.cloud.client("ssm")
    try:
        with translated(f"writing parameter '{name}'"):
            ssm.get_parameter(Name=name)  # Terraform makes it: one of our own would be in Terraform's way
    except NotFound:
        run.warn(f"parameter '{name}' does not exist: Terraform will not learn that {image} runs")
        return
    with translated(f"writing parameter '{name}'"):
        ssm.put_parameter(Name=name, Value=image, Overwrite=True)


def see_through(run: Run, released: Released, *, deadline: timedelta) -> Released:
    """Follow the rollout and return what was observed.

    Where it failed: the revision is deregistered and the parameter names again what runs. Raises as follow_rollout.
    """
    try:
        followed = follow_rollout(
            run, released.deployment, released.task_definition, released.before, deadline=deadline
        )
    except Failed as error:
        left = _put_back(run, released)
        raise Failed(error.message, hint="\n".join(part for part in (error.hint, *left) if part)) from error
    if not followed.desired_count:
        run.warn("the service wants no task: nothing proves that this version can run")
    else:
        mark_steady(run, released.arn)
    return observed(released, followed)


def observed(released: Released, followed: Followed) -> Released:
    """Return the release with what was seen of its rollout."""
    return replace(
        released,
        steady=True,
        seconds=followed.seconds,
        desired_count=followed.desired_count,
        stages=followed.stages,
        slowest_stage=followed.slowest.stage if followed.slowest else None,
    )


def _put_back(run: Run, released: Released) -> list[str]:
    """Undo what a failed release left: say what could not be undone."""
    run.step(f"putting back {released.previous_image}")
    trouble = []
    try:
        set_image(run, released.previous_image)
    except MiyabiError as error:
        trouble.append(f"the image parameter still names {released.image}: {error.message}")
    complaint = withdraw(run, released.arn)
    if complaint:
        trouble.append(f"{released.task_definition} is still registered: {complaint}")
    if not trouble:
        trouble.append(f"{released.task_definition} is deregistered; the parameter names {released.previous_image}")
    return trouble
