"""`miyabi logs` in the shared environment: over three deployments under load every line once, in order per task."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.acceptance.cloud import BIN, Ran, Rehearsal, until
from tests.acceptance.load import SteadyLoad
from tests.acceptance.test_first_answer import First, address_of, process_of, service_of, tasks_of, url_of

SERVICE = "--cluster miyabi-cluster-dev --service miyabi-service-dev"
GROUP = "/ecs/miyabi-dev"
RATE = 100

pytestmark = pytest.mark.usefixtures("configured")


@dataclass
class Tail:
    """`miyabi logs tail --follow --json` as it runs."""

    process: subprocess.Popen[str]
    events: list[dict[str, Any]] = field(default_factory=list)

    def read(self) -> None:
        assert self.process.stdout is not None
        # What Ctrl-C cut off in the middle has no end.
        self.events.extend(json.loads(line) for line in self.process.stdout if line.endswith("\n"))

    def request_ids(self) -> list[str]:
        """Return the request ids in the lines so far, in their order."""
        return [found for event in list(self.events) if (found := parsed(event).get("request_id"))]


def parsed(event: dict[str, Any]) -> dict[str, Any]:
    try:
        found = json.loads(event["message"])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def start(cloud: Rehearsal, *arguments: str, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(BIN / "miyabi"), "logs", *arguments],
        env=cloud.variables(),
        cwd=cloud.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


@contextmanager
def tailing(cloud: Rehearsal, *arguments: str) -> Iterator[Tail]:
    tail = Tail(start(cloud, "tail", "--follow", "--json", *arguments))
    reader = threading.Thread(target=tail.read)
    reader.start()
    try:
        yield tail
    finally:
        if tail.process.poll() is None:
            tail.process.send_signal(signal.SIGINT)
        tail.process.wait(30)
        reader.join(30)
        for stream in (tail.process.stdout, tail.process.stderr):
            if stream is not None:
                stream.close()


def steady(cloud: Rehearsal) -> bool:
    service = service_of(cloud)
    return len(service["deployments"]) == 1 and service["runningCount"] == service["desiredCount"]


def stored(cloud: Rehearsal, since: int, pattern: str = "") -> list[dict[str, Any]]:
    """Return the matching events from then on (milliseconds since 1970), by AWS's own API."""
    pages = (
        cloud.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName=GROUP, startTime=since, filterPattern=pattern)
    )
    return [event for page in pages for event in page["events"]]


def minutes_ago(number: int) -> int:
    return int((time.time() - 60 * number) * 1000)


def test_tail_over_three_deployments_under_load_shows_every_line_once_and_in_order(first: First) -> None:
    cloud, _ = first
    before = {task["taskArn"] for task in tasks_of(cloud)}
    with SteadyLoad(url_of(cloud) + "/health", rate=RATE) as load, tailing(cloud, "--since", "1s") as tail:
        until(tail.request_ids, seconds=30, what="the tail's first request")
        first_seen = len(load.sent)
        for _ in range(3):
            restarted = cloud.shell(f"aws ecs update-service {SERVICE} --force-new-deployment --region us-west-2")
            assert restarted.code == 0, restarted.err
            until(lambda: steady(cloud), seconds=120, what="the deployment's end")
        answered = [one.headers["x-request-id"] for one in list(load.sent)[first_seen:] if one.ok]
        until(lambda: set(answered) <= set(tail.request_ids()), seconds=30, what="the last requests in the tail")
    after = {task["taskArn"] for task in tasks_of(cloud)}
    assert not before & after
    # What the clients were answered: each request stands in the log once.
    counts = Counter(tail.request_ids())
    assert len(answered) > 3 * RATE
    assert {request: counts[request] for request in answered if counts[request] != 1} == {}
    # What CloudWatch Logs holds: each of its events was shown, none twice.
    shown = [event["id"] for event in tail.events]
    assert len(shown) == len(set(shown))
    last = max(event["timestamp"] for event in tail.events)
    begin = min(event["timestamp"] for event in tail.events)
    held = {one["eventId"] for one in stored(cloud, begin) if one["timestamp"] < last}
    assert held <= set(shown)
    # In order per task, of every task that ran.
    streams: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in tail.events:
        streams[event["stream"]].append(event)
    assert len({name.rpartition("/")[2] for name in streams}) >= 8
    for events in streams.values():
        assert [event["id"] for event in events] == sorted(event["id"] for event in events)


def test_the_last_lines_of_a_task_are_in_the_log_when_it_has_stopped(first: First) -> None:
    cloud, _ = first
    ended = [task for task in tasks_of(cloud, "STOPPED") if task["containers"][0].get("exitCode") == 0]
    latest = sorted(ended, key=lambda task: str(task["stoppedAt"]))[-6:]
    assert len(latest) == 6, "three deployments replaced two tasks each"
    streams = [event["logStreamName"] for event in stored(cloud, minutes_ago(10), '{ $.message = "stopped" }')]
    for task in latest:
        assert sum(stream.endswith(task["taskArn"].rpartition("/")[2]) for stream in streams) == 1


