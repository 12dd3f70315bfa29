"""The phases that bring an environment up, the same in every cloud: init, apply, image, service."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from miyabi.aws.clients import Cloud
from miyabi.aws.errors import translated
from miyabi.aws.identity import caller_identity
from miyabi.aws.waiting import Progress
from miyabi.cli.background import Background
from miyabi.cli.output import Output
from miyabi.cli.resources import ResourceLines
from miyabi.environment.access import Access
from miyabi.environment.cloud import Target, answering_kind, check_recorded_cloud
from miyabi.environment.config import Environment
from miyabi.environment.terraform.configuration import read_configuration
from miyabi.environment.terraform.failures import AlreadyExists, Existing
from miyabi.environment.terraform.program import find_program
from miyabi.environment.terraform.runs import Run, Terraform
from miyabi.environment.terraform.state import recorded_cloud
from miyabi.model.errors import Failed, InvalidInput, NotFound
from miyabi.model.image import Bundle
from miyabi.operations.adopt import find_adoptable
from miyabi.operations.images import PushedImage, build_image, list_images, publish_image, push_image
from miyabi.operations.manifest import read_manifest
from miyabi.operations.staging import check_sources
from miyabi.operations.status import EnvironmentStatus, describe_load_balancer, describe_service
from miyabi.operations.steady import wait_until_steady

_STEADY = timedelta(minutes=10)
_REPOSITORY_LOOK_SECONDS = 0.5
_BALANCER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What `up` brought about."""

    applied: Run | None
    """None where there was nothing to apply."""
    image: PushedImage | None
    status: EnvironmentStatus
    outputs: dict[str, Any]


def start_build(access: Access) -> Background[Bundle | None]:
    """Begin to build the image, where there is one to build and Miyabi builds it itself."""
    manifest = access.environment.image
    if manifest is None or access.target.image_engine != "bundle":
        return Background(lambda: None)
    return Background(lambda: build_image(manifest))


def provision(
    access: Access,
    terraform: Terraform,
    cloud: Cloud,
    output: Output,
    *,
    build: Background[Bundle | None],
    force_apply: bool,
    confirm: Callable[[str], None],
) -> Provisioned:
    """Bring the infrastructure to what is configured, the image into its repository, the service to steady."""
    work = _Work(access, terraform, cloud, output, build)
    record = terraform.read_applied()
    new_tag = record is not None and record.tag != access.environment.tag
    applied = None
    if force_apply or not terraform.is_applied():
        work.initialise()
        check_cloud(access, terraform, cloud)
        if new_tag:
            image = work.publish(threading.Event(), new_tag=True)
            work.set_image(image)
            applied = work.apply(confirm)
        else:
            applied, image = work.apply_with_image(confirm, new_tag=record is None)
        terraform.write_applied(tag=access.environment.tag, digest=image.digest if image else None)
    else:
        output.phase("terraform", 0.0, "nothing to apply: files and variables are as at the last apply")
        image = work.publish(threading.Event(), new_tag=False)
    work.show_image(image)
    if record is not None and not new_tag:  # else the apply has just started the deployment
        work.redeploy_where_needed(image)
    return Provisioned(applied, image, work.wait(), terraform.outputs())


def check_cloud(access: Access, terraform: Terraform, cloud: Cloud) -> None:
    """Refuse to act where the cloud that answers is not the one that the state describes."""
    identity = caller_identity(cloud)
    check_recorded_cloud(
        recorded_cloud(terraform.outputs()),
        target=access.target,
        answering_account=identity.account,
        kind=answering_kind(identity.arn),
    )


def check_identity(target: Target, cloud: Cloud) -> None:
    """Refuse to go on without credentials, or with those of another cloud or account. Writes nothing."""
    identity = caller_identity(cloud)
    check_recorded_cloud(None, target=target, answering_account=identity.account, kind=answering_kind(identity.arn))


def check_files(environment: Environment, environ: Mapping[str, str]) -> None:
    """Refuse a configuration, a program or an image manifest that cannot be used, before anything is started."""
    read_configuration(environment.terraform)
    find_program(environ)
    manifest = environment.image
    if manifest is not None:
        check_sources(read_manifest(manifest), manifest.resolve().parent)


