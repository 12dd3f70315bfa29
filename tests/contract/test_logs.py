"""CloudWatch Logs as botocore sees it: a real client, its requests carried to the service without a socket."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import time
from collections.abc import Coroutine, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.core.request import Request

from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.logs import IngestLoop, Logs, RetentionLoop
from miyabi.localcloud.control.logs.output_file import Chunk
from miyabi.localcloud.control.service import ApiError, Caller, answer
from miyabi.localcloud.control.store import Store

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

REGION = "us-west-2"
ACCOUNT = "112530848482"
GROUP = "/ecs/miyabi-dev"
START = datetime(2025, 11, 18, 12, tzinfo=UTC)
DAY = 86_400_000


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


class LocalLogs:
    """The service behind real clients, with a clock that stands until it is moved."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = START
        self.changes = 0
        self.heard: list[str] = []
        self.deaf = False
        self.open()

    def open(self) -> None:
        self.logs = Logs(self.root / "logs.sqlite", lambda: self.now, self._changed, self._hear)
        self.engine = Engine(Store(self.root / "control.sqlite"), clock=lambda: self.now)
        self.ingest = IngestLoop(self.engine, self.logs, punch_bytes=65536)
        self.retention = RetentionLoop(self.engine, self.logs)

    def close(self) -> None:
        self.engine.close()
        self.logs.close()

    def _changed(self) -> None:
        self.changes += 1

    def _hear(self, _region: str, messages: Sequence[str]) -> None:
        if self.deaf:
            raise OverflowError("too large")
        self.heard += messages

    @property
    def ms(self) -> int:
        return int(self.now.timestamp() * 1000)

    def client(self, region: str = REGION) -> CloudWatchLogsClient:
        client = boto3.client(
            "logs",
            region_name=region,
            endpoint_url="http://127.0.0.1:1",
            aws_access_key_id="AKIATESTTESTTESTTEST",
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}),
        )

        def carry(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
            body = request.body or b""
            body = body if isinstance(body, bytes) else str(body).encode()
            headers = {k: v.decode() if isinstance(v, bytes) else v for k, v in request.headers.items()}
            incoming = Request.from_primitives(request.method, request.url, headers, body)
            caller = Caller(ACCOUNT, region, "AKIATESTTESTTESTTEST", self.now)
            status, sent, content = answer(self.logs, incoming, caller, "request-1")
            out = HTTPHeaders()
            for name, value in sent.items():
                out[name] = value
            out["Date"] = format_datetime(self.now, usegmt=True)
            return AWSResponse(request.url, status, out, _Raw(content))

        client.meta.events.register("before-send.cloudwatch-logs", carry)
        return client

    def run(self, step: Coroutine[Any, Any, timedelta]) -> timedelta:
        return asyncio.run(step)

    def drain(self) -> None:
        while self.run(self.ingest.step()) == timedelta(0):
            pass


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalLogs]:
    local = LocalLogs(tmp_path)
    yield local
    local.close()


@pytest.fixture
def logs(local: LocalLogs) -> CloudWatchLogsClient:
    client = local.client()
    client.create_log_group(logGroupName=GROUP)
    return client


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def put(local: LocalLogs, client: CloudWatchLogsClient, stream: str, *events: tuple[int, str]) -> Any:
    """Write events, their times given as milliseconds from now; the stream is made if it is missing."""
    with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
        client.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    return client.put_log_events(
        logGroupName=GROUP,
        logStreamName=stream,
        logEvents=[{"timestamp": local.ms + offset, "message": message} for offset, message in events],
    )


def messages(events: Any) -> list[str]:
    return [event["message"] for event in events]


def test_a_group_is_described_with_both_arns_and_its_retention(logs: CloudWatchLogsClient, local: LocalLogs) -> None:
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=7)
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/ecs/")["logGroups"]
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}"
    assert group == {
        "logGroupName": GROUP,
        "creationTime": local.ms,
        "retentionInDays": 7,
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "logGroupArn": arn,
        "storedBytes": 0,
        "logGroupClass": "STANDARD",
        "deletionProtectionEnabled": False,
    }
    logs.delete_retention_policy(logGroupName=GROUP)
    assert "retentionInDays" not in logs.describe_log_groups(logGroupNamePattern="miyabi")["logGroups"][0]


