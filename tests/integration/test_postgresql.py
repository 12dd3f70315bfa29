"""DB instances with a real PostgreSQL: the service, its loop, the supervisor and the server."""

from __future__ import annotations

import asyncio
import glob
import os
import signal
import ssl
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from moto.core.base_backend import BackendDict

from miyabi.environment.home import Home
from miyabi.localcloud.control.addresses import AddressBook
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.rds import DatabaseLoop, Rds, Versions
from miyabi.localcloud.control.service import Caller, Params, Result
from miyabi.localcloud.control.store import Store
from miyabi.localcloud.data.postgresql import PostgresDriver
from miyabi.localcloud.data.postgresql_binaries import Binaries, Launch, find_binaries
from miyabi.localcloud.data.postgresql_roles import scram_verifier
from miyabi.localcloud.data.server_certificate import Authority
from miyabi.localcloud.supervisor_client import SupervisorClient
from tests.integration.supervised import Cloud

ACCOUNT, REGION = "112530848482", "us-west-2"
PASSWORD = "correct-horse-9"
DEEP = "a-directory-with-a-long-name/" * 6
"""A Unix socket's path may have 107 bytes."""


class Database:
    """A control plane's part for RDS, in this process, on a supervisor of its own."""

    def __init__(self, cloud: Cloud, launch: Launch) -> None:
        home = cloud.home
        self.cloud = cloud
        self.engine = Engine(Store(home.state / "control.sqlite"))
        authority = Authority(home.databases)
        addresses = AddressBook(self.engine.store, 78)
        self.service = Rds(self.engine.store, addresses, Versions(find_binaries), authority, self.engine.wake)
        driver = PostgresDriver(home, SupervisorClient(home.run), authority, launch)
        self.loop = DatabaseLoop(self.engine, self.service, driver, ACCOUNT)

    async def call(self, operation: str, **params: Any) -> Result:
        caller = Caller(ACCOUNT, REGION, "key", datetime.now(UTC))
        method: Callable[[Caller, Params], Result] = getattr(self.service, operation)
        result = await self.engine.run(method, caller, params)
        self.engine.wake()
        return result

    async def create(self, **params: Any) -> None:
        asked = {"DBInstanceClass": "db.t3.micro", "MasterUsername": "app", "MasterUserPassword": PASSWORD}
        asked |= {"Engine": "postgres", "DBName": "shop", "AllocatedStorage": 20, **params}
        await self.call("create_db_instance", DBInstanceIdentifier="db", **asked)

    async def describe(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.call("describe_db_instances", DBInstanceIdentifier="db"))["DBInstances"][0]
        return found

    async def eventually(self, look: Callable[[], Awaitable[Any]], seconds: float = 20.0) -> Any:
        async with asyncio.timeout(seconds):
            while True:
                if found := await look():
                    return found
                await asyncio.sleep(0.02)

    async def until(self, status: str) -> Any:
        async def look() -> dict[str, Any] | None:
            found = await self.describe()
            return found if found["DBInstanceStatus"] == status else None

        return await self.eventually(look)

    async def until_gone(self) -> None:
        async def look() -> bool:
            return not (await self.call("describe_db_instances"))["DBInstances"]

        await self.eventually(look)

    async def until_answer(self, query: str, answer: str) -> None:
        async def look() -> bool:
            return bool(await self.ask(query) == answer)

        await self.eventually(look)

    async def parameter_status(self) -> str:
        return str((await self.describe())["DBParameterGroups"][0]["ParameterApplyStatus"])

    @asynccontextmanager
    async def session(self, password: str = PASSWORD, **options: Any) -> AsyncIterator[asyncpg.Connection]:
        endpoint = (await self.describe())["Endpoint"]
        options = {"user": "app", "database": "shop", "ssl": "require", **options}
        connection = await asyncpg.connect(
            host=endpoint["Address"], port=endpoint["Port"], password=password, timeout=5, **options
        )
        try:
            yield connection
        finally:
            await connection.close()

    async def ask(self, query: str, **options: Any) -> Any:
        async with self.session(**options) as connection:
            return await connection.fetchval(query)

    def pid(self) -> int:
        (path,) = glob.glob(glob.escape(str(self.cloud.home.databases)) + "/db-*/data/postmaster.pid")  # noqa: PTH207
        return int(Path(path).read_text().split()[0])

    def owner(self) -> int:
        return Path(f"/proc/{self.pid()}").stat().st_uid


