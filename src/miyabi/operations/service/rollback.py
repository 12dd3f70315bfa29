"""`rollback`: the last version that ran steadily, or a revision, back into service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from miyabi.model.errors import InvalidInput, NotFound
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run
from miyabi.operations.service.changing import refuse_during_deployment
from miyabi.operations.service.found import find_service
from miyabi.operations.service.release import Released, release, see_through
from miyabi.operations.service.revisions import Revision, describe_revision, differences, earlier_revisions
from miyabi.operations.service.rollout import DEADLINE, ROLLOUT

_LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class RollbackParams:
    """Whereto."""

    revision: int | None = param(
        "Number of the task definition revision to go back to, with all of its settings (default: the image of the "
        "last revision that ran steadily with another one)",
        default=None,
        argument=True,
        minimum=1,
    )
    timeout: timedelta = param("How long to follow the rollout", default=DEADLINE, minimum=10)


@operation(
    "service.rollback",
    effect=Effect.CHANGE,
    permissions=(
        *ROLLOUT,
        "ecs:ListTaskDefinitions",
        "ecs:TagResource",
        "ecs:RegisterTaskDefinition",
        "ecs:DeregisterTaskDefinition",
        "ecs:UpdateService",
        "iam:PassRole",
        "ssm:GetParameter",
        "ssm:PutParameter",
    ),
    verify=lambda run, params, result: see_through(run, result, deadline=params.timeout),
)
def rollback_service(run: Run, params: RollbackParams) -> Released:
    """Go back to the last version that ran steadily, and follow the rollout to its verdict.

    Without a revision the image goes back and everything else stays as it runs: size, environment and secrets are
    Terraform's, whose plan stays empty. With one, all of that revision comes back, and what then differs from
    Terraform's configuration is said.
    """
    found = find_service(run)
    refuse_during_deployment(found, "a rollback")
    running = describe_revision(run, found.running_task_definition)
    if params.revision is None:
        target = _last_steady(run, running)
        return release(run, found, running, running, target.image)
    target = _named(run, running, params.revision)
    changed = [one for one in differences(running, target) if not one.setting.endswith(".image")]
    if changed:
        said = ", ".join(f"{one.setting} {one.before} → {one.after}" for one in changed)
        run.warn(f"beside the image this changes {said}; Terraform's plan will want that back")
    return release(run, found, running, target, target.image)


def _last_steady(run: Run, running: Revision) -> Revision:
    """Return the newest earlier revision with another image, one known to have run steadily before any other."""
    unknown: Revision | None = None
    arns = earlier_revisions(run, running)
    for arn in arns[:_LOOKED_AT]:
        revision = describe_revision(run, arn)
        if revision.image == running.image:
            continue
        if revision.steady:
            return revision
        unknown = unknown or revision
    if unknown is None:
        raise NotFound(
            f"there is no earlier version of '{running.family}' with another image than {running.image}",
            hint=f"{len(arns)} earlier revisions are registered; `miyabi deploy TAG` deploys any image.",
        )
    run.warn(f"nobody recorded that {unknown.name} ever ran steadily: it is the newest with another image")
    return unknown


def _named(run: Run, running: Revision, number: int) -> Revision:
    if number == running.number:
        raise InvalidInput(
            f"revision {number} of '{running.family}' runs already",
            hint="`miyabi service restart` replaces its tasks.",
        )
    try:
        target = describe_revision(run, f"{running.family}:{number}")
    except (NotFound, InvalidInput) as error:  # ECS calls a revision that is not there a wrong parameter
        raise NotFound(
            f"revision {number} of '{running.family}' not found", hint=f"The running one is {running.number}."
        ) from error
    if target.definition.get("status") != "ACTIVE":
        run.warn(f"{target.name} is {target.definition.get('status')}: it was withdrawn; a copy of it is deployed")
    return target
