"""What the API's border refuses, in the words of each protocol, and never with a status that SDKs repeat."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from miyabi.localcloud.control.credentials import Keys
from tests.contract.control_api import ACCOUNT, REGION, Served, serve

JSON = {"Content-Type": "application/x-amz-json-1.1"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ECS = "AmazonEC2ContainerServiceV20141113"
TRUST = '{"Version":"2012-10-17","Statement":[]}'


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("home")) as served:
        yield served


def send(
    api: Served, service: str, body: bytes, headers: dict[str, str], *, region: str = REGION, after: Any = None
) -> tuple[int, str]:
    """Send a signed POST whose headers `after` may change once they are signed; return status and body."""
    request = AWSRequest(
        "POST", api.instance.endpoint + "/", {"Host": f"127.0.0.1:{api.instance.api_port}"} | headers, body
    )
    SigV4Auth(Credentials(api.instance.access_key, api.instance.secret_key), service, region).add_auth(request)
    sent = dict(request.headers.items()) | (after or {})
    connection = HTTPConnection("127.0.0.1", api.instance.api_port, timeout=30)
    try:
        connection.request("POST", "/", body, sent)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def ecs(api: Served, operation: str, body: bytes) -> tuple[int, str]:
    return send(api, "ecs", body, JSON | {"X-Amz-Target": f"{ECS}.{operation}"})


@pytest.mark.parametrize(
    ("service", "target", "body", "code"),
    [
        ("ssm", "AmazonSSM.NoSuchThing", b"{}", "UnknownOperationException"),
        ("ssm", "AmazonSSM.PutParameter", b'{"Name":', "SerializationException"),
        ("ssm", "AmazonSSM.PutParameter", b"[]", "SerializationException"),
        ("kms", "TrentService.DescribeKey", b'{"KeyId":', "SerializationException"),
        ("dynamodb", "DynamoDB_20120810.Nothing", b"{}", "UnknownOperationException"),
        ("nothing", "Nothing.Nothing", b"{}", "InvalidAction"),
    ],
)
def test_json_requests_that_no_stock_service_knows_are_the_clients_fault(
    api: Served, service: str, target: str, body: bytes, code: str
) -> None:
    status, answer = send(api, service, body, JSON | {"X-Amz-Target": target})
    assert (status, json.loads(answer)["__type"]) == (400, code)


@pytest.mark.parametrize("service", ["ec2", "iam", "sns"])
def test_an_unknown_action_is_invalid_in_the_words_that_botocore_reads(api: Served, service: str) -> None:
    status, answer = send(api, service, b"Action=NoSuchThing&Version=2016-11-15", FORM)
    assert status == 400
    assert "<Code>InvalidAction</Code>" in answer
    assert answer.startswith("<Response><Errors>" if service == "ec2" else "<ErrorResponse>")


@pytest.mark.parametrize("service", ["ec2", "ssm", "ecs"])
def test_an_unknown_region_is_refused(api: Served, service: str) -> None:
    status, answer = send(api, service, b"{}", JSON | {"X-Amz-Target": "A.DescribeVpcs"}, region="moon-1")
    assert status == 400
    assert "moon-1" in answer


@pytest.mark.parametrize(
    ("operation", "body", "code"),
    [
        ("CreateCluster", b'{"clusterName":', "SerializationException"),
        ("CreateCluster", b"[]", "SerializationException"),
        ("CreateCluster", b'"x"', "SerializationException"),
        ("CreateCluster", b'{"clusterName": 5}', "SerializationException"),
        ("CreateCluster", b'{"tags": {}}', "SerializationException"),
        ("CreateCluster", b'{"tags": [1]}', "SerializationException"),
        ("CreateCluster", b'{"tags": [null]}', "InvalidParameterException"),
        ("CreateService", b'{"serviceName": "s", "desiredCount": "2"}', "SerializationException"),
        ("CreateService", b'{"serviceName": "s", "desiredCount": true}', "SerializationException"),
        ("CreateService", b'{"serviceName": "s", "desiredCount": 99999999999}', "SerializationException"),
        ("CreateService", b'{"serviceName": "s", "desiredCount": 1e300}', "SerializationException"),
        ("CreateService", b"{}", "InvalidParameterException"),
        ("CreateService", b'{"serviceName": "s", "launchType": "MOON"}', "InvalidParameterException"),
        ("RegisterTaskDefinition", b'{"family": "f"}', "InvalidParameterException"),
        (
            "CreateService",
            b'{"serviceName": "s", "networkConfiguration": {"awsvpcConfiguration": {}}}',
            "InvalidParameterException",
        ),
        ("NoSuchThing", b"{}", "InvalidAction"),
    ],
)
def test_a_live_service_takes_only_what_its_model_describes(
    api: Served, operation: str, body: bytes, code: str
) -> None:
    status, answer = ecs(api, operation, body)
    assert (status, json.loads(answer)["__type"].rpartition("#")[2]) == (400, code)


def test_what_is_missing_is_named_in_the_nested_member(api: Served) -> None:
    body = {"serviceName": "s", "networkConfiguration": {"awsvpcConfiguration": {}}}
    assert "networkConfiguration.awsvpcConfiguration.subnets" in ecs(api, "CreateService", json.dumps(body).encode())[1]


def test_a_form_sent_to_a_json_service_is_refused(api: Served) -> None:
    assert send(api, "ecs", b"Action=ListClusters", FORM)[0] == 400


@pytest.mark.parametrize(
    "after",
    [{"X-Amz-Extra": "1"}, {"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}, {"Authorization": "AWS4-HMAC-SHA256 é"}],
)
def test_a_header_that_was_not_signed_is_refused(api: Served, after: dict[str, str]) -> None:
    target = {"X-Amz-Target": f"{ECS}.ListClusters"}
    assert send(api, "ecs", b"{}", JSON | target)[0] == 200
    assert send(api, "ecs", b"{}", JSON | target, after=after)[0] == 403


def test_s3_is_not_misled_by_a_parameter_named_action(api: Served) -> None:
    s3 = api.client("s3")
    s3.create_bucket(Bucket="described", CreateBucketConfiguration={"LocationConstraint": REGION})
    before = api.journal.length

    def add_action(params: dict[str, Any], **_: Any) -> None:
        params["query_string"]["Action"] = "DescribeVpcs"
        params["headers"]["X-Amz-Target"] = "A.ListThings"

    s3.meta.events.register("before-call.s3.PutObject", add_action)
    s3.put_object(Bucket="described", Key="k", Body=b"v")
    assert api.journal.length == before + 1


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("dynamodb", "scan", {"TableName": "t"}),
        ("dynamodb", "query", {"TableName": "t", "KeyConditionExpression": "a = :a"}),
        ("dynamodb", "transact_get_items", {"TransactItems": [{"Get": {"TableName": "t", "Key": {"a": {"S": "1"}}}}]}),
        ("kms", "decrypt", {"CiphertextBlob": b"x"}),
        ("ec2", "describe_vpcs", {}),
        ("s3", "list_buckets", {}),
    ],
)
def test_reads_are_not_journaled(api: Served, service: str, operation: str, params: dict[str, Any]) -> None:
    for _ in range(2):  # the first call may bring the service's backend into being
        before = api.journal.length
        try:
            getattr(api.client(service), operation)(**params)
        except ClientError:
            continue
    assert api.journal.length == before


def test_an_inactive_key_is_refused_until_it_is_active_again(api: Served) -> None:
    iam = api.client("iam")
    iam.create_user(UserName="u")
    key = iam.create_access_key(UserName="u")["AccessKey"]
    mine = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    assert api.client("sts", **mine).get_caller_identity()["Arn"].endswith(":user/u")
    iam.update_access_key(UserName="u", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        api.client("sts", **mine).get_caller_identity()


def test_a_session_needs_its_token(api: Served) -> None:
    api.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    held = api.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/r", RoleSessionName="session")
    mine = {
        "aws_access_key_id": held["Credentials"]["AccessKeyId"],
        "aws_secret_access_key": held["Credentials"]["SecretAccessKey"],
    }
    token = held["Credentials"]["SessionToken"]
    assert "assumed-role/r" in api.client("sts", **mine, aws_session_token=token).get_caller_identity()["Arn"]
    for wrong in (None, token + "x", "é"):
        with pytest.raises(ClientError, match="InvalidClientTokenId"):
            api.client("sts", **mine, aws_session_token=wrong).get_caller_identity()


def test_a_tasks_keys_end_when_their_time_is_over(tmp_path: Path) -> None:
    with serve(tmp_path) as api:
        now = datetime.now(UTC)
        keys = Keys(api.engine.store, api.instance)
        late = keys.issue("arn:aws:iam::1:role/r", "arn:aws:ecs:r:1:task/c/t", "secret", now=now - timedelta(hours=7))
        with pytest.raises(ClientError, match="ExpiredToken"):
            api.client(
                "sts",
                aws_access_key_id=late.access_key,
                aws_secret_access_key=late.secret_key,
                aws_session_token=late.token,
            ).get_caller_identity()


def test_a_retry_gets_the_first_answer_and_changes_nothing_again(api: Served) -> None:
    retry = {"X-Amz-Target": f"{ECS}.RegisterTaskDefinition", "amz-sdk-invocation-id": "once"}
    body = {"family": "retried", "containerDefinitions": [{"name": "c", "image": "i"}]}
    first = send(api, "ecs", json.dumps(body).encode(), JSON | retry)
    assert first[0] == 200, first
    assert send(api, "ecs", json.dumps(body).encode(), JSON | retry) == first
    other = send(api, "ecs", json.dumps(body | {"cpu": "256"}).encode(), JSON | retry)
    assert json.loads(other[1])["taskDefinition"]["revision"] == 2
    assert len(api.client("ecs").list_task_definitions(familyPrefix="retried")["taskDefinitionArns"]) == 2


def test_the_same_id_for_another_request_of_a_stock_service_is_not_a_retry(api: Served) -> None:
    def put(name: str) -> object:
        headers = JSON | {"X-Amz-Target": "AmazonSSM.PutParameter", "amz-sdk-invocation-id": "same"}
        body = {"Name": name, "Value": "v", "Type": "String"}
        return json.loads(send(api, "ssm", json.dumps(body).encode(), headers)[1])["Version"]

    assert [put(name) for name in ("/one", "/two", "/one")] == [1, 1, 1]
    assert len(api.client("ssm").get_parameters(Names=["/one", "/two"])["Parameters"]) == 2


def test_sns_delivers_to_queues_and_calls_no_url(api: Served) -> None:
    asked: list[str] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as hook:
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        sns, sqs = api.client("sns"), api.client("sqs")
        topic = sns.create_topic(Name="t")["TopicArn"]
        queue = sqs.create_queue(QueueName="q")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        url = f"http://127.0.0.1:{hook.server_port}/"
        for protocol, endpoint in (("http", url), ("sqs", arn), ("lambda", "arn:aws:lambda:us-west-2:1:function:f")):
            sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint)
        sns.publish(TopicArn=topic, Message="hello")
        assert "hello" in sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"]
        hook.shutdown()
    assert {s["Protocol"] for s in sns.list_subscriptions()["Subscriptions"]} == {"http", "sqs", "lambda"}
    assert asked == []


def test_a_python_error_in_a_stock_service_is_the_requests_and_is_journaled(api: Served) -> None:
    events = api.client("events", config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))
    before = api.journal.length
    with pytest.raises(ClientError, match="KeyError"):
        events.put_targets(Rule="none", Targets=[{"Id": "1"}])
    assert api.journal.length == before + 1