Scenario = Callable[[Database], Awaitable[None]]


@pytest.fixture
def cloud(tmp_path: Path) -> Any:
    BackendDict.reset()
    home = Home(tmp_path / DEEP / "home")
    home.create()
    cloud = Cloud(home)
    cloud.up()
    yield cloud
    cloud.down()


def run(cloud: Cloud, scenario: Scenario, launch: Launch | None = None) -> None:
    """Run a scenario beside the loop, as the control plane does; what it leaves goes on in the next."""

    async def inside() -> None:
        database = Database(cloud, launch or Launch())
        loop = asyncio.create_task(database.engine.supervise(database.loop))
        try:
            await scenario(database)
        finally:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)
            database.engine.close()

    asyncio.run(inside())


def test_an_instance_lives_from_creation_to_deletion(cloud: Cloud) -> None:
    async def born(db: Database) -> None:
        await db.create()
        made = await db.until("available")
        assert made["Endpoint"]["Address"].startswith("127.78.")
        assert await db.ask("SHOW max_connections") == "112"
        assert await db.ask("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is True
        assert await db.ask("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        with pytest.raises(asyncpg.InvalidPasswordError):
            await db.ask("SELECT 1", password="wrong-password")
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
            await db.ask("SELECT 1", ssl=False)
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
            await db.ask("SELECT 1", user="rdsadmin")
        trusting = ssl.create_default_context(cafile=str(cloud.home.databases / "rds-ca.pem"))
        assert await db.ask("SELECT 1", ssl=trusting) == 1
        async with db.session() as connection:
            await connection.execute("CREATE EXTENSION pgcrypto; CREATE TABLE t (x int); INSERT INTO t VALUES (42)")

    async def hurt(db: Database) -> None:
        assert (await db.describe())["DBInstanceStatus"] in {"starting", "available"}
        await db.until("available")
        os.kill(db.pid(), signal.SIGKILL)
        await db.until("starting")
        await db.until("available")
        assert await db.ask("SELECT x FROM t") == 42
        await db.call("stop_db_instance", DBInstanceIdentifier="db")
        await db.until("stopped")
        assert not [state for state in cloud.blocking.list() if state.running and state.name.startswith("postgresql/")]
        await db.call("start_db_instance", DBInstanceIdentifier="db")
        await db.until("available")
        assert await db.ask("SELECT x FROM t") == 42

    async def gone(db: Database) -> None:
        await db.until("available")
        await db.call("delete_db_instance", DBInstanceIdentifier="db", SkipFinalSnapshot=True)
        await db.until_gone()
        assert not list(cloud.home.databases.glob("db-*"))
        assert not [state for state in cloud.blocking.list() if state.name.startswith("postgresql/")]

    for scenario in (born, hurt, gone):
        run(cloud, scenario)


def test_changes_reach_the_server(cloud: Cloud) -> None:
    async def scenario(db: Database) -> None:
        family = f"postgres{db.service.versions.all[0].major}"
        named = {"DBParameterGroupName": "params"}
        await db.call("create_db_parameter_group", **named, DBParameterGroupFamily=family, Description="d")
        await db.create(DBParameterGroupName="params")
        await db.until("available")
        changes = [
            {"ParameterName": "log_min_duration_statement", "ParameterValue": "1000", "ApplyMethod": "immediate"},
            {"ParameterName": "rds.force_ssl", "ParameterValue": "0", "ApplyMethod": "immediate"},
            {"ParameterName": "max_connections", "ParameterValue": "40", "ApplyMethod": "pending-reboot"},
        ]
        await db.call("modify_db_parameter_group", **named, Parameters=changes)
        await db.until_answer("SHOW log_min_duration_statement", "1s")

        async def waits_for_reboot() -> bool:  # the server has its configuration before the row says so
            return await db.parameter_status() == "pending-reboot"

        await db.eventually(waits_for_reboot)
        assert await db.ask("SHOW max_connections", ssl=False) == "112"
        await db.call("reboot_db_instance", DBInstanceIdentifier="db")
        await db.until("available")
        assert await db.parameter_status() == "in-sync"
        assert await db.ask("SHOW max_connections") == "40"
        await db.call(
            "modify_db_instance",
            DBInstanceIdentifier="db",
            DBInstanceClass="db.t3.small",
            MasterUserPassword="another-one-7",
            DBPortNumber=5433,
            ApplyImmediately=True,
        )
        changed = await db.until("available")
        assert changed["Endpoint"]["Port"] == 5433
        assert await db.ask("SHOW shared_buffers", password="another-one-7") == "512MB"
        with pytest.raises(asyncpg.InvalidPasswordError):
            await db.ask("SELECT 1")

    run(cloud, scenario)
    modes = [(path, stat.S_IMODE(path.lstat().st_mode)) for path in cloud.home.databases.rglob("*")]
    assert modes
    for path, mode in modes:
        assert mode == (0o700 if path.is_dir() else 0o600), path
    for path in (*cloud.home.databases.rglob("*"), *cloud.home.state.iterdir()):
        if path.is_file():
            content = path.read_bytes()
            assert PASSWORD.encode() not in content, path
            assert b"another-one-7" not in content, path


def test_a_configuration_that_the_server_refuses_makes_parameters_incompatible(cloud: Cloud) -> None:
    async def scenario(db: Database) -> None:
        family = f"postgres{db.service.versions.all[0].major}"
        named = {"DBParameterGroupName": "params"}
        await db.call("create_db_parameter_group", **named, DBParameterGroupFamily=family, Description="d")
        await db.create(DBParameterGroupName="params")
        await db.until("available")
        # Right on their own, not together.
        names = {"superuser_reserved_connections": "30", "max_connections": "20"}
        changes = [
            {"ParameterName": name, "ParameterValue": value, "ApplyMethod": "pending-reboot"}
            for name, value in names.items()
        ]
        await db.call("modify_db_parameter_group", **named, Parameters=changes)
        await db.call("reboot_db_instance", DBInstanceIdentifier="db")
        broken = await db.until("incompatible-parameters")
        assert "superuser_reserved_connections" in broken["StatusInfos"][0]["Message"]
        await db.call("reset_db_parameter_group", **named, ResetAllParameters=True)
        await db.until("available")
        assert await db.ask("SHOW max_connections") == "112"

    run(cloud, scenario)


def test_a_server_that_hangs_is_replaced_and_one_that_keeps_ending_has_failed(cloud: Cloud) -> None:
    async def scenario(db: Database) -> None:
        await db.create()
        await db.until("available")
        async with db.session() as connection:
            await connection.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
        hung = db.pid()
        os.kill(hung, signal.SIGSTOP)

        async def replaced() -> bool:
            db.engine.wake()  # the look would come by itself, up to five seconds later
            statuses.add((await db.describe())["DBInstanceStatus"])
            found = cloud.running(name)
            return found is not None and found.pid != before

        (state,) = [found for found in cloud.blocking.list() if found.name.startswith("postgresql/")]
        name, before, statuses = state.name, state.pid, set[str]()
        await db.eventually(replaced, 60)
        assert "starting" in statuses
        await db.until("available")
        assert db.pid() != hung
        assert await db.ask("SELECT n FROM kept") == 7
        (cloud.home.databases / name.removeprefix("postgresql/") / "data" / "global" / "pg_control").unlink()
        os.kill(db.pid(), signal.SIGKILL)
        await db.until("failed")
        notes = [event["Message"] for event in (await db.call("describe_events", SourceType="db-instance"))["Events"]]
        assert any("DB instance is failed: the server ends at its start" in note for note in notes), notes

    run(cloud, scenario)


@pytest.mark.skipif(os.geteuid() != 0, reason="another user serves only where PostgreSQL refuses this one")
def test_without_user_namespaces_root_lets_another_user_serve(cloud: Cloud) -> None:
    async def scenario(db: Database) -> None:
        await db.create()
        await db.until("available")
        assert db.owner() == 65534
        assert await db.ask("SELECT 1") == 1
        await db.call("reboot_db_instance", DBInstanceIdentifier="db")
        await db.until("available")

    run(cloud, scenario, Launch(namespaces=False))


@pytest.fixture
def binaries() -> Binaries:
    return find_binaries()[0]


def test_the_programs_describe_themselves(binaries: Binaries) -> None:
    assert binaries.settings["max_connections"].context == "postmaster"
    assert binaries.refusal("max_connections", "50") is None
    assert "outside the valid range" in str(binaries.refusal("max_connections", "0"))
    assert "Available values" in str(binaries.refusal("wal_level", "some"))


def test_a_verifier_says_nothing_of_the_password_and_never_repeats() -> None:
    first, second = scram_verifier(PASSWORD), scram_verifier(PASSWORD)
    assert first != second
    assert PASSWORD not in first
