"""SNS's messages reach their subscribers: at once, again and again, or not at all; a dead one delays nobody."""

from __future__ import annotations

import asyncio
import email
import email.policy
import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core.base_backend import BackendDict
from moto.sns.models import sns_backends

from miyabi.localcloud.control.deliveries.outbox import Outbox
from miyabi.localcloud.control.journal_entries import SUBSCRIBERS_APART
from miyabi.localcloud.control.sns import take_outgoing
from tests.contract.control_api import Served, serve


@dataclass
class Subscriber:
    """An HTTP endpoint that notes what it gets."""

    url: str
    got: list[tuple[dict[str, str], str]] = field(default_factory=list)
    status: int = 200

    def bodies(self) -> list[str]:
        return [body for _, body in self.got]


@contextmanager
def subscriber(port: int = 0) -> Iterator[Subscriber]:
    made = Subscriber("")

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            made.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(made.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Hook) as server:
        made.url = f"http://127.0.0.1:{server.server_port}/hook?key=1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def without_topics() -> None:
    BackendDict.reset()  # moto's state is one for the process


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path) as served, sending(served):
        yield served


@contextmanager
def sending(served: Served) -> Iterator[None]:
    """Run the loop of deliveries."""
    running = asyncio.run_coroutine_threadsafe(served.engine.supervise(served.deliveries), served.loop)
    try:
        yield
    finally:
        running.cancel()


def topic_with(served: Served, *endpoints: str, protocol: str = "http", **attributes: str) -> str:
    sns = served.client("sns")
    topic: str = sns.create_topic(Name="news")["TopicArn"]
    for endpoint in endpoints:
        sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint, Attributes=attributes)
    return topic


