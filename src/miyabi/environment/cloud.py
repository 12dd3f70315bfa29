"""The clouds, and what differs between them, as data: nothing else may ask which cloud it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from miyabi.environment.config import Environment
from miyabi.environment.home import Instance
from miyabi.model.errors import Conflict

LOCAL = "local"
AWS = "aws"
CLOUDS = (LOCAL, AWS)
"""The names that `--cloud` takes; the first is the default."""

LOCAL_USER = ":user/miyabi-local"
"""How the ARN of the local cloud's own user ends."""

ImageEngine = Literal["bundle", "docker"]


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key."""

    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """The cloud that answers for an environment, and how to speak to it."""

    name: str
    environment: str
    account: str
    region: str
    endpoint: str | None
    profile: str | None
    keys: Keys | None
    workspace: str
    """Terraform's workspace: each cloud has its own."""
    image_engine: ImageEngine
    """Who makes the image: Miyabi itself, or `docker`."""
    start_hint: str
    """What to do when it does not answer."""
    asks_before_apply: bool
    """Whether a change of infrastructure is shown and confirmed first: on AWS it costs money."""

    def fields(self) -> dict[str, str]:
        """Return what heads every output."""
        return {
            "cloud": self.name,
            "account": self.account,
            "region": self.region,
            "environment": self.environment,
        }


def local_target(environment: Environment, instance: Instance) -> Target:
    """Return the local cloud as `instance` serves it."""
    if instance.account != environment.account:
        raise Conflict(
            f"this local cloud belongs to account {instance.account}, but {environment.file} says "
            f"{environment.account}",
            hint=f"Remove it: miyabi destroy --force --yes {environment.name}; `miyabi up` makes a new one.",
        )
    return Target(
        name=LOCAL,
        environment=environment.name,
        account=environment.account,
        region=environment.region,
        endpoint=instance.endpoint,
        profile=None,
        keys=Keys(instance.access_key, instance.secret_key),
        workspace="local",
        image_engine="bundle",
        start_hint="`miyabi up` starts it.",
        asks_before_apply=False,
    )


def aws_target(environment: Environment) -> Target:
    """Return AWS, as the environment's profile or the user's own configuration reaches it."""
    return Target(
        name=AWS,
        environment=environment.name,
        account=environment.account,
        region=environment.region,
        endpoint=None,
        profile=environment.profile,
        keys=None,
        workspace="default",
        image_engine="docker",
        start_hint="Check the network, then try again.",
        asks_before_apply=True,
    )


def answering_kind(caller_arn: str) -> str:
    """Return which cloud a caller's ARN belongs to."""
    return LOCAL if caller_arn.endswith(LOCAL_USER) else AWS


@dataclass(frozen=True, slots=True)
class RecordedCloud:
    """The cloud that a Terraform state describes (its output `cloud`)."""

    kind: str
    account: str
    region: str


def check_recorded_cloud(recorded: RecordedCloud | None, *, target: Target, answering_account: str, kind: str) -> None:
    """Refuse to change one cloud by the state of another, or another account's."""
    if kind != target.name:
        raise Conflict(
            f"--cloud {target.name} was asked for, but cloud {kind} answers (account {answering_account})",
            hint='`env | grep AWS_` shows where the shell points; `eval "$(miyabi env --unset)"` undoes ours.',
        )
    if answering_account != target.account:
        raise Conflict(
            f"account {answering_account} answers, but environment '{target.environment}' is in {target.account}",
            hint="Use keys of that account (AWS_PROFILE, or `profile` in miyabi.toml), or mend `account`.",
        )
    if recorded is None:
        return
    if (recorded.kind, recorded.account, recorded.region) != (target.name, target.account, target.region):
        raise Conflict(
            f"the Terraform state describes cloud {recorded.kind}, account {recorded.account}, region "
            f"{recorded.region}; this command is for cloud {target.name}, account {target.account}, region "
            f"{target.region}",
            hint="Choose the right --cloud, account and region; or destroy what that state describes first.",
        )
