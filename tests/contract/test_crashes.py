"""Random calls, retries, crashes and interrupted compactions: what was acknowledged is there, and nothing else.

A crash is a copy of the home as it is on disk between two calls, perhaps with a torn last line, served by a new start.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.core.base_backend import BackendDict

from miyabi.localcloud.control import rebuilding
from miyabi.localcloud.control.journal import Journal
from miyabi.localcloud.control.journal_layout import JournalLayout
from miyabi.localcloud.control.stock import StockServices
from tests.contract.control_api import ACCOUNT, Served, serve

TRUST = '{"Version":"2012-10-17","Statement":[]}'
TORN = b'{"type":"call","at":"2026-01-01T00:00:00Z","seed":1'
COMPACTION_STEPS = 7

names = st.sampled_from(["a", "b", "c"])
calls = st.one_of(
    st.tuples(st.just("parameter"), names),
    st.tuples(st.just("forget"), names),
    st.tuples(st.just("vpc"), names),
    st.tuples(st.just("role"), names),
    st.tuples(st.just("cluster"), names),
    st.tuples(st.just("no cluster"), names),
)
crashes = st.tuples(st.just("crash"), st.booleans(), st.integers(0, COMPACTION_STEPS))
steps = st.lists(st.one_of(calls, calls, st.just(("retry",))), min_size=1, max_size=12)
lives = st.lists(st.tuples(steps, crashes), min_size=1, max_size=2)


@pytest.fixture(autouse=True)
def few_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave AWS's managed policies out: they make a start slow, and these tests start often."""
    monkeypatch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")


class Team:
    """A client of a served home that can send a request again, as an SDK does when it saw no answer."""

    def __init__(self, api: Served, number: int) -> None:
        self._clients = {name: api.client(name) for name in ("ssm", "ec2", "iam", "ecs")}
        self._number = number
        self._last: Callable[[], Any] | None = None
        self._answer: Any = None
        for client in self._clients.values():
            client.meta.events.register("before-call", self._mark)

    def _mark(self, context: Any, **_: Any) -> None:
        context.setdefault("retries", {})["invocation-id"] = f"invocation-{self._number}"

    def act(self, step: Any) -> None:
        if step[0] == "retry":
            if self._last is not None:
                assert self._sent(self._last) == self._answer
            return
        self._number += 1
        self._last = self._call(step)
        self._answer = self._sent(self._last)

    def _call(self, step: Any) -> Callable[[], Any]:
        ssm, ec2, iam, ecs = self._clients.values()
        kind, name = step
        value = f"{self._number}"
        return {
            "parameter": lambda: ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True),
            "forget": lambda: ssm.delete_parameter(Name=name),
            "vpc": lambda: ec2.create_vpc(CidrBlock="10.0.0.0/16"),
            "role": lambda: iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST),
            "cluster": lambda: ecs.create_cluster(clusterName=name),
            "no cluster": lambda: ecs.delete_cluster(cluster=name),
        }[str(kind)]

    def _sent(self, call: Callable[[], Any]) -> Any:
        try:
            answer = call()
        except tuple(client.exceptions.ClientError for client in self._clients.values()) as error:
            return error.response["Error"]
        answer.pop("ResponseMetadata")
        return answer

    def look(self) -> dict[str, Any]:
        """Return everything that the calls could have changed."""
        ssm, ec2, iam, ecs = self._clients.values()
        clusters = sorted(ecs.list_clusters()["clusterArns"])
        return {
            "parameters": ssm.get_parameters(Names=["a", "b", "c"])["Parameters"],
            "vpcs": ec2.describe_vpcs()["Vpcs"],
            "groups": ec2.describe_security_groups()["SecurityGroups"],
            "roles": iam.list_roles()["Roles"],
            "clusters": ecs.describe_clusters(clusters=clusters)["clusters"] if clusters else [],
        }

    @property
    def number(self) -> int:
        return self._number


def crashed(root: Path, into: Path, *, torn: bool) -> None:
    """Copy a home as it is on disk."""
    shutil.copytree(root, into)
    if torn:
        with max((into / "state" / "journal").glob("*.jsonl")).open("ab") as file:
            file.write(TORN)


