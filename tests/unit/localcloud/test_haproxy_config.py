"""HAProxy's configuration and the changes to its servers, without HAProxy."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from miyabi.localcloud.control.elbv2.acceptance import Acceptance, leave_out
from miyabi.localcloud.control.elbv2.haproxy_plan import finished, plan_servers
from miyabi.localcloud.data.haproxy import Observed, Worker
from miyabi.localcloud.data.haproxy_config import Backend, Config, Frontend, ServerState, error_pages
from miyabi.localcloud.data.haproxy_rules import pattern, quoted
from miyabi.model.load_balancing import Action, Condition, FixedResponse, Rule, WeightedTargetGroup

READY, DRAIN, MAINT = ServerState.READY, ServerState.DRAIN, ServerState.MAINT
MINUTE = timedelta(minutes=1)
SERVERS = st.dictionaries(
    st.sampled_from([f"127.1.11.{n}:8080" for n in range(4, 9)]), st.sampled_from(ServerState), max_size=5
)


def config(servers: dict[str, ServerState], *rules: Rule) -> Config:
    default = Rule("r", "l", None, (), Action(forward=(WeightedTargetGroup("tg"),)))
    frontend = Frontend("127.1.1.4", 80, 80, MINUTE, (*rules, default))
    return Config((frontend,), (Backend("web.1", "roundrobin", MINUTE, servers),), {"tg": "web.1"})


def observed(servers: dict[str, ServerState], *former: Worker) -> Observed:
    keyed = {("web.1", name): state for name, state in servers.items()}
    return Observed("g", Worker(1, frozenset({"127.1.1.4:80"}), keyed, dict.fromkeys(keyed, 0)), former)


def apply(servers: dict[str, ServerState], wanted: Config) -> dict[str, ServerState]:
    """Do to the servers what a plan says."""
    plan = plan_servers(wanted, observed(servers))
    result = servers | {server: MAINT for _, server in plan.add}
    result |= {server: state for _, server, state in plan.states}
    return {server: state for server, state in result.items() if ("web.1", server) not in plan.delete}


@given(SERVERS, SERVERS)
def test_a_plan_reaches_what_is_asked_and_planning_again_plans_nothing(
    asked: dict[str, ServerState], seen: dict[str, ServerState]
) -> None:
    after = apply(seen, config(asked))
    assert after == asked
    assert not plan_servers(config(asked), observed(after))


def test_servers_do_not_change_the_generation_and_everything_else_does() -> None:
    one, two = config({"127.1.11.4:8080": READY}), config({"127.1.11.5:8080": DRAIN})
    assert one.generation == two.generation
    assert one.text() != two.text()
    slower = dataclasses.replace(one.frontends[0], idle_timeout=2 * MINUTE)
    assert dataclasses.replace(one, frontends=(slower,)).generation != one.generation


def test_a_restarted_haproxy_serves_ready_servers_at_once_and_no_other() -> None:
    text = config({"127.1.11.4:8080": READY, "127.1.11.5:8080": DRAIN, "127.1.11.6:8080": MAINT}).text()
    assert "  server 127.1.11.4:8080 127.1.11.4:8080\n" in text
    assert "  server 127.1.11.5:8080 127.1.11.5:8080 disabled\n" in text
    assert "  server 127.1.11.6:8080 127.1.11.6:8080 disabled\n" in text


def test_a_target_has_drained_when_no_worker_sends_to_it_and_nothing_is_open() -> None:
    server = ("web.1", "127.1.11.4:8080")
    draining = {"key": server}
    assert finished(draining, observed({server[1]: DRAIN}), serving=True) == {"key"}
    assert finished(draining, observed({server[1]: READY}), serving=True) == frozenset()
    busy = Worker(2, frozenset(), {server: READY}, {server: 0})
    assert finished(draining, observed({server[1]: DRAIN}, busy), serving=True) == frozenset()
    open_request = Worker(1, frozenset(), {server: DRAIN}, {server: 1})
    assert finished(draining, Observed("g", open_request), serving=True) == frozenset()
    assert finished(draining, None, serving=True) == frozenset()
    assert finished(draining, None, serving=False) == {"key"}


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_no_text_leaves_its_quotes(text: str) -> None:
    plain = r"[A-Za-z0-9 .,:;/<>=()\-_!?*+&]*"
    assert re.fullmatch(rf'"{plain}(\\x[0-9a-f]{{2}}{plain})*"', quoted(text))
    body = FixedResponse(200, "text/plain", text)
    condition = Condition("path-pattern", (text,))
    lines = config({}, Rule("r1", "l", 1, (condition,), Action(fixed_response=body))).text().splitlines()
    assert len(lines) == len(config({}, Rule("r1", "l", 1, (), Action(fixed_response=body))).text().splitlines())


@given(st.text("ab/.$(|[{+^\\'\"#", max_size=12))
def test_a_pattern_without_wildcards_matches_itself_alone(text: str) -> None:
    assert re.fullmatch(pattern(text), text)
    assert not re.fullmatch(pattern(text), text + "x")


def test_wildcards_match_any_characters_and_one_character() -> None:
    assert re.fullmatch(pattern("/img/*.j?g"), "/img/a/b.jpg")
    assert not re.fullmatch(pattern("/img/*.j?g"), "/img/a.jpeg")


def test_a_failed_connection_is_a_502() -> None:
    assert error_pages()["503.http"].startswith(b"HTTP/1.1 502 Bad Gateway\r\nServer: awselb/2.0\r\n")


class Judging:
    """A judge that refuses every frontend on these ports."""

    def __init__(self, *ports: int) -> None:
        self.ports = set(ports)
        self.asked = 0

    async def refusal(self, config: Config) -> str | None:
        self.asked += 1
        return "no" if self.ports & {frontend.port for frontend in config.frontends} else None


def test_a_configuration_is_judged_once_and_again_when_it_or_what_is_left_out_changes() -> None:
    one = config({"127.1.11.4:8080": READY})
    two = dataclasses.replace(one, frontends=(*one.frontends, dataclasses.replace(one.frontends[0], port=81)))
    judge = Judging()
    acceptance = Acceptance(judge)

    def refused(asked: Config, *, starting: bool = False) -> list[str]:
        return sorted(asyncio.run(acceptance.refused(asked, starting=starting)))

    assert (refused(one), refused(one), judge.asked) == ([], [], 1)
    assert (refused(config({})), judge.asked) == ([], 1)
    assert (refused(config({}), starting=True), judge.asked) == ([], 2)
    judge.ports = {81}
    assert refused(two) == ["127.1.1.4:81"]
    asked = judge.asked
    assert (refused(two), judge.asked) == (["127.1.1.4:81"], asked)
    judge.ports = set()
    assert refused(dataclasses.replace(two, backends=config({}).backends)) == []


def test_leaving_out_a_listener_leaves_out_the_backends_that_only_it_uses() -> None:
    shared, own = WeightedTargetGroup("tg"), WeightedTargetGroup("own")
    base = config({})
    other = Frontend("127.1.1.5", 80, 80, MINUTE, (Rule("r", "l", None, (), Action(forward=(shared, own))),))
    both = Config(
        (*base.frontends, other),
        (*base.backends, Backend("own.2", "roundrobin", MINUTE)),
        {"tg": "web.1", "own": "own.2"},
    )
    left = leave_out(both, {other.name})
    assert (left.frontends, left.backends) == (base.frontends, base.backends)
    assert leave_out(both, ()) == both