def until(condition: Callable[[], Any], seconds: float = 10.0) -> float:
    """Return how long it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() < begun + seconds, "waited in vain"
        time.sleep(0.01)
    return time.monotonic() - begun


def test_a_subscriber_gets_the_document_within_two_seconds(served: Served) -> None:
    with subscriber() as hook:
        topic = topic_with(served, hook.url)
        attributes = {"level": {"DataType": "String", "StringValue": "high"}}
        published = served.client("sns").publish(
            TopicArn=topic, Subject="Fire", Message="it burns", MessageAttributes=attributes
        )
        assert until(lambda: hook.got) < 2
        headers, body = hook.got[0]
        document = json.loads(body)
        assert document.pop("Timestamp").endswith("Z")
        assert document == {
            "Type": "Notification",
            "MessageId": published["MessageId"],
            "TopicArn": topic,
            "Subject": "Fire",
            "Message": "it burns",
            "MessageAttributes": {"level": {"Type": "String", "Value": "high"}},
        }
        assert headers["x-amz-sns-message-type"] == "Notification"
        assert headers["x-amz-sns-topic-arn"] == topic
        assert headers["content-type"] == "text/plain; charset=UTF-8"


def test_a_raw_subscription_gets_the_message_alone_and_a_filter_keeps_others_out(served: Served) -> None:
    with subscriber() as raw, subscriber() as filtered:
        topic = topic_with(served, raw.url, RawMessageDelivery="true")
        policy = json.dumps({"level": ["high"]})
        served.client("sns").subscribe(
            TopicArn=topic, Protocol="http", Endpoint=filtered.url, Attributes={"FilterPolicy": policy}
        )
        served.client("sns").publish(TopicArn=topic, Message="plain")
        until(lambda: raw.got)
        assert raw.bodies() == ["plain"]
        assert filtered.got == []


def test_a_dead_and_a_hanging_subscriber_delay_nobody(served: Served) -> None:
    with subscriber() as hook, socket.create_server(("127.0.0.1", 0)) as hanging, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        topic = topic_with(served, dead, f"http://127.0.0.1:{hanging.getsockname()[1]}/", hook.url)
        for number in range(3):
            served.client("sns").publish(TopicArn=topic, Message=f"{number}")
        assert until(lambda: len(hook.got) == 3) < 2
        assert [json.loads(body)["Message"] for body in hook.bodies()] == ["0", "1", "2"]


def test_what_was_not_taken_is_sent_again_also_after_a_restart(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serve(tmp_path) as served:
        topic = topic_with(served, f"http://127.0.0.1:{port}/hook?key=1")
        served.client("sns").publish(TopicArn=topic, Message="kept")
        with sending(served):
            until(lambda: any(row.attempts for row in served.on_worker(served.outbox.waiting).values()))
        (row,) = served.on_worker(served.outbox.waiting).values()
        assert row.due_at > datetime.now(UTC)
        assert "ConnectionRefusedError" in row.error
        later = row.due_at - timedelta(minutes=1)
        served.on_worker(_make_due, served.outbox, later)
    BackendDict.reset()
    with serve(tmp_path) as served, subscriber(port) as hook, sending(served):
        until(lambda: hook.got)
        assert [json.loads(body)["Message"] for body in hook.bodies()] == ["kept"], "a replay sends nothing by itself"
        until(lambda: not served.on_worker(served.outbox.waiting))


def _make_due(outbox: Outbox, at: datetime) -> None:

    for row in outbox.waiting().values():
        outbox._rows.put(row.message.region, row.key, replace(row, due_at=at))


def test_what_the_subscriber_refuses_for_good_is_given_up_and_kept(served: Served) -> None:
    with subscriber() as hook:
        hook.status = 410
        topic = topic_with(served, hook.url, "http://192.0.2.1/hook")
        served.client("sns").publish(TopicArn=topic, Message="gone")
        until(lambda: len(served.on_worker(served.outbox.failures, "us-west-2")) == 2)
        errors = sorted(row.error for row in served.on_worker(served.outbox.failures, "us-west-2"))
        assert errors == ["192.0.2.1 is no loopback address", "status 410"]
        assert len(hook.got) == 1


def test_mail_lies_in_the_home(served: Served, tmp_path: Path) -> None:
    topic = topic_with(served, "oncall@example.com", protocol="email")
    served.client("sns").publish(TopicArn=topic, Subject="ALARM: cpu", Message="too busy\nreally")
    folder = tmp_path / "mail" / "oncall@example.com"
    until(lambda: folder.exists() and list(folder.glob("*.eml")))
    (path,) = folder.glob("*.eml")
    assert path.stat().st_mode & 0o777 == 0o600
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert (mail["To"], mail["Subject"]) == ("oncall@example.com", "ALARM: cpu")
    assert mail.get_content().startswith("too busy\nreally\n")


def test_a_queue_that_is_gone_concerns_neither_the_publisher_nor_other_subscribers(
    served: Served, tmp_path: Path
) -> None:
    sns, sqs = served.client("sns"), served.client("sqs")
    gone = sqs.create_queue(QueueName="gone")["QueueUrl"]
    topic = topic_with(served, f"arn:aws:sqs:us-west-2:{served.instance.account}:gone", protocol="sqs")
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="oncall@example.com")
    sqs.delete_queue(QueueUrl=gone)
    assert sns.publish(TopicArn=topic, Message="it burns")["MessageId"]
    until((tmp_path / "mail" / "oncall@example.com").exists)
    with pytest.raises(ClientError):
        sns.publish(TopicArn=topic, Message="no JSON", MessageStructure="json")


def test_what_the_publisher_was_told_of_a_failing_subscriber_is_replayed_as_it_was_told(tmp_path: Path) -> None:
    def publish_to_a_queue_that_is_gone(served: Served) -> None:
        topic = topic_with(served, f"arn:aws:sqs:us-west-2:{served.instance.account}:gone", protocol="sqs")
        served.client("sns").publish(TopicArn=topic, Message="lost")

    with serve(tmp_path) as served:
        publish_to_a_queue_that_is_gone(served)
        before = served.on_worker(SUBSCRIBERS_APART.set, False)  # as versions were that wrote nothing of it
        with pytest.raises(ClientError):
            publish_to_a_queue_that_is_gone(served)
        served.on_worker(SUBSCRIBERS_APART.reset, before)
        publish_to_a_queue_that_is_gone(served)
    BackendDict.reset()
    with serve(tmp_path) as served:
        publish_to_a_queue_that_is_gone(served)
        sns_backend = sns_backends[served.instance.account]["us-west-2"]
        assert [topic.sent_notifications for topic in sns_backend.topics.values()] == [[]], "no message is kept"


@pytest.mark.parametrize("address", ["ops@", "ops@[10.0.0.1"])
def test_an_address_that_no_mail_can_be_written_to_is_given_up(served: Served, address: str) -> None:
    topic = topic_with(served, address, protocol="email")
    served.client("sns").publish(TopicArn=topic, Message="lost")
    until(lambda: served.on_worker(served.outbox.failures, "us-west-2"))
    (row,) = served.on_worker(served.outbox.failures, "us-west-2")
    assert row.error.startswith(f"no mail can be written to {address}: ")


def test_an_alarm_reaches_its_subscriber_within_two_seconds(served: Served) -> None:
    with subscriber() as hook:
        topic = topic_with(served, hook.url)
        cloudwatch = served.client("cloudwatch")
        cloudwatch.put_metric_alarm(
            AlarmName="cpu",
            Namespace="Shop",
            MetricName="cpu",
            Statistic="Average",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            AlarmActions=[topic],
        )
        cloudwatch.set_alarm_state(AlarmName="cpu", StateValue="ALARM", StateReason="trying")
        assert until(lambda: hook.got) < 2
        document = json.loads(hook.bodies()[0])
        assert document["Subject"] == 'ALARM: "cpu" in US West (Oregon)'
        assert json.loads(document["Message"])["NewStateValue"] == "ALARM"


def test_a_replay_puts_nothing_down(tmp_path: Path) -> None:
    with serve(tmp_path) as served:
        topic = topic_with(served, "http://127.0.0.1:9/")
        served.client("sns").publish(TopicArn=topic, Message="once")
        assert len(served.on_worker(served.outbox.waiting)) == 1
    BackendDict.reset()
    with serve(tmp_path) as served:
        assert take_outgoing() == []
        assert len(served.on_worker(served.outbox.waiting)) == 1
