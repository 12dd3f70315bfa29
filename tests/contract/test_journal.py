"""What was acknowledged before a restart is there after it, under the same ids and dates."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import resource
import signal
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest
from botocore.exceptions import ClientError
from moto.core.base_backend import BackendDict
from moto.core.request import Request

from miyabi.environment.home import FORMAT, Home
from miyabi.localcloud.control.journal import Journal
from miyabi.localcloud.control.stock import StockServices
from miyabi.model.errors import Internal
from tests.contract.control_api import ACCOUNT, REGION, Served, serve

TRUST = '{"Version":"2012-10-17","Statement":[]}'


@pytest.fixture(autouse=True)
def forget_moto() -> Iterator[Callable[[], None]]:
    """Start each test without moto's state, and yield what forgets it again, as a new process would."""
    BackendDict.reset()
    yield BackendDict.reset
    BackendDict.reset()


def fill(api: Served) -> None:
    ec2 = api.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.11.0/24")
    ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)
    api.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    api.client("ecr").create_repository(repositoryName="web")
    api.client("ssm").put_parameter(Name="/a/b", Value="x" * 3000, Type="String")
    api.client("s3").create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    api.client("s3").put_object(Bucket="bucket", Key="a key/ü", Body=b"\x00" * 100_000)
    api.client("ecs").create_cluster(clusterName="c")


def look(api: Served) -> dict[str, Any]:
    ec2 = api.client("ec2")
    return {
        "vpcs": ec2.describe_vpcs()["Vpcs"],
        "subnets": ec2.describe_subnets()["Subnets"],
        "groups": ec2.describe_security_groups()["SecurityGroups"],
        "role": api.client("iam").get_role(RoleName="r")["Role"],
        "repositories": api.client("ecr").describe_repositories()["repositories"],
        "parameter": api.client("ssm").get_parameter(Name="/a/b")["Parameter"],
        "object": api.client("s3").get_object(Bucket="bucket", Key="a key/ü")["Body"].read(),
        "clusters": api.client("ecs").describe_clusters(clusters=["c"])["clusters"],
    }


def test_a_restart_brings_back_the_same_ids_dates_and_contents(tmp_path: Path, forget_moto: Callable[[], None]) -> None:
    with serve(tmp_path) as api:
        fill(api)
        before = look(api)
    forget_moto()
    with serve(tmp_path) as api:
        assert look(api) == before


def test_a_home_of_format_1_is_upgraded_with_all_that_is_in_it(tmp_path: Path, forget_moto: Callable[[], None]) -> None:
    home = Home(tmp_path)
    with serve(tmp_path) as api:
        fill(api)
        before = look(api)
    (home.state / "journal" / "00000001.jsonl").replace(home.state / "journal.jsonl")
    (home.state / "journal" / "archive").rmdir()
    (home.state / "journal").rmdir()
    with contextlib.closing(sqlite3.connect(home.state / "control.sqlite")) as connection:
        connection.execute("PRAGMA user_version=0")
    first = home.read_instance()
    assert first is not None
    home.write_instance(dataclasses.replace(first, format=1))
    upgraded = home.upgrade()
    assert upgraded is not None
    assert upgraded.format == FORMAT
    forget_moto()
    with serve(tmp_path) as api:
        assert look(api) == before


def test_a_torn_last_line_is_cut_and_the_rest_is_there(tmp_path: Path, forget_moto: Callable[[], None]) -> None:
    with serve(tmp_path) as api:
        fill(api)
        before = look(api)
    with (tmp_path / "state" / "journal" / "00000001.jsonl").open("ab") as file:
        file.write(b'{"at":"2026-01-01T00:00:00Z","seed":1')
    forget_moto()
    with serve(tmp_path) as api:
        assert look(api) == before


def test_a_journal_that_gives_another_answer_stops_the_replay_and_says_so(
    tmp_path: Path, forget_moto: Callable[[], None]
) -> None:
    with serve(tmp_path) as api:
        fill(api)
    path = tmp_path / "state" / "journal" / "00000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"digest":"', b'"digest":"0', 1))
    forget_moto()
    journal = Journal(tmp_path / "state", StockServices(ACCOUNT))
    try:
        with pytest.raises(Internal, match="gave another answer") as caught:
            journal.replay()
    finally:
        journal.close()
    assert caught.value.hint is not None


