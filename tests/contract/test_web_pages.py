"""Nothing of the API can be reached by a page in the user's browser, and no control route of moto by anybody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.contract.control_api import REGION, Served, serve

TARGET = {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters"}
PATHS = ("/", "/_miyabi/ready", "/_miyabi/work", "/_ecs/credentials/x", "/moto-api/reset", "/bucket/key")
RESETS = ("/moto-api/reset", "/moto-api/reset-auth", "/moto-api/data.json", "/moto-api/seed?a=1", "/moto-api/")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("home")) as served:
        yield served


def send(
    api: Served, method: str, path: str, headers: dict[str, str], body: bytes = b"{}"
) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", api.instance.api_port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def signed(api: Served, method: str, path: str, service: str, headers: dict[str, str]) -> dict[str, str]:
    host = {"Host": f"127.0.0.1:{api.instance.api_port}"}
    request = AWSRequest(method, api.instance.endpoint + path, host | headers, b"{}")
    SigV4Auth(Credentials(api.instance.access_key, api.instance.secret_key), service, REGION).add_auth(request)
    return dict(request.headers.items())


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:4566", "http://localhost"])
def test_whatever_has_an_origin_is_refused(api: Served, path: str, origin: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        status, headers, _ = send(api, method, path, {"Origin": origin, "Content-Type": "text/plain"})
        assert status == 403
        assert not [name for name in headers if name.startswith("access-control-")]


def test_a_signature_does_not_help_a_page(api: Served) -> None:
    plain = signed(api, "POST", "/", "ecs", {"Content-Type": "application/x-amz-json-1.1"} | TARGET)
    assert send(api, "POST", "/", plain)[0] == 200
    assert send(api, "POST", "/", plain | {"Origin": "http://evil.example"})[0] == 403
    assert send(api, "POST", "/", plain | {"Sec-Fetch-Site": "cross-site"})[0] == 403


@pytest.mark.parametrize("path", PATHS)
def test_a_preflight_allows_nothing(api: Served, path: str) -> None:
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    asked |= {"Access-Control-Request-Headers": "x-amz-target,authorization"}
    status, headers, _ = send(api, "OPTIONS", path, asked)
    assert status == 403
    assert not [name for name in headers if name.startswith("access-control-")]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:4566", "127.0.0.1", "127.0.0.1:1", "127.0.0.2:4566", ""]
)
def test_a_name_that_was_bound_to_loopback_is_refused(api: Served, path: str, host: str) -> None:
    assert send(api, "GET", path, {"Host": host})[0] == 403


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("site", ["cross-site", "same-site", "same-origin"])
def test_what_a_browser_sends_for_a_page_without_an_origin_is_refused(api: Served, path: str, site: str) -> None:
    assert send(api, "GET", path, {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})[0] == 403


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_needs_a_signature_like_everything_else(api: Served, content_type: str) -> None:
    status, _, body = send(api, "POST", "/", {"Content-Type": content_type}, b"Action=ListUsers&Version=2010-05-08")
    assert status == 403
    assert b"MissingAuthenticationToken" in body


@pytest.mark.parametrize("origin", [{}, {"Origin": "http://evil.example"}])
def test_there_is_no_websocket(api: Served, origin: dict[str, str]) -> None:
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    upgrade |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    assert send(api, "GET", "/", upgrade | origin, b"")[0] == 403


@pytest.mark.parametrize("path", RESETS)
def test_motos_control_routes_are_not_there(api: Served, path: str) -> None:
    api.client("ssm").put_parameter(Name="kept", Value="v", Type="String", Overwrite=True)
    for method in ("GET", "POST"):
        assert send(api, method, path, {})[0] == 403
        for service in ("s3", "ec2", "moto_api", "instance_metadata"):
            status, _, body = send(api, method, path, signed(api, method, path, service, {}))
            assert status in {400, 404}, body
    assert api.client("ssm").get_parameter(Name="kept")["Parameter"]["Value"] == "v"


def test_unknown_keys_and_wrong_secrets_are_refused(api: Served) -> None:
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        api.client("ecs", aws_access_key_id="AKIAOTHEROTHEROTHER0").list_clusters()
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        api.client("ecs", aws_secret_access_key="other").list_clusters()


def test_an_unsigned_request_is_refused_in_the_protocol_that_it_speaks(api: Served) -> None:
    status, _, body = send(api, "POST", "/", {"Content-Type": "application/x-amz-json-1.1"} | TARGET)
    assert (status, json.loads(body)["__type"]) == (400, "MissingAuthenticationToken") or status == 403