def compact_until(root: Path, step: int) -> None:
    """Carry out the first steps of a compaction of a home that nothing serves."""
    if step == 0:
        return
    BackendDict.reset()
    journal = Journal(root / "state", StockServices(ACCOUNT))
    before = journal.rotate()
    journal.close()
    layout = JournalLayout(root / "state" / "journal")
    if step >= 2:
        assert rebuilding.build(root / "state", StockServices(ACCOUNT), before)
    if step == 2:  # its maker died while it wrote
        content = layout.part(before).read_bytes()
        layout.part(before).write_bytes(content[: len(content) // 2])
    if step >= 4:
        layout.adopt(before)
    if step == 5:  # between two segments
        first = layout.segments()[0]
        layout.segment(first).replace(layout.archive / f"{first:08}.jsonl")
    if step == 6:
        layout.tidy()
    if step == 7:  # nothing of the archive is left
        layout.tidy(archive_bytes=0)
    BackendDict.reset()


def live(lives: Any) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root, number, seen = Path(directory) / "0", 0, None
        for life, (acts, (_, torn, step)) in enumerate(lives, 1):
            BackendDict.reset()
            with serve(root) as api:
                team = Team(api, number)
                assert seen is None or team.look() == seen
                for act in acts:
                    team.act(act)
                seen, number = team.look(), team.number
                after = Path(directory) / f"{life}"
                crashed(root, after, torn=torn)
            compact_until(after, step)
            root = after
        BackendDict.reset()
        with serve(root) as api:
            assert Team(api, number).look() == seen


@given(lives)
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
def test_after_any_crashes_the_state_is_that_of_the_acknowledged_calls(lives: Any) -> None:
    live(lives)


@pytest.mark.soak
@given(lives)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
def test_after_any_crashes_the_state_is_that_of_the_acknowledged_calls_at_length(lives: Any) -> None:
    live(lives)


@pytest.mark.parametrize("step", range(1, COMPACTION_STEPS + 1))
def test_a_compaction_that_dies_after_any_step_loses_nothing_and_retries_get_their_answers(
    tmp_path: Path, step: int
) -> None:
    BackendDict.reset()
    with serve(tmp_path / "0") as api:
        team = Team(api, 0)
        for act in (("parameter", "a"), ("role", "a"), ("cluster", "a"), ("vpc", "a")):
            team.act(act)
        seen, number = team.look(), team.number
        answer = team._answer
        crashed(tmp_path / "0", tmp_path / "1", torn=True)
    compact_until(tmp_path / "1", step)
    with serve(tmp_path / "1") as api:
        team = Team(api, number)
        assert team.look() == seen
        assert team._sent(team._call(("vpc", "a"))) == answer, "the retry of an acknowledged call made another VPC"
        assert team.look() == seen
        team.act(("parameter", "b"))
        seen = team.look()
    BackendDict.reset()
    with serve(tmp_path / "1") as api:
        assert Team(api, number).look() == seen


@pytest.mark.parametrize("entry", ["is not yet", "is"])
def test_a_crash_inside_a_call_and_the_clients_retry_make_the_change_once(tmp_path: Path, entry: str) -> None:
    """The process dies after moto carried the request out: before, or after, its entry is in the journal."""
    BackendDict.reset()
    with serve(tmp_path / "0") as api:
        team = Team(api, 0)
        team.act(("parameter", "a"))
        before = team.look()
        append = api.journal._file.append

        def crash(line: bytes) -> None:
            if entry == "is":
                append(line)
            crashed(tmp_path / "0", tmp_path / "1", torn=entry != "is")
            if entry != "is":
                append(line)

        api.journal._file.append = crash  # type: ignore[method-assign]
        team.act(("vpc", "a"))
        answer, after, number = team._answer, team.look(), team.number
    BackendDict.reset()
    with serve(tmp_path / "1") as api:
        team = Team(api, number)
        assert team.look() == (after if entry == "is" else before)
        retried = team._sent(team._call(("vpc", "a")))
        assert (retried == answer) == (entry == "is")
        assert len(team.look()["vpcs"]) == len(after["vpcs"])
