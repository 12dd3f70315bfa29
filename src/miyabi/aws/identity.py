"""Who the credentials belong to."""

from __future__ import annotations

from dataclasses import dataclass

from miyabi.aws.clients import Cloud
from miyabi.aws.errors import translated


@dataclass(frozen=True, slots=True)
class Identity:
    """The account that answers, and the caller in it."""

    account: str
    arn: str


def caller_identity(cloud: Cloud) -> Identity:
    """Ask the cloud who the caller is. Raises Denied without credentials, Unavailable without an answer."""
    sts = cloud.client("sts")
    with translated(f"asking who the caller is in {cloud.region}"):
        answer = sts.get_caller_identity()
    return Identity(account=answer["Account"], arn=answer["Arn"])