def test_groups_are_paged_in_the_order_of_their_names(logs: CloudWatchLogsClient) -> None:
    for number in range(120):
        logs.create_log_group(logGroupName=f"/many/{number:03d}")
    pages = list(logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/many/"))
    names = [group["logGroupName"] for page in pages for group in page["logGroups"]]
    assert [len(page["logGroups"]) for page in pages] == [50, 50, 20]
    assert names == sorted(names)
    assert len(logs.list_log_groups(logGroupNamePattern="^/many/11|^/ecs")["logGroups"]) == 11


def test_regions_do_not_see_each_other(logs: CloudWatchLogsClient, local: LocalLogs) -> None:
    other = local.client("us-east-1")
    assert other.describe_log_groups()["logGroups"] == []
    other.create_log_group(logGroupName=GROUP)
    other.delete_log_group(logGroupName=GROUP)
    assert len(logs.describe_log_groups()["logGroups"]) == 1


@pytest.mark.parametrize(
    ("operation", "parameters", "code"),
    [
        ("create_log_group", {"logGroupName": GROUP}, "ResourceAlreadyExistsException"),
        ("create_log_group", {"logGroupName": "a b"}, "InvalidParameterException"),
        ("create_log_group", {"logGroupName": "aws/x"}, "InvalidParameterException"),
        ("delete_log_group", {"logGroupName": "none"}, "ResourceNotFoundException"),
        ("put_retention_policy", {"logGroupName": GROUP, "retentionInDays": 2}, "InvalidParameterException"),
        ("put_retention_policy", {"logGroupName": "none", "retentionInDays": 1}, "ResourceNotFoundException"),
        ("create_log_stream", {"logGroupName": "none", "logStreamName": "s"}, "ResourceNotFoundException"),
        ("create_log_stream", {"logGroupName": GROUP, "logStreamName": "a:b"}, "InvalidParameterException"),
        ("delete_log_stream", {"logGroupName": GROUP, "logStreamName": "none"}, "ResourceNotFoundException"),
        ("get_log_events", {"logGroupName": GROUP, "logStreamName": "none"}, "ResourceNotFoundException"),
        ("get_log_events", {"logStreamName": "none"}, "InvalidParameterException"),
        ("filter_log_events", {"logGroupName": "none"}, "ResourceNotFoundException"),
        ("filter_log_events", {"logGroupName": GROUP, "filterPattern": "a:b"}, "InvalidParameterException"),
        ("filter_log_events", {"logGroupName": GROUP, "nextToken": "x"}, "InvalidParameterException"),
        ("filter_log_events", {"logGroupName": GROUP, "limit": 10001}, "InvalidParameterException"),
        ("filter_log_events", {"logGroupName": GROUP, "logStreamNames": ["x"]}, "ResourceNotFoundException"),
        (
            "describe_log_streams",
            {"logGroupName": GROUP, "orderBy": "LastEventTime", "logStreamNamePrefix": "a"},
            "InvalidParameterException",
        ),
        ("describe_subscription_filters", {"logGroupName": "none"}, "ResourceNotFoundException"),
        ("list_tags_log_group", {"logGroupName": "none"}, "ResourceNotFoundException"),
        ("start_query", {"queryString": "x", "startTime": 1, "endTime": 2}, "UnsupportedOperation"),
    ],
)
def test_errors_carry_awss_codes(
    logs: CloudWatchLogsClient, operation: str, parameters: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as error:
        getattr(logs, operation)(**parameters)
    assert code_of(error) == code


def test_tags_are_kept_by_arn_and_by_name(logs: CloudWatchLogsClient) -> None:
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}"
    logs.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
    logs.tag_log_group(logGroupName=GROUP, tags={"c": "3"})
    logs.untag_resource(resourceArn=arn, tagKeys=["a"])
    logs.untag_log_group(logGroupName=GROUP, tags=["c", "none"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}
    assert logs.list_tags_log_group(logGroupName=GROUP)["tags"] == {"b": "2"}
    with pytest.raises(ClientError) as error:
        logs.tag_resource(resourceArn=arn, tags={f"k{number}": "" for number in range(50)})
    assert code_of(error) == "TooManyTagsException"
    with pytest.raises(ClientError) as error:
        logs.list_tags_for_resource(resourceArn=arn.replace(REGION, "us-east-1"))
    assert code_of(error) == "ResourceNotFoundException"


def test_a_protected_group_cannot_be_deleted(logs: CloudWatchLogsClient) -> None:
    logs.put_log_group_deletion_protection(logGroupIdentifier=GROUP, deletionProtectionEnabled=True)
    with pytest.raises(ClientError) as error:
        logs.delete_log_group(logGroupName=GROUP)
    assert code_of(error) == "ValidationException"


def test_there_are_no_filters_because_none_can_be_made(logs: CloudWatchLogsClient) -> None:
    assert logs.describe_metric_filters(logGroupName=GROUP)["metricFilters"] == []
    assert logs.describe_subscription_filters(logGroupName=GROUP)["subscriptionFilters"] == []


def test_stored_bytes_are_what_is_stored(logs: CloudWatchLogsClient, local: LocalLogs) -> None:
    put(local, logs, "a", (0, "x" * 10), (1, "é"))
    put(local, logs, "b", (0, "gone"))
    logs.delete_log_stream(logGroupName=GROUP, logStreamName="b")
    assert logs.describe_log_groups()["logGroups"][0]["storedBytes"] == 12 + 2 * 26


def test_streams_are_ordered_by_name_or_last_event(logs: CloudWatchLogsClient, local: LocalLogs) -> None:
    put(local, logs, "b", (0, "1"), (5, "2"))
    put(local, logs, "a", (7, "3"))
    logs.create_log_stream(logGroupName=GROUP, logStreamName="c")

    def names(**parameters: Any) -> list[str]:
        pages = logs.get_paginator("describe_log_streams").paginate(
            logGroupName=GROUP, PaginationConfig={"PageSize": 2}, **parameters
        )
        return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]

    assert names() == ["a", "b", "c"]
    assert names(descending=True) == ["c", "b", "a"]
    assert names(orderBy="LastEventTime") == ["c", "b", "a"]
    assert names(orderBy="LastEventTime", descending=True) == ["a", "b", "c"]
    assert names(logStreamNamePrefix="b") == ["b"]
    stream = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="b")["logStreams"][0]
    assert (stream["firstEventTimestamp"], stream["lastEventTimestamp"]) == (local.ms, local.ms + 5)
    assert stream["arn"] == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}:log-stream:b"
    assert stream["storedBytes"] == 0


