"""What one invocation was asked for, and what its commands share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from miyabi.cli.output import Output
from miyabi.environment.cloud import CLOUDS

if TYPE_CHECKING:
    from contextlib import ExitStack

    from miyabi.aws.clients import Cloud
    from miyabi.environment.access import Access
    from miyabi.environment.cloud import Target
    from miyabi.environment.config import Environment


@dataclass(slots=True)
class Options:
    """The options that every command takes, before its name or after it."""

    environment: str | None = None
    cloud: str | None = None
    file: str | None = None
    verbose: bool = False


@dataclass(slots=True)
class Session:
    """One invocation."""

    options: Options
    output: Output
    environ: Mapping[str, str]
    """The variables without those of `miyabi env`."""
    raw_environ: Mapping[str, str]
    """The variables as they are."""

    def environment(self) -> Environment:
        """Return the environment that the options name."""
        from miyabi.environment.config import find_project, load_project  # noqa: PLC0415

        path = find_project(self.options.file, start=Path.cwd(), environ=self.environ)
        return load_project(path).environment(self.options.environment)

    def cloud_name(self) -> str:
        """Return the name of the cloud that the options choose."""
        return self.options.cloud or CLOUDS[0]

    def access(self, claims: ExitStack | None = None) -> Access:
        """Return the access to the chosen environment and cloud, and head the output with it.

        claims: where they are given, a local cloud's home is made if there is none; see `open_instance`.
        """
        from miyabi.environment.access import open_access  # noqa: PLC0415

        environment = self.environment()
        self.head(environment)
        return open_access(environment, self.cloud_name(), environ=self.environ, claims=claims)

    def head(self, environment: Environment) -> None:
        """Head the output with the cloud, account, region and environment that it is about."""
        self.output.head(
            {
                "cloud": self.cloud_name(),
                "account": environment.account,
                "region": environment.region,
                "environment": environment.name,
            }
        )

    @staticmethod
    def cloud(target: Target) -> Cloud:
        """Return the connection to a cloud."""
        from miyabi.aws.clients import Cloud  # noqa: PLC0415

        return Cloud(
            region=target.region,
            account=target.account,
            endpoint=target.endpoint,
            profile=target.profile,
            access_key=target.keys.access_key if target.keys else None,
            secret_key=target.keys.secret_key if target.keys else None,
        )
