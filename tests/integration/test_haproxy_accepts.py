"""Whatever rule the API accepts, HAProxy accepts too; a listener that it refuses all the same harms no other."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from miyabi.environment.home import Home
from miyabi.localcloud.control.elbv2.acceptance import Acceptance, leave_out
from miyabi.localcloud.control.elbv2.actions import parse_actions
from miyabi.localcloud.control.elbv2.attributes import LISTENER, changed, defaults
from miyabi.localcloud.control.elbv2.conditions import parse_conditions
from miyabi.localcloud.control.service import ApiError
from miyabi.localcloud.data.haproxy import HaproxyDriver, Processes
from miyabi.localcloud.data.haproxy_config import Backend, Config, Frontend, ServerState
from miyabi.model.load_balancing import Action, FixedResponse, Rule, WeightedTargetGroup
from tests.integration.balanced import BALANCER_PORT, REGION, Balanced, Balancer, balanced
from tests.integration.supervised import wait_for

MINUTE = timedelta(minutes=1)
GROUPS = ("tg-1", "tg-2")
NASTY = " #'\"\\$%{}[](),;|&*?`^~!@=+<>\t\r\n\0é\u2028"
PLAIN = "abZ019-_./:"
KEYWORDS = ["#{host}", "#{path}", "#{port}", "#{query}", "#{protocol}", "%[src]", "${HOME}", "\\x22", "if TRUE", ".if"]


def written(longest: int, smallest: int = 0) -> st.SearchStrategy[str]:
    """Return texts of an alphabet that means something to a configuration file, or of any."""
    meaning = st.lists(st.sampled_from([*NASTY, *PLAIN, *KEYWORDS]), min_size=smallest, max_size=longest).map("".join)
    return meaning | st.text(min_size=smallest, max_size=longest)


TOKENS = "abZ019!#$%&'*+.^_`|~-"
PRINTABLE = "".join(map(chr, range(32, 127)))


def values(alphabet: str, longest: int) -> st.SearchStrategy[list[str]]:
    """Return condition values: mostly such as the API takes, now and then any."""
    allowed = st.text(alphabet, min_size=1, max_size=longest)
    return st.lists(st.one_of(allowed, allowed, allowed, allowed, written(6, 1)), min_size=1, max_size=2)


NETWORKS = st.lists(st.sampled_from(["0.0.0.0/0", "127.0.0.1", "10.0.0.0/255.0.0.0", "10.0.0.1/8"]), min_size=1)
PAIRS = st.fixed_dictionaries(
    {"Value": st.text(PRINTABLE[1:], min_size=1, max_size=128)}, optional={"Key": st.text(PRINTABLE[1:], max_size=20)}
)
CONDITIONS = st.one_of(
    values("aZ0_-.$/~\"'@:+&*?", 128).map(lambda values: {"Field": "path-pattern", "Values": values}),
    values("aZ0.*?-", 128).map(lambda values: {"Field": "host-header", "Values": values}),
    st.builds(
        lambda name, values: {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": name, "Values": values}},
        st.text(TOKENS, min_size=1, max_size=40) | written(2, 1),
        values(PRINTABLE, 128),
    ),
    st.lists(PAIRS, min_size=1, max_size=2).map(
        lambda values: {"Field": "query-string", "QueryStringConfig": {"Values": values}}
    ),
    values("AZ_-", 40).map(
        lambda values: {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": values}}
    ),
    NETWORKS.map(lambda values: {"Field": "source-ip", "SourceIpConfig": {"Values": values}}),
)
LOCATION = st.text(PRINTABLE[1:], max_size=30) | st.lists(
    st.sampled_from([*KEYWORDS[:5], *PRINTABLE[1:], "%[src]", "${HOME}", "é"]), max_size=8
).map("".join)
STATUSES = st.integers(200, 599).map(str) | st.sampled_from(["200", "204", "299", "404", "499", "503", "599"])
PORTS = st.sampled_from(["1", "443", "65535", "#{port}", "65536", "9" * 5000, "٤٤٣"])
ACTIONS = st.one_of(
    st.builds(
        lambda status, kind, body: {
            "Type": "fixed-response",
            "FixedResponseConfig": {"StatusCode": status, "ContentType": kind, "MessageBody": body},
        },
        STATUSES,
        st.sampled_from(["text/plain", "text/html", "application/json"]),
        written(30) | st.text(PRINTABLE + "é\r\n\t", max_size=1024) | st.just("é" * 1024),
    ),
    st.builds(
        lambda protocol, status, texts: {
            "Type": "redirect",
            "RedirectConfig": {"Protocol": protocol, "StatusCode": status, **texts},
        },
        st.sampled_from(["HTTP", "HTTPS", "#{protocol}"]),
        st.sampled_from(["HTTP_301", "HTTP_302"]),
        st.fixed_dictionaries(
            {"Host": LOCATION}, optional={"Path": LOCATION.map("/".__add__), "Query": LOCATION, "Port": PORTS}
        ),
    ),
    st.builds(
        lambda weights: {
            "Type": "forward",
            "ForwardConfig": {
                "TargetGroups": [
                    {"TargetGroupArn": arn, "Weight": weight} for arn, weight in zip(GROUPS, weights, strict=False)
                ]
            },
        },
        st.lists(st.sampled_from([0, 1, 2, 999]), min_size=1, max_size=2),
    ),
)
HEADERS = st.dictionaries(st.sampled_from(sorted(LISTENER)[:-1]), written(12), max_size=3)
ASKED = st.tuples(st.lists(CONDITIONS, min_size=1, max_size=2), ACTIONS)


class NoProcesses:
    """Stands where nothing is started."""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> HaproxyDriver:
    home = Home(tmp_path_factory.mktemp("accepts") / "home")
    home.create()
    return HaproxyDriver(home, cast("Processes", NoProcesses()))


def frontend(port: int, *rules: Rule, **attributes: str) -> Frontend:
    default = Rule("r", "l", None, (), Action(forward=(WeightedTargetGroup(GROUPS[0]),)))
    return Frontend("127.1.1.4", port, port, MINUTE, (*rules, default), attributes)


def config(*frontends: Frontend) -> Config:
    servers = {"127.1.11.4:1": ServerState.READY, "127.1.11.4:65535": ServerState.MAINT}
    backends = (Backend("one.1", "roundrobin", MINUTE, servers), Backend("two.2", "leastconn", MINUTE, {}))
    return Config(frontends, backends, {"tg-1": "one.1", "tg-2": "two.2"})


def accepted_rules(asked: list[tuple[list[dict[str, Any]], dict[str, Any]]]) -> list[Rule]:
    """Return the rules that the API does not refuse."""
    rules = []
    for number, (conditions, action) in enumerate(asked, 1):
        with contextlib.suppress(ApiError):
            rules.append(Rule(f"r{number}", "l", number, parse_conditions(conditions), parse_actions([action])))
    return rules


FIXED = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "204", "MessageBody": "x"}}


@example(
    asked=[
        ([{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": name, "Values": ["a"]}}], FIXED)
        for name in ("a#b", "a'b", TOKENS, "$HOME", "%")
    ],
    headers={"routing.http.response.x_frame_options.header_value": "%[src] \"'#\\"},
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(asked=st.lists(ASKED, min_size=5, max_size=30), headers=HEADERS)
def test_a_rule_that_the_api_accepts_is_one_that_haproxy_accepts(
    driver: HaproxyDriver, asked: list[tuple[list[dict[str, Any]], dict[str, Any]]], headers: dict[str, str]
) -> None:
    attributes = defaults(LISTENER)
    for key, value in headers.items():
        with contextlib.suppress(ApiError):
            attributes = changed("Listener", LISTENER, attributes, {key: value})
    written_down = config(frontend(80, *accepted_rules(asked), **attributes))
    assert asyncio.run(driver.refusal(written_down)) is None


def test_a_listener_that_haproxy_refuses_is_left_out_and_the_others_stay(driver: HaproxyDriver, tmp_path: Path) -> None:
    bad = Rule("r1", "l", 1, (), Action(fixed_response=FixedResponse(999, "text/plain", "")))
    unknown = Rule("r1", "l", 1, (), Action(forward=(WeightedTargetGroup("tg-unknown"),)))
    asked = config(frontend(80), frontend(81, bad), frontend(82, unknown), frontend(83))
    acceptance = Acceptance(driver)
    refused = asyncio.run(acceptance.refused(asked, starting=False))
    assert sorted(refused) == ["127.1.1.4:81", "127.1.1.4:82"]
    assert refused["127.1.1.4:81"].startswith("The listener on port 81 cannot be served: ")
    left = leave_out(asked, refused)
    assert [kept.port for kept in left.frontends] == [80, 83]
    assert asyncio.run(driver.refusal(left)) is None
    assert asyncio.run(acceptance.refused(config(frontend(80)), starting=False)) == {}


REFUSED = Action(fixed_response=FixedResponse(999, "text/plain", ""))
"""An action that the API does not let in."""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balanced]:
    home = Home(tmp_path_factory.mktemp("impaired") / "home")
    home.create()
    with balanced(home) as made:
        yield made


def is_empty(balancer: Balancer, status: int) -> bool:
    answer = balancer.get()
    return (answer.status, answer.body, answer.headers["server"]) == (status, "", "awselb/2.0")


def test_a_fixed_response_may_be_empty(cloud: Balanced) -> None:
    balancer = cloud.balancer("empty")
    for status in ("404", "204"):
        action = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": status}}
        cloud.call("modify_listener", ListenerArn=balancer.listener, DefaultActions=[action])
        wait_for(functools.partial(is_empty, balancer, int(status)))


def test_a_listener_that_haproxy_refuses_impairs_its_load_balancer_and_no_other(cloud: Balanced) -> None:
    impaired, other = cloud.balancer("impaired"), cloud.balancer("other")
    address = cloud.target(141)[0]
    other.register(address)
    rule = Rule(f"{impaired.listener.replace(':listener/', ':listener-rule/')}/bad", impaired.listener, 1, (), REFUSED)
    cloud.on_worker(cloud.service.rules.put, REGION, rule.arn, rule)
    cloud.engine.wake()
    wait_for(lambda: impaired.state()["Code"] == "active_impaired")
    assert impaired.state()["Reason"].startswith(f"The listener on port {BALANCER_PORT} cannot be served: ")
    assert not impaired.is_listening()
    other.wait_healthy(address)
    assert cloud.balancer("after").get().status == 503
    cloud.call("delete_rule", RuleArn=rule.arn)
    wait_for(lambda: impaired.state() == {"Code": "active"})
    assert impaired.get().status == 503