def test_events_out_of_their_time_are_rejected_and_the_others_kept(
    logs: CloudWatchLogsClient, local: LocalLogs
) -> None:
    hour = 3_600_000
    answered = put(local, logs, "s", (-15 * DAY, "old"), (0, "kept"), (hour, "kept"), (3 * hour, "new"))
    assert answered["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 3}
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=1)
    answered = put(local, logs, "s", (-2 * DAY, "expired"), (0, "kept"))
    assert answered["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    found = logs.get_log_events(logGroupName=GROUP, logStreamName="s")["events"]
    assert messages(found) == ["kept"] * 3


@pytest.mark.parametrize("events", [[(1, "a"), (0, "b")], [(-DAY - 1, "a"), (0, "b")], [(0, "x" * 1_048_576)]])
def test_a_bad_batch_is_refused_whole(
    logs: CloudWatchLogsClient, local: LocalLogs, events: list[tuple[int, str]]
) -> None:
    with pytest.raises(ClientError) as error:
        put(local, logs, "s", *events)
    assert code_of(error) == "InvalidParameterException"
    assert logs.get_log_events(logGroupName=GROUP, logStreamName="s")["events"] == []


def test_a_stream_is_read_from_either_end_by_tokens_that_are_never_null(
    logs: CloudWatchLogsClient, local: LocalLogs
) -> None:
    put(local, logs, "s", *[(number // 2, f"m{number}") for number in range(10)])

    def page(**parameters: Any) -> Any:
        return logs.get_log_events(logGroupIdentifier=GROUP, logStreamName="s", limit=4, **parameters)

    head = page(startFromHead=True)
    assert messages(head["events"]) == ["m0", "m1", "m2", "m3"]
    second = page(startFromHead=True, nextToken=head["nextForwardToken"])
    third = page(startFromHead=True, nextToken=second["nextForwardToken"])
    assert messages(second["events"]) + messages(third["events"]) == [f"m{n}" for n in range(4, 10)]
    end = page(startFromHead=True, nextToken=third["nextForwardToken"])
    assert end["events"] == []
    assert end["nextForwardToken"] == third["nextForwardToken"]
    assert messages(page(nextToken=third["nextBackwardToken"])["events"]) == ["m4", "m5", "m6", "m7"]
    tail = page()
    assert messages(tail["events"]) == ["m6", "m7", "m8", "m9"]
    before = page(nextToken=tail["nextBackwardToken"])
    assert messages(before["events"]) == ["m2", "m3", "m4", "m5"]
    put(local, logs, "s", (100, "m10"))
    assert messages(page(nextToken=tail["nextForwardToken"])["events"]) == ["m10"]
    in_time = page(startFromHead=True, startTime=local.ms + 1, endTime=local.ms + 2)
    assert messages(in_time["events"]) == ["m2", "m3"]


def test_an_empty_stream_can_be_followed(logs: CloudWatchLogsClient, local: LocalLogs) -> None:
    logs.create_log_stream(logGroupName=GROUP, logStreamName="s")
    empty = logs.get_log_events(logGroupName=GROUP, logStreamName="s")
    again = logs.get_log_events(logGroupName=GROUP, logStreamName="s", nextToken=empty["nextForwardToken"])
    assert again["nextForwardToken"] == empty["nextForwardToken"]
    put(local, logs, "s", (0, "first"))
    found = logs.get_log_events(logGroupName=GROUP, logStreamName="s", nextToken=empty["nextForwardToken"])
    assert messages(found["events"]) == ["first"]


def test_a_search_interleaves_streams_in_time_order(logs: CloudWatchLogsClient, local: LocalLogs) -> None:
    put(local, logs, "web/1", (0, "ERROR a"), (20, "ERROR c"), (30, "fine"))
    put(local, logs, "web/2", (10, "ERROR b"), (40, "ERROR d"))
    put(local, logs, "job/1", (15, "ERROR x"))
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}:*"

    def found(**parameters: Any) -> list[str]:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupIdentifier=arn, filterPattern="ERROR", PaginationConfig={"PageSize": 2}, **parameters
        )
        return [event["message"][-1] for page in pages for event in page["events"]]

    assert found() == list("abxcd")
    assert found(startFromHead=False) == list("dcxba")
    assert found(logStreamNamePrefix="web/") == list("abcd")
    assert found(logStreamNames=["web/2"]) == list("bd")
    assert found(startTime=local.ms + 10, endTime=local.ms + 20) == list("bxc")
    whole = logs.filter_log_events(logGroupName=GROUP, filterPattern="ERROR")
    assert whole["searchedLogStreams"] == []
    assert "nextToken" not in whole
    first = whole["events"][0]
    assert first["logStreamName"] == "web/1"
    assert (first["timestamp"], first["ingestionTime"]) == (local.ms, local.ms)
    assert len({event["eventId"] for event in whole["events"]}) == 5


def test_expired_events_are_never_shown_and_then_removed(logs: CloudWatchLogsClient, local: LocalLogs) -> None:
    put(local, logs, "s", (0, "old"))
    put(local, logs, "s", (3_600_000, "young"))
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=1)
    local.now += timedelta(days=1, minutes=30)
    assert messages(logs.filter_log_events(logGroupName=GROUP)["events"]) == ["young"]
    assert messages(logs.get_log_events(logGroupName=GROUP, logStreamName="s")["events"]) == ["young"]
    assert local.run(local.retention.step()) == timedelta(hours=1)
    logs.delete_retention_policy(logGroupName=GROUP)
    assert messages(logs.filter_log_events(logGroupName=GROUP)["events"]) == ["young"]
    assert logs.describe_log_groups()["logGroups"][0]["storedBytes"] == len("young") + 26


def test_a_group_made_again_is_empty_and_the_old_events_are_removed(
    logs: CloudWatchLogsClient, local: LocalLogs
) -> None:
    put(local, logs, "s", *[(0, "old")] * 10)
    logs.delete_log_group(logGroupName=GROUP)
    logs.create_log_group(logGroupName=GROUP)
    put(local, logs, "s", (0, "new"))
    local.run(local.retention.step())
    assert messages(logs.filter_log_events(logGroupName=GROUP)["events"]) == ["new"]
    assert not local.logs.purge()


def test_a_retention_that_is_set_wakes_the_loop_that_removes(logs: CloudWatchLogsClient, local: LocalLogs) -> None:
    put(local, logs, "s", (0, "old"), (5_000, "young"))
    local.now += timedelta(days=1, seconds=1)
    changes = local.changes
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=1)
    assert local.changes == changes + 1
    local.run(local.retention.step())
    logs.delete_retention_policy(logGroupName=GROUP)
    assert messages(logs.filter_log_events(logGroupName=GROUP)["events"]) == ["young"]