def resume_hint(command: str) -> str:
    """Return how to go on after an interruption."""
    return f"`{command}` goes on from there."


class _Work:
    """The phases, and what they share."""

    def __init__(
        self, access: Access, terraform: Terraform, cloud: Cloud, output: Output, build: Background[Bundle | None]
    ) -> None:
        self._environment = access.environment
        self._target = access.target
        self._terraform = terraform
        self._cloud = cloud
        self._output = output
        self._build = build
        self._image_seconds = 0.0

    def initialise(self) -> None:
        """Run init where it is needed."""
        if not self._terraform.needs_init():
            return
        begun = time.monotonic()
        self._terraform.init()
        self._output.phase("terraform init", time.monotonic() - begun, self._terraform.program.name)

    def apply_with_image(self, confirm: Callable[[str], None], *, new_tag: bool) -> tuple[Run, PushedImage | None]:
        """Apply, and push the image beside it as soon as the repository is there."""
        self._build.result()  # a manifest that cannot be built is known before anything is made
        over = threading.Event()
        pushing = Background(lambda: self.publish(over, new_tag=new_tag))
        try:
            run = self.apply(confirm)
        finally:
            over.set()
        return run, pushing.result()

    def apply(self, confirm: Callable[[str], None]) -> Run:
        """Apply; what exists already and is ours, as an apply that was killed leaves it, is adopted first."""
        begun = time.monotonic()
        adopted: set[str] = set()
        while True:
            try:
                run = self._apply_once(confirm)
            except AlreadyExists as error:
                wanted = [one for one in error.resources if one.address not in adopted]
                if not wanted:
                    raise
                adopted.update(self._adopt(wanted, confirm))
            else:
                break
        summary = run.summary
        detail = f"{summary.added} added, {summary.changed} changed, {summary.destroyed} destroyed" if summary else ""
        self._output.phase("terraform apply", time.monotonic() - begun, detail)
        return run

    def _adopt(self, existing: Sequence[Existing], confirm: Callable[[str], None]) -> list[str]:
        """Take into the state what exists and carries this environment's tags; refuse anything else."""
        found = [
            find_adoptable(
                self._cloud,
                one.address,
                one.name,
                tags=self._environment.tags(),
                cluster=self._environment.cluster,
            )
            for one in existing
        ]
        if self._target.asks_before_apply:
            names = ", ".join(one.address for one in found)
            confirm(f"{names}: exists already with this environment's tags, and is taken into the state")
        for one in found:
            self._terraform.adopt(one.address, one.id)
            self._output.progress(f"    {'':9} {'adopted':<16} {one.address} (it existed already, with our tags)")
        return [one.address for one in found]

    def _apply_once(self, confirm: Callable[[str], None]) -> Run:
        """Apply; where the cloud asks for it, show what would change and have it confirmed."""
        lines = ResourceLines(self._output)
        with contextlib.ExitStack() as stack:
            plan = None
            if self._target.asks_before_apply:
                plan = Path(stack.enter_context(TemporaryDirectory(prefix="miyabi-plan-"))) / "plan"
                planned = self._terraform.plan(plan, lines.show).summary
                if planned is not None and planned.total:
                    confirm(f"{planned.added} to add, {planned.changed} to change, {planned.destroyed} to destroy")
            return self._terraform.apply(lines.show, plan=plan, resume=resume_hint("miyabi up"))

    def publish(self, over: threading.Event, *, new_tag: bool) -> PushedImage | None:
        """Push the image; until the apply is over, wait for its repository.

        new_tag: push under the tag even where the repository has the image under another one.
        """
        manifest = self._environment.image
        if manifest is None:
            return None
        while True:
            last = over.is_set()
            bundle = self._build.result()
            begun = time.monotonic()
            try:
                image = self._push(manifest, bundle, new_tag=new_tag)
            except NotFound as error:
                if last or self._environment.repository not in error.message:
                    raise
                over.wait(_REPOSITORY_LOOK_SECONDS)
            else:
                self._image_seconds = self._build.seconds + time.monotonic() - begun
                return image

    def _push(self, manifest: Path, bundle: Bundle | None, *, new_tag: bool) -> PushedImage | None:
        repository, tag = self._environment.repository, self._environment.tag
        if bundle is None:
            return publish_image(self._cloud, manifest, repository, tag, engine=self._target.image_engine)
        if not new_tag:
            tags = self._tags_of(bundle.digest)
            if tags and tag not in tags:
                self._output.progress(f"    image: what {manifest.name} describes is in the repository as {tags[0]}")
                return None
        return push_image(self._cloud, bundle, repository, tag)

    def _tags_of(self, digest: str) -> tuple[str, ...]:
        images = list_images(self._cloud, self._environment.repository)
        return next((image.tags for image in images if image.digest == digest), ())

    def show_image(self, image: PushedImage | None) -> None:
        """Say what is in the repository."""
        if image is not None:
            said = "pushed" if image.changed else "in the repository"
            detail = f"{self._environment.repository}:{image.tag} {image.digest[:19]} {said}"
            self._output.phase("image", self._image_seconds, detail)

    def set_image(self, image: PushedImage | None) -> None:
        """Let the image parameter name an image; the next apply registers it."""
        if image is None:
            return
        name = self._environment.image_parameter
        with translated(f"setting parameter '{name}'"):
            self._cloud.client("ssm").put_parameter(Name=name, Value=image.uri, Overwrite=True)

    def redeploy_where_needed(self, image: PushedImage | None) -> None:
        """Start a new deployment where the running one cannot have the image that its tag now means."""
        with translated(f"describing service '{self._environment.service}'"):
            service = describe_service(self._cloud, self._environment)
        failed = service is not None and any(one.rollout_state == "FAILED" for one in service.deployments[:1])
        if service is None or not (failed or (image and image.changed)):
            return
        why = "the last deployment failed" if failed else f"the image under tag {self._environment.tag} has changed"
        if self._target.asks_before_apply:
            self._output.progress(
                f"    {why}; to deploy: aws ecs update-service --cluster {self._environment.cluster} "
                f"--service {self._environment.service} --force-new-deployment"
            )
            return
        with translated(f"starting a deployment of service '{self._environment.service}'"):
            self._cloud.client("ecs").update_service(
                cluster=self._environment.cluster, service=self._environment.service, forceNewDeployment=True
            )
        self._output.progress(f"    {why}: a new deployment starts")

    def wait(self) -> EnvironmentStatus:
        """Wait until the service is steady, saying what it waits for."""
        begun = time.monotonic()
        said = ""

        def tell(progress: Progress) -> None:
            nonlocal said
            if progress.detail != said:
                said = progress.detail
                self._output.progress(f"    {progress.elapsed.total_seconds():7.0f} s  waiting: {said}")

        status = wait_until_steady(self._cloud, self._environment, _STEADY, tell, step=timedelta(seconds=0.5))
        self._await_load_balancer(status)
        running = status.service.running_count if status.service else 0
        detail = f"{running} tasks run, {status.healthy_targets} targets healthy"
        self._output.phase("service steady", time.monotonic() - begun, detail)
        return status

    def _await_load_balancer(self, status: EnvironmentStatus) -> None:
        """Give a load balancer that is not active a little longer; then that is the verdict."""
        balancer = status.load_balancer
        until = time.monotonic() + _BALANCER_SECONDS
        while balancer is not None and balancer.state != "active":
            if time.monotonic() > until:
                raise Failed(balancer.complaint(), hint=balancer.mend())
            time.sleep(0.5)
            with translated(f"describing load balancer '{balancer.name}'"):
                balancer = describe_load_balancer(self._cloud, self._environment)


def confirm_by_name(
    name: str, given: str | None, what: str, *, option: str, called: str = "the environment's name"
) -> None:
    """Have a name typed, or given by an option; refuse anything else."""
    if given is None:
        if sys.stdin is None or not sys.stdin.isatty():
            raise InvalidInput(
                f"{what}: nobody is there to confirm it", hint=f"Give {option} {name}. Nothing was done."
            )
        given = click.prompt(f"{what}. Type {called} to go on", default="", show_default=False, err=True)
    if given != name:
        raise InvalidInput(
            f"'{given}' is not {called}", hint=f"Type {name}, or give {option} {name}. Nothing was done."
        )