def test_what_a_killed_task_had_printed_is_in_the_log(first: First) -> None:
    cloud, _ = first
    url = url_of(cloud) + "/health"
    ids: dict[str, list[str]] = defaultdict(list)

    def enough() -> bool:
        _, headers, body = cloud.get(url)
        ids[json.loads(body)["task"]].append(headers["x-request-id"])
        return max(len(found) for found in ids.values()) > 5

    until(enough, seconds=20, what="six answers of one task")
    task, requests = max(ids.items(), key=lambda item: len(item[1]))
    address = next(address_of(found) for found in tasks_of(cloud) if found["taskArn"].endswith(task))
    os.kill(process_of(cloud, address), signal.SIGKILL)
    until(lambda: steady(cloud) and task not in str(tasks_of(cloud)), seconds=60, what="the replacement")

    def logged() -> bool:
        found = stored(cloud, minutes_ago(10), " ".join(f'?"{one}"' for one in requests[:-1]))
        return len(found) == len(requests) - 1

    # The last request's line follows its answer: the process may have been killed between the two.
    until(logged, seconds=10, what="the lines of the killed task")


def test_ctrl_c_ends_a_tail_with_130_and_says_how_many_lines_there_were(first: First) -> None:
    cloud, _ = first
    process = start(cloud, "tail", "--follow", "--since", "1h")
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout as out, process.stderr as err:
        lines = [out.readline(), out.readline()]
        process.send_signal(signal.SIGINT)
        rest = out.read()
        said = err.read()
        assert process.wait(30) == 130
    shown = len((lines + rest.splitlines())[1:])
    counted = re.search(r"stopped after ([\d,]+) lines", said)
    assert counted is not None, said
    assert shown - int(counted[1].replace(",", "")) in {0, 1}, "the last may have been under way"
    assert "Traceback" not in said


def test_a_reader_that_goes_away_ends_a_tail_even_when_nothing_is_printed(first: First) -> None:
    cloud, _ = first
    process = start(cloud, "tail", "--follow", "--since", "1s", "--filter", "NOTHING_PRINTS_THIS")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()  # the heading
    process.stdout.close()
    with process.stderr as err:
        said = err.read()
    assert process.wait(30) == 0
    assert said == ""


def test_search_speaks_cloudwatchs_language_and_says_what_was_searched(first: First) -> None:
    cloud, _ = first
    cloud.get(url_of(cloud) + "/Searched-For")

    def searched(pattern: str) -> Ran:
        ran = cloud.miyabi("logs", "search", pattern, "--since", "10m")
        assert ran.code == 0, ran.err
        return ran

    json_pattern = '{ $.path = "/Searched-For" && $.status = 404 }'
    until(lambda: "/Searched-For" in searched('"/Searched-For"').out, seconds=15, what="the line")
    assert "1 line of /ecs/miyabi-dev match" in searched(json_pattern).out
    assert "0 lines of /ecs/miyabi-dev match" in searched('"/searched-for"').out
    found = cloud.miyabi("--json", "logs", "search", json_pattern).json()
    assert json.loads(found["events"][0]["message"])["status"] == 404
    assert found["complete"] is True
    refused = cloud.miyabi("logs", "search", "{ $.status = ")
    assert refused.code == 2
    assert "hint:" in refused.err


def test_retention_is_shown_set_audited_and_put_back(first: First) -> None:
    cloud, _ = first
    assert "keeps its events for 7 days" in cloud.miyabi("logs", "retention").out
    dry = cloud.miyabi("logs", "retention", "30", "--dry-run")
    assert (dry.code, "PutRetentionPolicy" in dry.out) == (0, True), dry.err
    assert cloud.miyabi("logs", "retention", "10").code == 2
    longer = cloud.miyabi("logs", "retention", "30")
    assert longer.code == 0, longer.err
    groups = cloud.aws(f"logs describe-log-groups --log-group-name-prefix {GROUP}")["logGroups"]
    assert groups[0]["retentionInDays"] == 30
    assert cloud.miyabi("logs", "retention", "7").code == 2, "it deletes"
    assert cloud.miyabi("logs", "retention", "7", "--shorten").code == 0
    audit = cloud.miyabi("--json", "logs", "search", '{ $.operation = "logs.set-retention" }', "--group", AUDIT).json()
    outcomes = [json.loads(event["message"]).get("outcome") for event in audit["events"]]
    assert outcomes.count("succeeded") == 2


AUDIT = "/miyabi/dev/audit"


def test_logs_without_a_verb_tails(first: First) -> None:
    cloud, _ = first
    url = url_of(cloud) + "/health"
    tasks = {task["taskArn"].rpartition("/")[2][:8] for task in tasks_of(cloud)}
    answered: set[str] = set()

    def both_answered() -> bool:
        answered.add(json.loads(cloud.get(url)[2])["task"][:8])
        return tasks <= answered

    until(both_answered, seconds=20, what="an answer of each task")

    def shown() -> set[str]:
        ran = cloud.miyabi("logs", "--since", "1m")
        assert ran.code == 0, ran.err
        return {line.split("  ")[1] for line in ran.out.splitlines()[1:] if line.count("  ") >= 2}

    until(lambda: tasks <= shown(), seconds=20, what="both tasks' lines")