class TestIngest:
    STREAM = "ecs/miyabi-app/1"

    @pytest.fixture
    def output(self, local: LocalLogs, logs: CloudWatchLogsClient) -> Path:
        path = local.root / "stdout.log"
        local.logs.follow(REGION, GROUP, self.STREAM, path)
        return path

    def stored(self, logs: CloudWatchLogsClient) -> list[str]:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP)
        return [event["message"] for page in pages for event in page["events"]]

    def test_a_task_cannot_log_to_a_group_that_does_not_exist(self, local: LocalLogs) -> None:
        with pytest.raises(ApiError) as error:
            local.logs.follow(REGION, "none", "s", "/nowhere")
        assert error.value.code == "ResourceNotFoundException"

    def test_lines_become_events_and_a_partial_one_waits(
        self, local: LocalLogs, logs: CloudWatchLogsClient, output: Path
    ) -> None:
        local.drain()  # the file need not exist
        output.write_bytes(b"one\n\ntwo \xff\xc3\xa9\nthr")
        assert local.run(local.ingest.step()) == timedelta(seconds=0.25)
        assert self.stored(logs) == ["one", "two \ufffdé"]
        with output.open("ab") as file:
            file.write(b"ee\n")
        local.drain()
        assert self.stored(logs)[2:] == ["three"]

    def test_timestamps_never_go_back_in_a_stream(
        self, local: LocalLogs, logs: CloudWatchLogsClient, output: Path
    ) -> None:
        output.write_text("1\n")
        local.drain()
        local.now -= timedelta(minutes=1)
        with output.open("a") as file:
            file.write("2\n")
        local.drain()
        found = logs.get_log_events(logGroupName=GROUP, logStreamName=self.STREAM)["events"]
        assert messages(found) == ["1", "2"]
        assert found[0]["timestamp"] == found[1]["timestamp"]

    def test_finishing_stores_the_rest_and_removes_the_file(
        self, local: LocalLogs, logs: CloudWatchLogsClient, output: Path
    ) -> None:
        output.write_text("one\nno newline")
        local.logs.finish(output)
        local.logs.finish(output)
        local.drain()
        assert self.stored(logs) == ["one", "no newline"]
        assert not output.exists()
        assert local.logs.sources() == []
        assert local.run(local.ingest.step()) == timedelta(hours=1)

    def test_a_finished_task_that_printed_nothing_is_forgotten(
        self, local: LocalLogs, logs: CloudWatchLogsClient, output: Path
    ) -> None:
        local.logs.finish(output)
        local.drain()
        assert local.logs.sources() == []

    def test_following_again_changes_nothing(self, local: LocalLogs, logs: CloudWatchLogsClient, output: Path) -> None:
        output.write_text("one\n")
        local.drain()
        changes = local.changes
        local.logs.follow(REGION, GROUP, self.STREAM, output)
        local.drain()
        assert self.stored(logs) == ["one"]
        assert local.changes == changes

    def test_a_long_line_is_split_between_characters(
        self, local: LocalLogs, logs: CloudWatchLogsClient, output: Path
    ) -> None:
        output.write_text("é" * 400_000, encoding="utf-8")  # no newline yet
        local.drain()
        assert len(self.stored(logs)) == 3
        local.logs.finish(output)
        local.drain()
        assert "".join(self.stored(logs)) == "é" * 400_000

    def test_lines_reach_a_group_that_was_deleted_and_made_again(
        self, local: LocalLogs, logs: CloudWatchLogsClient, output: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING), output.open("w", buffering=1) as file:
            print("before", file=file)
            local.drain()
            logs.delete_log_group(logGroupName=GROUP)
            for _ in range(3):
                print("nowhere to go", file=file)
                local.drain()
            logs.create_log_group(logGroupName=GROUP)
            print("after", file=file)
            local.drain()
        assert self.stored(logs) == ["after"]
        assert logs.describe_log_streams(logGroupName=GROUP)["logStreams"][0]["logStreamName"] == self.STREAM
        assert caplog.text.count("what tasks print is dropped") == 1

    def test_a_stream_that_was_deleted_under_its_task_is_made_again(
        self, local: LocalLogs, logs: CloudWatchLogsClient, output: Path
    ) -> None:
        logs.delete_log_stream(logGroupName=GROUP, logStreamName=self.STREAM)
        output.write_text("on it goes\n")
        local.drain()
        assert self.stored(logs) == ["on it goes"]

    def test_what_was_stored_of_a_growing_file_takes_no_disk(
        self, local: LocalLogs, logs: CloudWatchLogsClient, output: Path
    ) -> None:
        with output.open("ab") as file:
            for number in range(40_000):
                file.write(b"line %06d of some length\n" % number)
        before = output.stat()
        local.drain()
        after = output.stat()
        assert len(self.stored(logs)) == 40_000
        assert after.st_size == before.st_size
        if after.st_blocks == before.st_blocks:
            pytest.skip("this file system cannot punch holes")
        assert after.st_blocks * 512 < 70_000
        with output.open("ab") as file:
            file.write(b"last\n")
        local.drain()
        assert self.stored(logs)[-1] == "last"

    def test_no_line_is_lost_or_doubled_when_a_step_fails_between_reading_and_storing(
        self, local: LocalLogs, logs: CloudWatchLogsClient, output: Path
    ) -> None:
        output.write_text("one\n")

        class Interrupted(Logs):
            def store(self, chunks: Any) -> None:
                super().store(chunks)
                raise OSError("no space")

        broken = Interrupted(local.root / "logs.sqlite", lambda: local.now, lambda: None)
        loop = IngestLoop(local.engine, broken)
        with pytest.raises(OSError, match="no space"):
            local.run(loop.step())
        local.close()
        broken.close()
        local.open()
        local.drain()
        assert self.stored(local.client()) == ["one"]

    def test_metrics_are_told_of_what_was_stored_and_of_nothing_else(
        self, local: LocalLogs, logs: CloudWatchLogsClient, output: Path
    ) -> None:
        output.write_text("one\n")
        local.logs.store([Chunk(str(output), 0, 4, ("one",), drained=False, more=False)])
        local.logs.store([Chunk(str(output), 0, 4, ("one",), drained=False, more=False)])
        with pytest.raises(OverflowError):
            local.logs.store([Chunk(str(output), 4, 2**64, ("two",), drained=False, more=False)])
        assert local.heard == self.stored(logs) == ["one"]

    def test_lines_are_stored_although_their_metrics_cannot_be(
        self, local: LocalLogs, logs: CloudWatchLogsClient, output: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        local.deaf = True
        output.write_text("one\n")
        local.drain()
        put(local, logs, self.STREAM, (0, "two"))
        assert sorted(self.stored(logs)) == ["one", "two"]
        assert caplog.text.count("metrics in 1 log events of us-west-2 are lost") == 2


def test_the_file_is_private(local: LocalLogs) -> None:
    for path in local.root.glob("logs.sqlite*"):
        assert path.stat().st_mode & 0o077 == 0


def test_lines_are_stored_and_searched_in_time(local: LocalLogs, logs: CloudWatchLogsClient) -> None:
    """Measured as CPU time, the client's included: other work on the machine does not count."""
    path = local.root / "stdout.log"
    local.logs.follow(REGION, GROUP, "s", path)
    with path.open("w") as file:
        for number in range(100_000):
            rare = " NEEDLE" if number % 25_000 == 7 else ""
            file.write(f'{{"level":"INFO","message":"GET /health {number}","status":200}}{rare}\n')
    began = time.process_time()
    local.drain()
    assert time.process_time() - began < 10, "five times 20,000 lines in five times 2 s"
    began = time.process_time()
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, filterPattern="NEEDLE")
    found = [event for page in pages for event in page["events"]]
    assert time.process_time() - began < 1, "100,000 lines"
    assert len(found) == 4
    for pattern, least in (("{ $.status >= 500 }", 0), ('{ $.level = "INFO" }', 5_000), ("", 5_000)):
        began = time.process_time()
        page = logs.filter_log_events(logGroupName=GROUP, filterPattern=pattern)
        assert time.process_time() - began < 1, f"a page for {pattern!r}"
        assert len(page["events"]) >= least
