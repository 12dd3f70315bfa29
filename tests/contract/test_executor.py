"""The executor: two writers, leases, interruptions at every step, the audit's chain, AWS away or throttling."""

from __future__ import annotations

import json
import re
import signal
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from miyabi.model.errors import Conflict, Failed, Interrupted, InvalidInput, MiyabiError, NotFound, Unavailable
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.executor import execute
from miyabi.operations.execution.lock import HeldLock, LockTable
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run
from miyabi.operations.registry import find
from tests.contract.control_api import serve
from tests.contract.operated import CLUSTER, GROUP, SERVICE, TABLE, HookedCloud, Operated


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    root = tmp_path_factory.mktemp("operated")
    (root / "home").mkdir()
    with serve(root / "home") as served:
        yield Operated(served, root)


@pytest.fixture
def world(made: Operated) -> Operated:
    made.reset()
    return made


class Notes:
    """A reporter that keeps what it was told."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.warnings: list[str] = []

    def step(self, text: str) -> None:
        self.steps.append(text)

    def progress(self, progress: Any) -> None:
        pass

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def lock_of(world: Operated) -> LockTable:
    return LockTable(world.cloud(), TABLE, "miyabi-dev")


def hold(world: Operated, *, operation: str = "service.deploy") -> HeldLock:
    lock = HeldLock(
        lock_of(world),
        owner="bob@laptop (process 7)",
        operation=operation,
        lease=timedelta(seconds=60),
        renewal=timedelta(seconds=0.05),
        now=lambda: world.clock,
    )
    lock.take()
    return lock


def test_a_change_holds_the_lock_and_gives_it_back_with_a_higher_number(world: Operated) -> None:
    seen = []
    settings = world.settings(sleep=lambda _: (seen.append(lock_of(world).read()), world.settle()))
    first = world.outcome("service.scale", settings, count="3")
    held = seen[0]
    assert held is not None
    assert (held.owner.startswith("ann@desk (process "), held.operation, held.fence) == (True, "service.scale", 1)
    assert lock_of(world).read() is None
    assert (first.fence, world.outcome("service.scale", count="2").fence) == (1, 2)


def test_a_held_lock_is_a_conflict_that_names_its_holder(world: Operated) -> None:
    lock = hold(world)
    before = world.standing()
    with pytest.raises(Conflict) as caught:
        world.run("service.scale", count="3")
    assert caught.value.exit_code == 5
    assert "locked by bob@laptop (process 7) for service.deploy since " in caught.value.message
    assert world.standing() == before
    shown = world.run("lock.show")
    assert (shown.state, shown.owner, shown.fence) == ("held", "bob@laptop (process 7)", 1)
    assert lock.release() is None
    assert world.run("lock.show").state == "free"


def test_of_two_writers_at_once_one_is_refused(world: Operated) -> None:
    within = threading.Barrier(2, timeout=20)
    outcomes: dict[int, object] = {}

    def write(number: int) -> None:
        cloud = world.cloud()
        cloud.hook = lambda action, _: wait_once(within) if action == "dynamodb:UpdateItem" else None
        settings = world.settings(cloud, caller=f"writer{number}@desk")
        try:
            outcomes[number] = execute(find("service.scale"), {"count": 3 + number}, settings)
        except MiyabiError as error:
            outcomes[number] = error

    waited = set()

    def wait_once(barrier: threading.Barrier) -> None:
        if threading.get_ident() not in waited:
            waited.add(threading.get_ident())
            barrier.wait()

    threads = [threading.Thread(target=write, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    refused = [number for number, one in outcomes.items() if isinstance(one, Conflict)]
    assert len(refused) == 1
    assert f"locked by writer{1 - refused[0]}@desk" in str(outcomes[refused[0]])
    assert world.standing()["desired"] == 3 + (1 - refused[0])


def test_an_expired_lease_is_taken_over_and_that_is_said(world: Operated) -> None:
    dead = hold(world, operation="service.stop")
    dead._released.set()  # its process has died: nobody renews
    world.clock += timedelta(seconds=61)
    assert world.run("lock.show").state == "expired"
    notes = Notes()
    outcome = world.outcome("service.scale", world.settings(reporter=notes), count="3")
    assert outcome.fence == 2
    assert "took over the expired lock of bob@laptop (process 7): service.stop, since" in outcome.warnings[0]
    assert notes.warnings == list(outcome.warnings)


def test_a_lease_is_renewed_while_the_work_goes_on(world: Operated) -> None:
    lock = hold(world)
    first = lock_of(world).read()
    renewed = threading.Event()
    world.clock += timedelta(seconds=5)
    while not renewed.wait(0.05):
        held = lock_of(world).read()
        assert held is not None
        assert first is not None
        if held.lease_until > first.lease_until:
            renewed.set()
    lock.check()
    assert lock.release() is None


def test_who_lost_the_lock_changes_nothing_more(world: Operated) -> None:
    notes = Notes()
    cloud = world.cloud()
    broken: list[Any] = []

    def break_it(action: str, _: int) -> None:
        if broken and action == "cloudwatch:DisableAlarmActions":
            pytest.fail("a change was sent after the lock was lost")
        if action == "application-autoscaling:RegisterScalableTarget":
            broken.append(world.run("lock.break", world.settings(caller="eve@phone")))
            for thread in threading.enumerate():
                if thread.name == "lease":
                    thread.join(30)  # it ends when a renewal finds that the lock is gone

    cloud.hook = break_it
    settings = world.settings(cloud, renewal=timedelta(seconds=0.05), reporter=notes)
    with pytest.raises(Conflict, match="is no longer held: another took it"):
        world.run("service.stop", settings)
    assert [one.owner.partition(" ")[0] for one in broken] == ["ann@desk"]
    assert world.standing()["desired"] == 2
    assert any("taken by another" in one for one in notes.warnings)


def test_wrong_input_begins_nothing(world: Operated) -> None:
    with pytest.raises(InvalidInput, match="COUNT must be a whole number"):
        world.run("service.scale", count="many")
    assert world.records() == []


@dataclass(frozen=True)
class DropParams:
    table: str = param("Which", argument=True)


@operation(
    "tables.drop",
    effect=Effect.DESTROY,
    permissions=("dynamodb:DeleteTable",),
    destroys=lambda _, params: params.table,
)
def drop(run: Run, params: DropParams) -> DropParams:
    """Drop a table."""
    client: Any = run.cloud.client("dynamodb")
    client.delete_table(TableName=params.table)
    return params


def test_what_destroys_wants_the_name_typed(world: Operated) -> None:
    world.dynamodb.create_table(
        TableName="old",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    for typed in (None, "odl"):
        with pytest.raises(InvalidInput, match="destroys 'old': its name must be typed"):
            execute(drop, {"table": "old"}, world.settings(), typed=typed)
    (call,) = execute(drop, {"table": "old"}, world.settings(), dry_run=True).calls
    assert (call.operation, call.params) == ("DeleteTable", {"TableName": "old"})
    assert "old" in world.dynamodb.list_tables()["TableNames"]
    execute(drop, {"table": "old"}, world.settings(), typed="old")
    assert "old" not in world.dynamodb.list_tables()["TableNames"]


def test_a_read_has_no_dry_run(world: Operated) -> None:
    with pytest.raises(InvalidInput, match="changes nothing"):
        world.outcome("service.status", dry_run=True)


def test_breaking_a_free_lock_is_refused(world: Operated) -> None:
    with pytest.raises(Conflict, match="is free"):
        world.run("lock.break")


def test_without_its_table_nothing_is_changed(world: Operated) -> None:
    world.dynamodb.delete_table(TableName=TABLE)
    with pytest.raises(NotFound, match="table 'miyabi-lock-dev' of the locks not found"):
        world.run("service.scale", count="3")
    assert world.standing()["desired"] == 2


def test_without_the_audits_group_nothing_is_changed(world: Operated) -> None:
    world.logs.delete_log_group(logGroupName=GROUP)
    with pytest.raises(NotFound, match="log group '/miyabi/dev/audit' of the audit not found"):
        world.run("service.scale", count="3")
    assert world.standing()["desired"] == 2
    assert lock_of(world).read() is None


def test_another_account_is_refused(world: Operated) -> None:
    with pytest.raises(Conflict, match="account 112530848482 answers"):
        world.run("service.scale", world.settings(account="999999999999"), count="3")


def test_a_record_is_opened_and_closed_and_the_list_tells_it(world: Operated) -> None:
    world.run("service.scale", count="3")
    with pytest.raises(InvalidInput):
        world.run("service.scale", count="9")
    opened, closed, *_ = (json.loads(record) for record in world.records())
    assert (opened["phase"], closed["phase"], closed["outcome"]) == ("opened", "closed", "succeeded")
    assert opened["params"] == {"count": 3, "wait": False, "timeout_seconds": 600.0}
    assert closed["previous"] == opened["hash"]
    assert opened["principal"].startswith("arn:aws:iam::112530848482:")
    rows = world.run("audit.list").runs
    assert [(row.operation, row.outcome, row.caller) for row in rows] == [
        ("service.scale", "succeeded", "ann@desk"),
        ("service.scale", "failed", "ann@desk"),
    ]
    assert "between 2 and 4" in rows[1].detail
    assert world.run("audit.verify").records == 4


def test_reading_a_secret_is_audited_without_its_value(world: Operated) -> None:
    client = world.served.client("secretsmanager")
    client.create_secret(Name="miyabi/dev/jwt-secret", SecretString="hush-hush")
    assert world.run("secrets.get", name="jwt-secret").value == "hush-hush"
    assert len(world.records()) == 2
    assert "hush-hush" not in "".join(world.records())
    rows = world.run("secrets.list").secrets
    assert [(row.name, row.exists) for row in rows] == [
        ("miyabi/dev/database-password", False),
        ("miyabi/dev/jwt-secret", True),
        ("miyabi/dev/api-keys", False),
    ]


def test_a_broken_chain_is_found_and_named(world: Operated) -> None:
    world.run("service.scale", count="3")
    world.run("service.scale", count="2")
    messages = world.records()
    (stream,) = world.logs.describe_log_streams(logGroupName=GROUP)["logStreams"]

    def rewrite(changed: list[str]) -> str:
        name = stream["logStreamName"]
        world.logs.delete_log_stream(logGroupName=GROUP, logStreamName=name)
        world.logs.create_log_stream(logGroupName=GROUP, logStreamName=name)
        at = int(world.clock.timestamp() * 1000)
        events = [{"timestamp": at, "message": message} for message in changed]
        world.logs.put_log_events(logGroupName=GROUP, logStreamName=name, logEvents=events)
        with pytest.raises(Failed) as caught:
            world.run("audit.verify")
        assert caught.value.exit_code == 1
        return str(caught.value.hint)

    altered = [*messages]
    altered[1] = altered[1].replace('"count":3', '"count":4')
    assert "record 2 was altered" in rewrite(altered)
    assert "record 2 is missing: 3 follows 1" in rewrite([messages[0], *messages[2:]])
    assert "records 3 to 4 are missing: the writer wrote them" in rewrite(messages[:2])
    assert "record 0 was altered" in rewrite(["not a record of ours", *messages])


def test_the_spool_is_private_and_keeps_what_aws_does_not_take(world: Operated) -> None:
    cloud = world.cloud()
    cloud.dead = frozenset({"logs"})
    outcome = world.outcome("service.scale", world.settings(cloud), count="3")
    assert "until AWS takes it" in outcome.warnings[0]
    assert world.standing()["desired"] == 3
    assert world.records() == []
    directory = world.root / "audit" / "dev"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}
    world.run("service.scale", count="2")
    assert [json.loads(record)["sequence"] for record in world.records()] == [1, 2, 3, 4]
    assert world.run("audit.verify").waiting == 0


def test_records_of_several_days_are_sent_together_when_aws_is_back(world: Operated) -> None:
    cloud = world.cloud()
    cloud.dead = frozenset({"logs"})
    end = world.clock
    for days in (20, 3, 1):
        world.clock = end - timedelta(days=days)
        world.run("service.scale", world.settings(cloud), count="3")
    world.clock = end
    assert len(world.run("audit.list", since="30d").runs) == 3
    assert world.run("audit.verify").records == 6


def test_an_aws_that_cannot_be_reached_is_exit_6_and_nothing_is_begun(world: Operated) -> None:
    cloud = world.cloud(endpoint="http://127.0.0.1:1")
    for name, values in (("service.status", {}), ("service.scale", {"count": "3"})):
        with pytest.raises(Unavailable) as caught:
            world.run(name, world.settings(cloud), **values)
        assert caught.value.exit_code == 6
    assert world.standing()["desired"] == 2


def test_throttling_is_retried(world: Operated) -> None:
    cloud = world.cloud()
    refused: list[str] = []

    def throttle(action: str, _: int) -> Any:
        if action == "ecs:UpdateService" and len(refused) < 2:
            refused.append(action)
            body = b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'
            return AWSResponse("http://127.0.0.1:1", 400, {"x-amzn-errortype": "ThrottlingException"}, _Raw(body))
        return None

    cloud.hook = throttle
    assert world.run("service.scale", world.settings(cloud), count="3").desired_count == 3
    assert len(refused) == 2


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._body

    def read(self, *_: object) -> bytes:
        return self._body


def test_interrupted_at_any_step_it_says_what_is_left_and_gives_the_lock_back(world: Operated) -> None:
    before = world.standing()
    cloud = world.cloud()
    for name in ("service.stop", "service.resume"):
        interrupted: set[str] = set()
        while interrupt_once_more(world, cloud, name, interrupted):
            assert lock_of(world).read() is None
            if name == "service.resume" and world.tags() == {}:
                world.run("service.stop")  # only the wait was interrupted: the resume itself was complete
        assert {"dynamodb:UpdateItem", "logs:PutLogEvents", "ecs:UpdateService"} < interrupted
    assert world.standing() == before
    runs = world.run("audit.list", limit="1000").runs
    assert {row.outcome for row in runs} == {"succeeded", "interrupted"}
    assert all(row.detail for row in runs if row.outcome == "interrupted")
    world.run("audit.verify")


def interrupt_once_more(world: Operated, cloud: HookedCloud, name: str, interrupted: set[str]) -> bool:
    """Press Ctrl-C at the first request of a kind that was not interrupted yet; return whether there was one."""
    cloud.actions.clear()
    pressed: list[str] = []

    def press(action: str, _: int) -> None:
        if action not in interrupted and not pressed:
            interrupted.add(action)
            pressed.append(action)
            signal.raise_signal(signal.SIGINT)

    cloud.hook = press
    try:
        world.outcome(name, world.settings(cloud))
    except Interrupted as error:
        said = error.message
    else:
        assert pressed == []
        return False
    left = r"(nothing was changed|done and not undone: \w+.*|sent, without an answer seen: \w+.*)"
    assert re.fullmatch(rf"{name} interrupted while .+: {left}", said)
    return True


def test_a_wait_that_is_interrupted_says_that_the_change_goes_on(world: Operated) -> None:
    def press(_: float) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted) as caught:
        world.run("service.scale", world.settings(sleep=press), count="3")
    assert caught.value.message == (
        "service.scale interrupted while waiting for service 'miyabi-service-dev' to be steady: "
        "done and not undone: UpdateService"
    )
    assert world.ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]["desiredCount"] == 3


def test_a_deadline_is_exit_6_and_says_what_was_missing(world: Operated) -> None:
    passed = [0.0]

    def sleep(_: float) -> None:
        passed[0] += 60

    with pytest.raises(Unavailable, match="2 of 3 tasks run"):
        world.run("service.scale", world.settings(sleep=sleep, clock=lambda: passed[0]), count="3")
