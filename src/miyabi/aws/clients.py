"""One cloud, one account, one region: the boto3 clients that speak to it."""

from __future__ import annotations

import copy
import os
import threading
from typing import TYPE_CHECKING, Any, Literal, overload

from miyabi import __version__
from miyabi.aws.calls import Observer, observe
from miyabi.aws.errors import translated

if TYPE_CHECKING:
    import botocore.session
    from botocore.client import BaseClient
    from botocore.config import Config
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_ecr.client import ECRClient
    from mypy_boto3_ecs.client import ECSClient
    from mypy_boto3_elbv2.client import ElasticLoadBalancingv2Client
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_logs.client import CloudWatchLogsClient
    from mypy_boto3_ssm.client import SSMClient
    from mypy_boto3_sts.client import STSClient

_CONNECT_SECONDS = 5
_READ_SECONDS = 60
_ATTEMPTS = 4


class Cloud:
    """Where operations act, and as whom. Safe to share between threads.

    endpoint: None is AWS itself, whatever AWS_ENDPOINT_URL says. With an endpoint nothing of the user's AWS
    configuration is read, and no proxy is used.
    profile: of the user's AWS configuration; None is boto3's usual search for credentials.
    account: the one that is expected to answer; `identity.caller_identity` says which one does.
    """

    def __init__(
        self,
        *,
        region: str,
        account: str | None = None,
        endpoint: str | None = None,
        profile: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
    ) -> None:
        self.region = region
        self.account = account
        self.endpoint = endpoint
        self.profile = profile
        self._access_key = access_key
        self._secret_key = secret_key
        self._session: botocore.session.Session | None = None
        self._observer: Observer | None = None
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Cloud(region={self.region!r}, account={self.account!r}, endpoint={self.endpoint!r})"

    def observed(self, observer: Observer) -> Cloud:
        """Return the same cloud with clients of its own, whose calls an observer sees."""
        with self._lock:
            if self._session is None:
                with translated(f"opening a session in {self.region}"):
                    self._session = self._new_session()
        twin = copy.copy(self)
        twin._clients = {}  # noqa: SLF001 - its own class
        twin._lock = threading.Lock()  # noqa: SLF001
        twin._observer = observer  # noqa: SLF001
        return twin

    @overload
    def client(self, service: Literal["ec2"]) -> EC2Client: ...
    @overload
    def client(self, service: Literal["ecr"]) -> ECRClient: ...
    @overload
    def client(self, service: Literal["ecs"]) -> ECSClient: ...
    @overload
    def client(self, service: Literal["elbv2"]) -> ElasticLoadBalancingv2Client: ...
    @overload
    def client(self, service: Literal["iam"]) -> IAMClient: ...
    @overload
    def client(self, service: Literal["logs"]) -> CloudWatchLogsClient: ...
    @overload
    def client(self, service: Literal["ssm"]) -> SSMClient: ...
    @overload
    def client(self, service: Literal["sts"]) -> STSClient: ...
    @overload
    def client(self, service: str) -> BaseClient: ...

    def client(self, service: str) -> Any:
        """Return the service's client, made at its first use.

        Raises Denied where the profile or its credentials cannot be read. Calls on a client raise botocore's
        errors: wrap them in `errors.translated`.
        """
        with self._lock:
            if service not in self._clients:
                with translated(f"opening a session in {self.region}"):
                    self._clients[service] = self._new_client(service)
            return self._clients[service]

    def _new_client(self, service: str) -> BaseClient:
        if self._session is None:
            self._session = self._new_session()
        client: BaseClient = self._session.create_client(
            service,
            region_name=self.region,
            endpoint_url=self.endpoint,
            aws_access_key_id=self._access_key,
            aws_secret_access_key=self._secret_key,
            config=self._config(),
        )
        if self._observer is not None:
            observe(client, service, self._observer)
        return client

    def _new_session(self) -> botocore.session.Session:
        # boto3 would add a third to the time of a short command, and nothing that is used here.
        import botocore.session  # noqa: PLC0415 - see the package's docstring

        from miyabi.aws.models import ModelFiles  # noqa: PLC0415

        overrides: dict[str, Any] | None = None
        if self.endpoint is not None:
            # An AWS_PROFILE that does not exist, or one with other settings, must not matter here.
            overrides = {
                "profile": (None, None, None, None),
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
            }
        session = botocore.session.Session(session_vars=overrides, profile=self.profile)
        session.set_config_variable("region", self.region)
        session.get_component("data_loader").file_loader = ModelFiles()
        return session

    def _config(self) -> Config:
        from botocore.config import Config  # noqa: PLC0415

        return Config(  # type: ignore[call-arg,unused-ignore]
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            user_agent_extra=f"miyabi/{__version__}",
            ignore_configured_endpoint_urls=self.endpoint is None,
            proxies=None if self.endpoint is None else {},
        )
