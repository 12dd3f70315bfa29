"""/v1/events with a real PostgreSQL and a real Redis, and without them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest

from tests.integration.test_webapi import Service
from tests.integration.webapi_dependencies import PASSWORD, Program, eventually, free_port, make_postgresql, make_redis

KEY = "correct-horse"
ADMIN = {"Authorization": f"Bearer {KEY}"}

Start = Callable[..., Service]


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = make_postgresql(tmp_path_factory.mktemp("postgresql"))
    yield program
    program.stop()


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = make_redis(tmp_path_factory.mktemp("redis"))
    program.start()
    yield program
    program.stop()


@pytest.fixture(scope="module")
def start_any(
    postgresql: Program, redis: Program, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Start, list[Service]]]:
    """Return what starts the service, and those that it has started; None removes a variable."""
    started: list[Service] = []
    logs = tmp_path_factory.mktemp("logs")

    def start(**changes: str | None) -> Service:
        given = {
            "DATABASE_HOST": "127.0.0.1",
            "DATABASE_PORT": str(postgresql.port),
            "DATABASE_NAME": "miyabi_dev",
            "DATABASE_USER": "miyabi_user",
            "DATABASE_PASSWORD": PASSWORD,
            "DATABASE_POOL_MIN": "2",
            "REDIS_URL": f"redis://127.0.0.1:{redis.port}",
            "API_KEYS": json.dumps({"admin": KEY}),
            **changes,
        }
        environment = {name: value for name, value in given.items() if value is not None}
        started.append(Service(["-m", "miyabi.webapi"], environment, logs / f"{time.monotonic_ns()}.log"))
        started[-1].wait_until_listening()
        return started[-1]

    yield start, started
    for service in started:
        service.end()


@pytest.fixture
def start(start_any: tuple[Start, list[Service]]) -> Iterator[Start]:
    """Return what starts the service for one test."""
    start, started = start_any
    before = len(started)
    yield start
    while len(started) > before:
        started.pop().end()


@pytest.fixture(scope="module")
def shared(start_any: tuple[Start, list[Service]]) -> Service:
    return start_any[0]()


@pytest.fixture
def service(shared: Service) -> Service:
    """A service for tests that leave it as it was."""
    wait_for_checks(shared, "ok", "ok")
    return shared


def checks(service: Service) -> tuple[str, str]:
    status, body = service.get("/health")
    assert status == 200
    return body["checks"]["database"]["status"], body["checks"]["cache"]["status"]


def wait_for_checks(service: Service, database: str, cache: str) -> None:
    eventually(lambda: checks(service) == (database, cache), f"the checks are {database} and {cache}")


def post(service: Service, event: dict[str, Any], **headers: str) -> tuple[int, Any, Any]:
    answer, body = service.ask("POST", "/v1/events", {**ADMIN, **headers}, json.dumps(event).encode())
    return answer.status, answer.headers, json.loads(body)


def query(postgresql: Program, sql: str) -> list[Any]:
    url = f"postgresql://miyabi_user:{quote(PASSWORD, safe='')}@127.0.0.1:{postgresql.port}/miyabi_dev"

    async def ask() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            return list(await connection.fetch(sql))
        finally:
            await connection.close()

    return asyncio.run(ask())


def lines_with(service: Service, text: str) -> list[dict[str, Any]]:
    return [line for line in service.lines() if text in line["message"]]


def test_an_event_is_posted_and_read_back_by_another_task(service: Service, start: Start) -> None:
    event = {"type": "deployment.started", "message": "v1.1.0 rolls out", "data": {"tag": "v1.1.0", "n": [1, 2]}}
    status, headers, made = post(service, event)
    assert status == 201
    assert headers["location"] == f"/v1/events/{made['id']}"
    assert made["author"] == "admin"
    assert made["data"] == event["data"]
    other = start()
    wait_for_checks(other, "ok", "ok")
    answer, body = other.ask("GET", headers["location"], ADMIN)
    assert (answer.status, json.loads(body), answer.headers["x-cache"]) == (200, made, "hit")
    without = start(REDIS_URL=None)
    wait_for_checks(without, "ok", "unconfigured")
    answer, body = without.ask("GET", headers["location"], ADMIN)
    assert (answer.status, json.loads(body), answer.headers["x-cache"]) == (200, made, "miss")


def test_an_event_that_does_not_exist_is_404(service: Service) -> None:
    for event_id in ("01890a5d-ac96-774b-bcce-b302099a8057", "1", "x' OR true --"):
        status, body = service.get(f"/v1/events/{quote(event_id)}", ADMIN)
        assert (status, body["error"]["type"]) == (404, "NotFound")


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer wrong"}])
def test_without_a_key_of_the_service_nothing_is_told(service: Service, header: dict[str, str]) -> None:
    for method, path in (("GET", "/v1/events"), ("POST", "/v1/events"), ("GET", "/v1/events/1")):
        answer, body = service.ask(method, path, header)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer ")
        assert json.loads(body)["error"]["type"] == "Unauthorized"


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"message": "no type"}, "type"),
        ({"type": "Not a type", "message": "x"}, "type"),
        ({"type": "a", "message": ""}, "message"),
        ({"type": "a", "message": "nul \0"}, "NUL"),
        ({"type": "a", "message": "x", "data": [1]}, "data"),
        ({"type": "a", "message": "x", "data": {"a": "\0"}}, "cannot hold"),
        ({"type": "a", "message": "x", "data": {"a": "b" * 70_000}}, "data"),
        ({"type": "a", "message": "x", "occurred_at": "2999-01-01T00:00:00Z"}, "occurred_at"),
        ({"type": "a", "message": "x", "occurred_at": "2025-01-01T00:00:00"}, "timezone"),
        ({"type": "a", "message": "x", "colour": "red"}, "colour"),
    ],
)
def test_what_is_no_event_is_refused_with_what_is_wrong(service: Service, event: dict[str, Any], words: str) -> None:
    status, _, body = post(service, event)
    assert (status, body["error"]["type"]) == (422, "InvalidInput")
    assert words in body["error"]["message"]
    wait_for_checks(service, "ok", "ok")


def test_a_repeated_request_adds_nothing_and_another_under_its_key_is_refused(service: Service) -> None:
    event = {"type": "repeated", "message": "once"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(service, event, **{"Idempotency-Key": "k-1"}), range(8)))
    assert {status for status, _, _ in answers} == {201}
    assert len({body["id"] for _, _, body in answers}) == 1
    assert sum(headers["idempotent-replayed"] is None for _, headers, _ in answers) == 1
    assert len(service.get("/v1/events?type=repeated", ADMIN)[1]["events"]) == 1
    status, _, body = post(service, {**event, "message": "twice"}, **{"Idempotency-Key": "k-1"})
    assert (status, body["error"]["type"]) == (409, "Conflict")


def test_the_list_is_newest_first_and_its_pages_are_stable_under_inserts(service: Service) -> None:
    # Two of them at the same instant: then the id decides.
    minutes = [5, 3, 3, 9, 1, 7, 2]
    for minute in minutes:
        event = {"type": "paged", "message": f"{minute}", "occurred_at": f"2025-11-18T12:{minute:02}:00+00:00"}
        assert post(service, event)[0] == 201
    post(service, {"type": "other", "message": "not listed"})
    seen: list[str] = []
    path = "/v1/events?type=paged&limit=2"
    cursor = ""
    while True:
        status, page = service.get(path + cursor, ADMIN)
        assert status == 200
        seen += [event["message"] for event in page["events"]]
        if page["next"] is None:
            break
        post(service, {"type": "paged", "message": "newer"})
        cursor = f"&before={quote(page['next'])}"
    assert seen == ["9", "7", "5", "3", "3", "2", "1"]
    newest = service.get("/v1/events?limit=1", ADMIN)[1]
    assert [event["message"] for event in newest["events"]] == ["newer"]
    assert service.get(f"/v1/events?limit=1&before={quote(newest['next'])}", ADMIN)[1]["events"][0]["type"] == "paged"


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "before=nonsense", "befor=x", "type=%00"])
def test_a_list_that_cannot_be_made_is_422(service: Service, query: str) -> None:
    status, body = service.get(f"/v1/events?{query}", ADMIN)
    assert (status, body["error"]["type"]) == (422, "InvalidInput")


def test_other_methods_are_405(service: Service) -> None:
    answer, _ = service.ask("DELETE", "/v1/events", ADMIN)
    assert (answer.status, set(answer.headers["allow"].split(", "))) == (405, {"GET", "HEAD", "POST"})


def test_many_readers_of_one_cold_event_make_one_load(service: Service, start: Start, postgresql: Program) -> None:
    _, headers, _ = post(service, {"type": "cold", "message": "x"})
    alone = start(REDIS_URL=f"redis://127.0.0.1:{free_port()}")
    wait_for_checks(alone, "ok", "down")
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FROM events WHERE id%'"
    with ThreadPoolExecutor(30) as pool:
        with locked_events(postgresql):
            asked = [pool.submit(alone.get, headers["location"], ADMIN) for _ in range(30)]
            eventually(lambda: open_connections(alone) >= 30, "all of them are asking")
            eventually(lambda: bool(query(postgresql, waiting)), "one load waits")
            assert alone.get("/")[0] == 200
            assert len(query(postgresql, waiting)) == 1
        assert {one.result()[0] for one in asked} == {200}


def open_connections(service: Service) -> int:
    """Return how many connections clients have to the service."""
    port = f":{service.port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(port) and row[3] == "01" for row in rows)


@contextlib.contextmanager
def locked_events(postgresql: Program) -> Iterator[None]:
    """Let every statement on the events wait."""
    holder = subprocess.Popen(
        [sys.executable, "-c", LOCK_EVENTS, str(postgresql.port), quote(PASSWORD, safe="")],
        stdout=subprocess.PIPE, stdin=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdin is not None
    try:
        assert holder.stdout.readline() == b"locked\n"
        yield
    finally:
        holder.stdin.close()
        holder.wait()
        holder.stdout.close()


LOCK_EVENTS = """
import asyncio, sys, asyncpg
async def main():
    c = await asyncpg.connect(f"postgresql://miyabi_user:{sys.argv[2]}@127.0.0.1:{sys.argv[1]}/miyabi_dev")
    async with c.transaction():
        await c.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        print("locked", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
asyncio.run(main())
"""


def test_it_starts_without_a_database_and_uses_it_once_it_is_there(start: Start, postgresql: Program) -> None:
    postgresql.stop()
    try:
        service = start()
        status, body = service.get("/health")
        assert (status, body["status"], body["checks"]["database"]["status"]) == (200, "ok", "down")
        answer, content = service.ask("GET", "/v1/events", ADMIN)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert json.loads(content)["error"]["retry"] is True
    finally:
        postgresql.start()
    wait_for_checks(service, "ok", "ok")
    assert post(service, {"type": "late", "message": "x"})[0] == 201
    assert PASSWORD not in service.text()
    assert quote(PASSWORD, safe="") not in service.text()


def test_while_the_database_is_away_cached_events_are_read_and_the_rest_is_503(
    service: Service, postgresql: Program
) -> None:
    _, headers, made = post(service, {"type": "kept", "message": "x"})
    before = len(lines_with(service, "the database is down"))
    postgresql.stop()
    try:
        wait_for_checks(service, "down", "ok")
        answer, body = service.ask("GET", headers["location"], ADMIN)
        assert (answer.status, json.loads(body), answer.headers["x-cache"]) == (200, made, "hit")
        for method, path, content in (
            ("GET", "/v1/events", None),
            ("GET", "/v1/events/01890a5d-ac96-774b-bcce-b302099a8057", None),
            ("POST", "/v1/events", b'{"type": "a", "message": "b"}'),
        ):
            answer, _ = service.ask(method, path, ADMIN, content)
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert len(lines_with(service, "the database is down")) == 1 + before
    finally:
        postgresql.start()
    wait_for_checks(service, "ok", "ok")
    assert service.get("/v1/events", ADMIN)[0] == 200
    assert lines_with(service, "the database is up")


def test_a_frozen_database_is_a_503_and_health_does_not_wait_for_it(service: Service, postgresql: Program) -> None:
    with postgresql.frozen():
        began = time.monotonic()
        assert checks(service)[0] == "down"
        assert time.monotonic() - began < 1
        began = time.monotonic()
        status, _ = service.get("/v1/events", ADMIN)
        assert status == 503
        assert time.monotonic() - began < 12
    wait_for_checks(service, "ok", "ok")
    assert service.get("/v1/events", ADMIN)[0] == 200


def test_a_cache_that_dies_or_freezes_is_a_miss_and_is_logged_once(service: Service, redis: Program) -> None:
    _, headers, _ = post(service, {"type": "uncached", "message": "x"})
    redis.stop()
    try:
        for _ in range(5):
            answer, _ = service.ask("GET", headers["location"], ADMIN)
            assert (answer.status, answer.headers["x-cache"]) == (200, "miss")
        assert checks(service) == ("ok", "down")
        assert len(lines_with(service, "the cache is down")) == 1
    finally:
        redis.start()
    wait_for_checks(service, "ok", "ok")
    assert post(service, {"type": "uncached", "message": "y"})[0] == 201
    with redis.frozen():
        began = time.monotonic()
        assert [service.get("/v1/events/" + headers["location"][11:], ADMIN)[0] for _ in range(3)] == [200] * 3
        assert time.monotonic() - began < 1.5
    wait_for_checks(service, "ok", "ok")
    assert len(lines_with(service, "the cache is down")) == 2


def test_a_statement_is_cancelled_by_the_server_after_5_s_and_logged_as_slow(
    service: Service, postgresql: Program
) -> None:
    with locked_events(postgresql):
        began = time.monotonic()
        assert post(service, {"type": "a", "message": "b"})[0] == 503
        assert 4.5 < time.monotonic() - began < 8
    *_, slow = lines_with(service, "slow statement")
    assert (slow["statement"], slow["level"]) == ("add_event", "WARNING")
    assert slow["duration_ms"] > 4500
    assert checks(service) == ("ok", "ok")
    assert post(service, {"type": "a", "message": "b"})[0] == 201


def test_each_connection_has_the_statement_timeout_and_a_name(service: Service, postgresql: Program) -> None:
    rows = query(postgresql, "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'miyabi-web-api'")
    assert rows[0]["n"] >= 2
    body = service.get("/health")[1]["checks"]["database"]
    assert body["connections"]["max"] == 20
    assert 0 < body["latency_ms"] < 500


def test_tasks_that_start_together_migrate_once(start: Start, postgresql: Program) -> None:
    query(postgresql, "DROP TABLE IF EXISTS events, schema_migrations")
    services = [start() for _ in range(3)]
    for service in services:
        wait_for_checks(service, "ok", "ok")
    assert sum(len(lines_with(service, "applied migration 0001")) for service in services) == 1
    assert [row["number"] for row in query(postgresql, "SELECT number FROM schema_migrations")] == [1]


def test_a_schema_that_is_ahead_is_fine_and_one_that_differs_keeps_a_deployment_from_succeeding(
    start: Start, postgresql: Program
) -> None:
    wait_for_checks(start(), "ok", "ok")
    query(postgresql, "INSERT INTO schema_migrations (number, name, checksum) VALUES (9999, 'later', 'x')")
    wait_for_checks(start(), "ok", "ok")
    query(postgresql, "UPDATE schema_migrations SET checksum = 'other' WHERE number = 1")
    try:
        broken = start()
        eventually(lambda: broken.get("/health")[0] == 503, "the task says that it cannot serve")
        body = broken.get("/health")[1]
        assert body["status"] == "broken"
        assert "migration 0001" in body["checks"]["database"]["reason"]
    finally:
        query(postgresql, "DROP TABLE events, schema_migrations")


def test_sigterm_lets_go_of_every_connection(service: Service, postgresql: Program) -> None:
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(20) == 0
    sql = "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'miyabi-web-api'"
    eventually(lambda: query(postgresql, sql)[0]["n"] == 0, "no connection is left")