def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, forget_moto: Callable[[], None]) -> None:
    with serve(tmp_path) as api:
        fill(api)
    path = tmp_path / "state" / "journal" / "00000001.jsonl"
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:3], lines[3][:40], *lines[4:]]))
    forget_moto()
    journal = Journal(tmp_path / "state", StockServices(ACCOUNT))
    try:
        with pytest.raises(Internal, match=r"line 4 of .*00000001.jsonl cannot be read") as caught:
            journal.replay()
    finally:
        journal.close()
    assert caught.value.hint is not None


def test_a_torn_header_begins_the_journal_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal" / "00000001.jsonl"
    path.parent.mkdir()
    path.write_bytes(b'{"format":')
    journal = Journal(tmp_path, StockServices(ACCOUNT))
    assert journal.replay() == 0
    journal.close()
    assert path.read_bytes().endswith(b"}\n")


class Ended(Exception):
    """Stands for the end of the process."""


def test_an_entry_that_cannot_be_written_is_not_acknowledged_and_leaves_whole_lines(
    tmp_path: Path, forget_moto: Callable[[], None]
) -> None:
    """The process is ended; what it acknowledged before is there afterwards."""
    home = Home(tmp_path)
    home.create()
    ended: list[OSError] = []

    def end(error: OSError) -> NoReturn:
        ended.append(error)
        raise Ended

    journal = Journal(home.state, StockServices(ACCOUNT), end=end)
    now = datetime(2025, 11, 18, tzinfo=UTC)
    journal.run(parameter("/kept", "v"), "ssm", REGION, now=now)
    path = home.state / "journal" / "00000001.jsonl"
    journal._reserve = lambda _request: ""  # type: ignore[method-assign]  # the disk fills up after the check
    limit, size = resource.getrlimit(resource.RLIMIT_FSIZE), path.stat().st_size
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limit[1]))
    try:
        with pytest.raises(Ended):
            journal.run(parameter("/lost", "v" * 500), "ssm", REGION, now=now)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, ignored)
    journal.close()
    assert len(ended) == 1
    assert path.stat().st_size == size
    forget_moto()
    again = Journal(home.state, StockServices(ACCOUNT))
    assert again.replay() == 1
    again.close()


def test_a_change_for_whose_entry_there_is_no_room_is_refused_before_it_is_made(
    tmp_path: Path, forget_moto: Callable[[], None]
) -> None:
    with serve(tmp_path) as api:
        ssm = api.client("ssm")
        ssm.put_parameter(Name="/kept", Value="v", Type="String")
        size = (tmp_path / "state" / "journal" / "00000001.jsonl").stat().st_size
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100_000, limit[1]))
        try:
            with pytest.raises(ClientError) as caught:
                ssm.put_parameter(Name="/lost", Value="v" * 200_000, Type="String")
            assert ssm.get_parameter(Name="/kept")["Parameter"]["Value"] == "v"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            signal.signal(signal.SIGXFSZ, ignored)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert [p["Name"] for p in ssm.describe_parameters()["Parameters"]] == ["/kept"]
        ssm.put_parameter(Name="/again", Value="v", Type="String")
    forget_moto()
    with serve(tmp_path) as api:
        assert [p["Name"] for p in api.client("ssm").describe_parameters()["Parameters"]] == ["/kept", "/again"]


def parameter(name: str, value: str) -> Request:
    body = json.dumps({"Name": name, "Value": value, "Type": "String"}).encode()
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": "AmazonSSM.PutParameter",
        "authorization": f"AWS4-HMAC-SHA256 Credential=AKIA/20251118/{REGION}/ssm/aws4_request",
    }
    request = Request.from_primitives("POST", "http://127.0.0.1/", headers, body)
    request.environ["RAW_URI"] = "/"
    request.from_wsgi_server = True
    return request
