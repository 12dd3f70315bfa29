"""`logs tail`, `search` and `retention` on CloudWatch Logs as botocore sees it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from miyabi.aws.clients import Cloud
from miyabi.model.errors import Failed, InvalidInput, NotFound, Unavailable
from miyabi.model.logs import RETENTION_DAYS
from miyabi.operations.execution.parameters import read_params
from miyabi.operations.execution.run import Run
from miyabi.operations.logs.retention import set_retention, show_retention
from miyabi.operations.logs.search import search_logs
from miyabi.operations.logs.tail import tail_logs
from tests.contract.test_logs import GROUP, REGION, START, LocalLogs
from tests.unit.operations.environment import Names

TASK_ONE, TASK_TWO = "ecs/miyabi-app/11111111aaaa", "ecs/miyabi-app/22222222bbbb"


class LogsCloud(Cloud):
    """A cloud that has CloudWatch Logs, which a test may let fail."""

    def __init__(self, local: LocalLogs) -> None:
        super().__init__(region=REGION)
        self.logs = local.client()
        self.calls: list[dict[str, Any]] = []
        self.failing = 0
        self.logs.meta.events.register("before-parameter-build.cloudwatch-logs.FilterLogEvents", self._asked)

    def _new_client(self, service: str) -> Any:
        assert service == "logs"
        return self.logs

    def _asked(self, params: dict[str, Any], **_: Any) -> None:
        self.calls.append(dict(params))
        if self.failing:
            self.failing -= 1
            raise Unavailable("throttled")


class World:
    """The service, a run on it, and what happens while a tail sleeps."""

    def __init__(self, root: Path) -> None:
        self.local = LocalLogs(root)
        self.cloud = LogsCloud(self.local)
        self.cloud.logs.create_log_group(logGroupName=GROUP)
        self.during: list[Callable[[], object]] = []
        self.slept: list[float] = []
        self.run = Run(cloud=self.cloud, environment=Names(), now=lambda: self.local.now, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.local.now += timedelta(seconds=seconds)
        if not self.during:
            raise KeyboardInterrupt
        self.during.pop(0)()

    def put(self, stream: str, *events: tuple[float, str]) -> None:
        """Write lines; times are seconds from now."""
        client = self.cloud.logs
        with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
            client.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        found = [{"timestamp": self.local.ms + int(1000 * at), "message": text} for at, text in events]
        client.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=found)  # type: ignore[arg-type]

    def tail(self, **values: object) -> list[str]:
        """Tail until nothing is left to happen."""
        found: list[str] = []
        lines = tail_logs.function(self.run, read_params(tail_logs.params, values)).items
        with contextlib.suppress(KeyboardInterrupt):
            found.extend(f"{event.task} {event.message}" for event in lines)
        return found

    def call(self, operation: Any, **values: object) -> Any:
        """Call an operation and verify it."""
        params = read_params(operation.params, values)
        result = operation.function(self.run, params)
        return result if operation.verify is None else operation.verify(self.run, params, result)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.local.close()


class TestTail:
    def test_tasks_are_interleaved_in_the_order_of_time(self, world: World) -> None:
        world.put(TASK_ONE, (-3, "a"), (-1, "c"))
        world.put(TASK_TWO, (-2, "b"), (0, "d"))
        assert world.tail() == ["11111111 a", "22222222 b", "11111111 c", "22222222 d"]

    def test_without_follow_it_ends(self, world: World) -> None:
        assert world.tail() == []
        assert world.slept == []

    def test_since_is_a_duration_or_a_time(self, world: World) -> None:
        world.put(TASK_ONE, (-3600, "an hour ago"), (-5, "now"))
        assert world.tail() == ["11111111 now"]
        assert len(world.tail(since="2h")) == 2
        assert len(world.tail(since=(START - timedelta(hours=1, seconds=1)).isoformat())) == 2
        assert len(world.tail(since=f"{START:%Y-%m-%dT%H:%M}")) == 0
        with pytest.raises(InvalidInput, match="neither a duration nor a time"):
            world.tail(since="yesterday")

    def test_filter_and_task_choose_lines(self, world: World) -> None:
        world.put(TASK_ONE, (0, "ERROR one"), (0, "fine"))
        world.put(TASK_TWO, (0, "ERROR two"))
        assert world.tail(filter="ERROR") == ["11111111 ERROR one", "22222222 ERROR two"]
        assert world.tail(filter="ERROR", task="2222") == ["22222222 ERROR two"]
        assert world.tail(filter="error") == []
        with pytest.raises(InvalidInput) as refused:
            world.tail(filter="{ $.level = ")
        assert refused.value.hint is not None

    def test_follow_goes_on_across_tasks_that_are_replaced_and_shows_late_lines_once(self, world: World) -> None:
        world.put(TASK_ONE, (-1, "one"))
        world.during = [
            lambda: world.put(TASK_TWO, (0, "two")),
            lambda: world.put("ecs/miyabi-app/33333333", (0, "three")),
            lambda: world.put(TASK_ONE, (-8, "late"), (-8, "late and the same time")),
            lambda: None,
            lambda: world.put(TASK_ONE, (0, "last")),
        ]
        assert world.tail(follow=True) == [
            "11111111 one",
            "22222222 two",
            "33333333 three",
            "11111111 late",
            "11111111 late and the same time",
            "11111111 last",
        ]

    def test_a_line_that_comes_minutes_late_is_shown_once(self, world: World) -> None:
        world.put(TASK_ONE, (0, "first"))
        nothing: list[Callable[[], object]] = [lambda: None] * 40
        world.during = [*nothing, lambda: world.put(TASK_TWO, (-30, "late")), *nothing]
        assert world.tail(follow=True) == ["11111111 first", "22222222 late"]

    def test_every_page_is_read_while_more_arrives(self, world: World) -> None:
        many = [(number / 100 - 200, f"{number:05d}") for number in range(12_000)]
        for start in range(0, 12_000, 4_000):
            world.put(TASK_ONE, *many[start : start + 4_000])
        world.during = [lambda: world.put(TASK_TWO, (0, "after"))]
        found = world.tail(follow=True)
        assert found == [*[f"11111111 {number:05d}" for number in range(12_000)], "22222222 after"]

    def test_later_looks_read_only_the_last_seconds_again(self, world: World) -> None:
        world.during = [lambda: None] * 20
        world.tail(follow=True, since="1h")
        starts = [call["startTime"] for call in world.cloud.calls]
        assert starts[0] == int((START - timedelta(hours=1)).timestamp() * 1000)
        assert starts[-1] >= int((START + timedelta(seconds=8)).timestamp() * 1000)

    def test_a_failing_cloud_delays_lines_and_loses_none(self, world: World) -> None:
        world.put(TASK_ONE, (0, "before"))

        def outage() -> None:
            world.cloud.failing = 7
            world.put(TASK_ONE, (0, "during"))

        world.during = [outage, *[lambda: None] * 6, lambda: world.put(TASK_ONE, (0, "after")), lambda: None]
        assert world.tail(follow=True) == ["11111111 before", "11111111 during", "11111111 after"]
        assert max(world.slept) == 30
        assert world.run.warnings == ["throttled; trying on"]

    def test_a_group_that_is_deleted_and_made_again_is_followed_on(self, world: World) -> None:
        world.put(TASK_ONE, (0, "before"))
        world.during = [
            lambda: world.cloud.logs.delete_log_group(logGroupName=GROUP),
            lambda: world.cloud.logs.create_log_group(logGroupName=GROUP),
            lambda: world.put(TASK_ONE, (0, "after")),
        ]
        assert world.tail(follow=True) == ["11111111 before", "11111111 after"]
        assert len(world.run.warnings) == 1

    def test_a_group_that_never_was_is_not_waited_for(self, world: World) -> None:
        with pytest.raises(NotFound) as missing:
            world.tail(follow=True, group="/none")
        assert missing.value.hint is not None

    def test_a_cloud_that_does_not_answer_at_first_is_said_at_once(self, world: World) -> None:
        world.cloud.failing = 1
        with pytest.raises(Unavailable):
            world.tail(follow=True)


class TestSearch:
    def test_it_says_what_was_searched(self, world: World) -> None:
        world.put(TASK_ONE, (-7200, '{"level":"ERROR"}'), (-60, '{"level":"ERROR"}'), (-30, '{"level":"INFO"}'))
        found = world.call(search_logs, pattern='{ $.level = "ERROR" }')
        assert [event.message for event in found.events] == ['{"level":"ERROR"}']
        assert (found.log_group, found.complete, found.calls) == (GROUP, True, 1)
        assert (found.since, found.until) == (START - timedelta(hours=1), START)

    def test_until_ends_the_search(self, world: World) -> None:
        world.put(TASK_ONE, (-7200, "x one"), (-60, "x two"), (0, "x three"))
        found = world.call(search_logs, pattern="x", since="3h", until="1h")
        assert [event.message for event in found.events] == ["x one"]
        with pytest.raises(InvalidInput, match="is not before"):
            world.call(search_logs, pattern="x", since="1h", until="2h")

    @pytest.mark.parametrize(("limit", "complete"), [(1, False), (29, False), (30, True), (31, True)])
    def test_a_limit_that_is_reached_is_said(self, world: World, limit: int, complete: bool) -> None:
        world.put(TASK_ONE, *[(-number, f"x {number}") for number in range(30, 0, -1)])
        found = world.call(search_logs, pattern="x", limit=limit)
        assert [event.message for event in found.events] == [f"x {number}" for number in range(30, 0, -1)][:limit]
        assert found.complete is complete

    def test_all_pages_are_read(self, world: World) -> None:
        for start in range(0, 12_000, 6_000):
            world.put(TASK_ONE, *[(number / 1000 - 60, f"x {number}") for number in range(start, start + 6_000)])
        found = world.call(search_logs, pattern="x", limit=100_000)
        assert (len(found.events), found.complete) == (12_000, True)
        assert found.calls > 1

    def test_a_pattern_that_is_not_one_is_refused_with_a_hint(self, world: World) -> None:
        with pytest.raises(InvalidInput) as refused:
            world.call(search_logs, pattern="GET /health")
        assert '"GET /health"' in (refused.value.hint or "")


class TestRetention:
    def test_it_is_shown_and_set(self, world: World) -> None:
        assert world.call(show_retention).retention_days is None
        world.call(set_retention, days=7, shorten=True)
        done = world.call(set_retention, days=30)
        assert (done.before_days, done.retention_days) == (7, 30)
        assert world.call(show_retention).retention_days == 30
        assert "log_retention_days = 30" in world.run.warnings[-1]

    def test_only_what_cloudwatch_offers_can_be_set(self, world: World) -> None:
        with pytest.raises(InvalidInput) as refused:
            world.call(set_retention, days=10)
        assert refused.value.hint == "CloudWatch Logs offers 7 or 14 days."
        for days in RETENTION_DAYS:
            world.cloud.logs.put_retention_policy(logGroupName=GROUP, retentionInDays=days)  # all are offered

    def test_a_shorter_one_must_be_allowed(self, world: World) -> None:
        world.call(set_retention, days=30, shorten=True)
        with pytest.raises(InvalidInput, match="older than 7 days would be deleted"):
            world.call(set_retention, days=7)
        assert world.call(show_retention).retention_days == 30

    def test_a_change_that_did_not_last_is_a_failure(self, world: World) -> None:
        params = read_params(set_retention.params, {"days": 30, "shorten": True})
        result = set_retention.function(world.run, params)
        world.cloud.logs.put_retention_policy(logGroupName=GROUP, retentionInDays=3)
        assert set_retention.verify is not None
        with pytest.raises(Failed, match="keeps its events for 3 days"):
            set_retention.verify(world.run, params, result)

    def test_a_group_whose_name_only_begins_so_is_not_meant(self, world: World) -> None:
        world.cloud.logs.create_log_group(logGroupName=GROUP + "-more")
        world.cloud.logs.put_retention_policy(logGroupName=GROUP + "-more", retentionInDays=1)
        assert world.call(show_retention).retention_days is None
        with pytest.raises(NotFound):
            world.call(show_retention, group=GROUP[:-1])


@pytest.mark.parametrize("operation", [tail_logs, search_logs, show_retention, set_retention])
def test_every_operation_takes_another_group(operation: Any) -> None:
    assert "group" in {field.name for field in dataclasses.fields(operation.params)}
