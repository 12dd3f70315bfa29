"""A real control plane takes 3,000 changes, is stopped at once, and is soon back with all of them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from miyabi.environment.home import FORMAT, Home, Instance
from miyabi.localcloud import lifecycle

CHANGES = 3000
CLIENTS = 6
TARGET_SECONDS = 10


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    home = Home(tmp_path / "home")
    home.create()
    home.write_instance(Instance(FORMAT, "0123abcd", 91, port, "1" * 12, "us-west-2", "AKIATEST", "secret"))
    yield home
    lifecycle.stop(home)


def client(home: Home, service: str) -> Any:
    instance = home.read_instance()
    assert instance is not None
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=instance.endpoint,
        region_name=instance.region,
        aws_access_key_id=instance.access_key,
        aws_secret_access_key=instance.secret_key,
        config=Config(proxies={}),
    )


def change(clients: dict[str, Any], vpc: str, number: int) -> None:
    """Ask for ten changes, as an apply and a destroy mix them."""
    ec2, ssm, secrets = clients["ec2"], clients["ssm"], clients["secretsmanager"]
    group = ec2.create_security_group(GroupName=f"g{number}", Description="d", VpcId=vpc)["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    ec2.create_tags(Resources=[group], Tags=[{"Key": "number", "Value": str(number)}])
    if number % 3:
        ec2.delete_security_group(GroupId=group)
    else:
        ec2.delete_tags(Resources=[group], Tags=[{"Key": "number"}])
    for version in range(3):
        ssm.put_parameter(Name=f"/p/{number % 50}", Value=f"{version}", Type="String", Overwrite=True)
    secrets.create_secret(Name=f"s{number}", SecretString="one")
    secrets.put_secret_value(SecretId=f"s{number}", SecretString="two")
    secrets.delete_secret(SecretId=f"s{number}", ForceDeleteWithoutRecovery=True)


def look(home: Home) -> dict[str, Any]:
    ec2, ssm = client(home, "ec2"), client(home, "ssm")
    names = [f"/p/{number}" for number in range(10)]
    return {
        "vpcs": ec2.describe_vpcs()["Vpcs"],
        "groups": sorted(ec2.describe_security_groups()["SecurityGroups"], key=lambda group: group["GroupId"]),
        "parameters": ssm.get_parameters(Names=names)["Parameters"],
    }


def test_a_start_after_3000_changes_takes_at_most_ten_seconds(home: Home) -> None:
    """The best of up to three starts: other work on the machine only adds time."""
    lifecycle.start(home, deadline_seconds=60)
    vpc = client(home, "ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    clients = {service: client(home, service) for service in ("ec2", "ssm", "secretsmanager")}
    with ThreadPoolExecutor(CLIENTS) as team:
        list(team.map(partial(change, clients, vpc), range(CHANGES // 10)))
    before = look(home)
    seconds: list[float] = []
    while not seconds or (min(seconds) > TARGET_SECONDS and len(seconds) < 3):
        lifecycle.stop(home)
        began = time.monotonic()
        lifecycle.start(home, deadline_seconds=60)
        seconds.append(time.monotonic() - began)
        assert look(home) == before
    print(f"started after {CHANGES} changes in {', '.join(f'{s:.1f}' for s in seconds)} s")  # noqa: T201
    assert min(seconds) <= TARGET_SECONDS
