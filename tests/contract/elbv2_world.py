"""Elastic Load Balancing without loops; calls go through botocore's serialiser, our parser and back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import OperationModel
from botocore.validate import ParamValidator
from moto.core.request import Request
from moto.ec2.models import ec2_backends
from werkzeug.test import EnvironBuilder

from miyabi.localcloud.control.addresses import AddressBook
from miyabi.localcloud.control.elbv2 import Elbv2
from miyabi.localcloud.control.service import ApiError, Caller, answer
from miyabi.localcloud.control.store import Store

ACCOUNT = "112530848482"
REGION = "us-west-2"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Raw:
    """The body of an answer, as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._body


class World:
    """A service without loops, and a client that speaks to it."""

    def __init__(self, path: Path) -> None:
        self.store = Store(path)
        self.changes = 0
        self.service = Elbv2(self.store, AddressBook(self.store, 77), self._changed)
        self.client: Any = boto3.client(
            "elbv2",
            region_name=REGION,
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            config=Config(retries={"max_attempts": 0}),
        )
        self.client.meta.events.register("before-send.elastic-load-balancing-v2.*", self._send)
        self.client.meta.events.register("after-call.elastic-load-balancing-v2.*", _validate)
        ec2 = ec2_backends[ACCOUNT][REGION]
        self.subnets = [subnet.id for subnet in ec2.describe_subnets()][:2]
        self.vpc = ec2.get_subnet(self.subnets[0]).vpc_id
        self.group_id = next(iter(ec2.describe_security_groups())).id

    def _changed(self) -> None:
        self.changes += 1

    def _send(self, request: Any, **_: object) -> Any:
        builder = EnvironBuilder(
            "/", "https://elasticloadbalancing.us-west-2.amazonaws.com", method="POST", data=request.body
        )
        builder.content_type = "application/x-www-form-urlencoded"
        with self.store.transaction():
            status, headers, body = answer(
                self.service, Request(builder.get_environ()), Caller(ACCOUNT, REGION, "key", NOW), "request-id"
            )
        return AWSResponse(request.url, status, cast("Any", headers), Raw(body))

    def refused(self, call: Any, params: dict[str, Any]) -> str:
        """Return the code with which an operation refuses what no client of botocore's would send."""
        with pytest.raises(ApiError) as error, self.store.transaction():
            call(Caller(ACCOUNT, REGION, "key", NOW), params)
        return str(error.value.code)

    def balancer(self, name: str = "web", **params: Any) -> Any:
        params = {"Subnets": self.subnets, "SecurityGroups": [self.group_id], **params}
        return self.client.create_load_balancer(Name=name, **params)["LoadBalancers"][0]

    def group(self, name: str = "web", **params: Any) -> Any:
        params = {"Protocol": "HTTP", "Port": 8080, "VpcId": self.vpc, "TargetType": "ip", **params}
        return self.client.create_target_group(Name=name, **params)["TargetGroups"][0]

    def listener(self, balancer: Any, group: Any, port: int = 80) -> Any:
        return self.client.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=port,
            DefaultActions=[forward(group)],
        )["Listeners"][0]


def _validate(parsed: dict[str, Any], model: OperationModel, **_: object) -> None:
    """Hold each answer against botocore's model."""
    if model.output_shape is not None and "Error" not in parsed:
        answer_only = {key: value for key, value in parsed.items() if key != "ResponseMetadata"}
        report = ParamValidator().validate(answer_only, model.output_shape)
        assert not report.has_errors(), report.generate_report()


def forward(group: Any) -> dict[str, Any]:
    return {"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}


def group_params(world: World, **params: Any) -> dict[str, Any]:
    return {"Name": "p", "Protocol": "HTTP", "Port": 80, "VpcId": world.vpc, "TargetType": "ip", **params}


def refused(call: Any, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**params)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "control.sqlite")
    yield made
    made.store.close()
