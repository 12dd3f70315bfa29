from __future__ import annotations

import socket
import subprocess
import sys
import threading

import pytest

from miyabi.aws.clients import Cloud
from miyabi.aws.identity import Identity, caller_identity
from miyabi.model.errors import Denied, Unavailable
from tests.unit.operations.scripted_cloud import Refused, ScriptedCloud


def local(endpoint: str = "http://127.0.0.1:1") -> Cloud:
    return Cloud(region="us-west-2", endpoint=endpoint, access_key="AKIA", secret_key="s")


def test_an_endpoint_is_reached_whatever_the_user_has_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "leaks")
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", "http://127.0.0.9:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.9:9")
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        received: list[bytes] = []

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                received.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")

        thread = threading.Thread(target=answer)
        thread.start()
        local(endpoint).client("ecs").list_clusters()
        thread.join(10)
    assert received[0].startswith(b"POST / HTTP/1.1")
    assert b"Credential=AKIA/" in received[0]
    assert b"leaks" not in received[0]
    assert b"miyabi/" in received[0]


def test_without_an_endpoint_the_configured_one_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    cloud = Cloud(region="us-west-2", access_key="AKIA", secret_key="s")
    assert cloud.client("ecs").meta.endpoint_url == "https://ecs.us-west-2.amazonaws.com"


def test_a_client_is_made_once_also_by_many_threads() -> None:
    cloud = local()
    clients: list[object] = []
    threads = [threading.Thread(target=lambda: clients.append(cloud.client("ssm"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(clients) == 8
    assert len({id(client) for client in clients}) == 1


def test_a_profile_that_does_not_exist_is_named() -> None:
    with pytest.raises(Denied, match=r"opening a session in us-west-2: .*\(nope\)"):
        Cloud(region="us-west-2", profile="nope").client("ecs")


def test_nobody_answering_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="asking who the caller is in us-west-2"):
        caller_identity(local())


def test_secrets_are_not_in_its_representation() -> None:
    assert "'s'" not in repr(local())


def test_the_caller_is_who_aws_says() -> None:
    arn = "arn:aws:iam::112530848482:user/x"
    cloud = ScriptedCloud({"sts:GetCallerIdentity": lambda: {"Account": "112530848482", "Arn": arn}})
    assert caller_identity(cloud) == Identity("112530848482", arn)


def test_wrong_keys_are_denied() -> None:
    def refuse() -> dict[str, object]:
        raise Refused("InvalidClientTokenId", status=403)

    with pytest.raises(Denied):
        caller_identity(ScriptedCloud({"sts:GetCallerIdentity": refuse}))


def test_boto3_is_not_loaded_before_a_client_is_wanted() -> None:
    program = (
        "import sys, miyabi.aws.clients, miyabi.aws.identity, miyabi.aws.waiting, miyabi.operations.steady,"
        " miyabi.operations.existing; sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
