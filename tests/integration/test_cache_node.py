"""ElastiCache with real servers: what a cluster reports is what a client of its node sees."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from moto.core.base_backend import BackendDict
from moto.ec2.models import ec2_backends

from miyabi.environment.home import Home
from miyabi.localcloud.control.addresses import AddressBook
from miyabi.localcloud.control.elasticache import ElastiCache, NodeLoop
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.service import Caller, Params, Result
from miyabi.localcloud.control.store import Store
from miyabi.localcloud.data.cache_node import CacheDriver
from miyabi.localcloud.data.cache_servers import find_servers
from tests.integration.supervised import Cloud, wait_for

ACCOUNT = "112530848482"
REGION = "us-west-2"
BLOCK = 200 + os.getpid() % 50
MEGABYTE = 1 << 20


class Connection:
    """A client of a node, without a library: the fewer parts, the surer what was seen."""

    def __init__(self, address: str, port: int) -> None:
        self._socket = socket.create_connection((address, port), 5)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def ask(self, *words: str) -> Any:
        encoded = [word.encode() for word in words]
        self._socket.sendall(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in encoded))
        return self._reply()

    def _reply(self) -> Any:
        line = self._file.readline().rstrip().decode()
        kind, rest = line[:1], line[1:]
        if kind == "$":
            return None if rest == "-1" else self._file.read(int(rest) + 2)[:-2].decode()
        if kind == "*":
            return [self._reply() for _ in range(int(rest))]
        return int(rest) if kind == ":" else (f"-{rest}" if kind == "-" else rest)


@dataclass
class Caches:
    """The service with its loop on a thread of its own."""

    home: Home
    cloud: Cloud
    engine: Engine = field(init=False)
    service: ElastiCache = field(init=False)

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loops")
        self._thread.start()

    def begin(self) -> None:
        """Start supervisor and loop, as `up` does."""
        self.cloud.up()
        self.engine = Engine(Store(self.home.state / "control.sqlite"))
        book = AddressBook(self.engine.store, BLOCK)
        self.service = ElastiCache(self.engine.store, book, find_servers(), self.engine.wake)
        loop = NodeLoop(self.engine, self.service, CacheDriver(self.home, self.cloud.client), ACCOUNT)
        self._running = asyncio.run_coroutine_threadsafe(self.engine.supervise(loop), self._loop)

    def end(self) -> None:
        """End them in order, as `down` does."""
        self._running.cancel()
        wait_for(self._running.done)
        self.cloud.blocking.stop(timeout_seconds=10)
        wait_for(lambda: self.cloud.process is not None and self.cloud.process.poll() is not None)
        self.run(self._settle())
        self.engine.close()

    def close(self) -> None:
        if not self._running.done():
            self._running.cancel()
            self.run(self._settle())
            self.engine.close()
        self.cloud.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _settle(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.gather(*others, return_exceptions=True)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def call(self, operation: str, **params: Any) -> Result:
        method: Callable[[Caller, Params], Result] = getattr(self.service, operation)
        caller = Caller(ACCOUNT, REGION, "key", self.engine.clock())
        result: Result = self.run(self.engine.run(method, caller, params))
        return result

    def describe(self, name: str) -> dict[str, Any]:
        found = self.call("describe_cache_clusters", CacheClusterId=name, ShowCacheNodeInfo=True)
        described: dict[str, Any] = found["CacheClusters"][0]
        return described

    def create(self, name: str, **params: Any) -> dict[str, Any]:
        self.call(
            "create_cache_cluster",
            CacheClusterId=name,
            Engine="redis",
            EngineVersion="7.0",
            CacheNodeType="cache.t3.micro",
            CacheSubnetGroupName="subnets",
            **params,
        )
        return self.available(name)

    def available(self, name: str) -> dict[str, Any]:
        wait_for(lambda: self.describe(name)["CacheClusterStatus"] == "available")
        return self.describe(name)

    def delete(self, name: str) -> None:
        self.call("delete_cache_cluster", CacheClusterId=name)
        wait_for(lambda: not self.call("describe_cache_clusters")["CacheClusters"])

    def client(self, name: str) -> Connection:
        (node,) = self.describe(name)["CacheNodes"]
        return Connection(node["Endpoint"]["Address"], node["Endpoint"]["Port"])

    def process(self, name: str) -> Any:
        prefix = f"cache/{REGION}/{name}/"
        found = [state for state in self.cloud.blocking.list() if state.name.startswith(prefix) and state.running]
        return found[0] if found else None


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caches]:
    if not find_servers():
        pytest.skip("there is no Redis or Valkey server")
    BackendDict.reset()
    home = Home(tmp_path_factory.mktemp("deep") / ("d" * 100) / "home")
    home.create()
    made = Caches(home, Cloud(home))
    made.begin()
    try:
        subnets = [subnet.id for subnet in ec2_backends[ACCOUNT][REGION].describe_subnets()][:2]
        made.call(
            "create_cache_subnet_group",
            CacheSubnetGroupName="subnets",
            CacheSubnetGroupDescription="d",
            SubnetIds=subnets,
        )
        made.call(
            "create_cache_parameter_group",
            CacheParameterGroupName="lru",
            CacheParameterGroupFamily="redis7",
            Description="d",
        )
        yield made
    finally:
        made.close()
        BackendDict.reset()


@pytest.fixture
def cluster(caches: Caches) -> Iterator[str]:
    set_parameters(caches, **{"maxmemory-policy": "allkeys-lru"})
    caches.create("one", CacheParameterGroupName="lru")
    yield "one"
    caches.delete("one")
    caches.call("reset_cache_parameter_group", CacheParameterGroupName="lru", ResetAllParameters=True)


def set_parameters(caches: Caches, **values: str) -> None:
    entries = [{"ParameterName": name, "ParameterValue": value} for name, value in values.items()]
    caches.call("modify_cache_parameter_group", CacheParameterGroupName="lru", ParameterNameValues=entries)


def setting(caches: Caches, cluster: str, name: str) -> str:
    with caches.client(cluster) as client:
        value: str = client.ask("CONFIG", "GET", name)[1]
        return value


def apply_status(caches: Caches, cluster: str) -> str:
    status: str = caches.describe(cluster)["CacheParameterGroup"]["ParameterApplyStatus"]
    return status


def test_an_available_cluster_answers_with_the_memory_of_its_node_type(caches: Caches, cluster: str) -> None:
    assert caches.describe(cluster)["EngineVersion"] == "7.0.7"
    assert setting(caches, cluster, "maxmemory") == str(536_870_912 * 3 // 4)
    assert setting(caches, cluster, "maxmemory-policy") == "allkeys-lru"
    with caches.client(cluster) as client:
        assert client.ask("SET", "k", "v") == "OK"
        assert client.ask("GET", "k") == "v"


def test_a_changed_parameter_takes_effect_at_once_and_without_losing_a_key(caches: Caches, cluster: str) -> None:
    with caches.client(cluster) as client:
        client.ask("SET", "k", "v")
        set_parameters(
            caches,
            **{
                "maxmemory-policy": "volatile-ttl",
                "reserved-memory-percent": "50",
                "notify-keyspace-events": "Ex",
                "client-output-buffer-limit-pubsub-soft-seconds": "30",
            },
        )
        wait_for(lambda: apply_status(caches, cluster) == "in-sync")
        assert client.ask("GET", "k") == "v"
    assert setting(caches, cluster, "maxmemory-policy") == "volatile-ttl"
    assert setting(caches, cluster, "maxmemory") == str(536_870_912 // 2)
    assert setting(caches, cluster, "client-output-buffer-limit").endswith("pubsub 33554432 8388608 30")


def test_a_static_parameter_waits_for_a_reboot_which_empties_the_node(caches: Caches, cluster: str) -> None:
    with caches.client(cluster) as client:
        client.ask("SET", "k", "v")
    set_parameters(caches, databases="4")
    assert apply_status(caches, cluster) == "pending-reboot"
    assert setting(caches, cluster, "databases") == "16"
    caches.call("reboot_cache_cluster", CacheClusterId=cluster, CacheNodeIdsToReboot=["0001"])
    assert caches.describe(cluster)["CacheClusterStatus"] == "rebooting cluster nodes"
    caches.available(cluster)
    assert apply_status(caches, cluster) == "in-sync"
    assert setting(caches, cluster, "databases") == "4"
    with caches.client(cluster) as client:
        assert client.ask("GET", "k") is None


def test_another_node_type_has_its_memory_and_keeps_the_keys(caches: Caches, cluster: str) -> None:
    with caches.client(cluster) as client:
        client.ask("SET", "k", "v")
        caches.call(
            "modify_cache_cluster", CacheClusterId=cluster, CacheNodeType="cache.t3.small", ApplyImmediately=True
        )
        assert caches.available(cluster)["CacheNodeType"] == "cache.t3.small"
        assert client.ask("GET", "k") == "v"
    assert setting(caches, cluster, "maxmemory") == str(1_471_026_299 * 75 // 100)


def test_a_killed_node_is_not_available_until_it_answers_again_and_then_it_is_empty(
    caches: Caches, cluster: str
) -> None:
    with caches.client(cluster) as client:
        client.ask("SET", "k", "v")
    process = caches.process(cluster)
    os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: (found := caches.process(cluster)) and found.pid != process.pid)
    caches.engine.wake()
    wait_for(lambda: setting_or_none(caches, cluster, "maxmemory") == str(536_870_912 * 3 // 4))
    caches.available(cluster)
    with caches.client(cluster) as client:
        assert client.ask("GET", "k") is None


def setting_or_none(caches: Caches, cluster: str, name: str) -> str | None:
    try:
        return setting(caches, cluster, name)
    except OSError:
        return None


def test_a_node_that_hangs_is_rebooting_and_is_replaced(caches: Caches, cluster: str) -> None:
    (process,) = (state for state in caches.cloud.blocking.list() if state.name.startswith("cache/"))
    os.kill(process.pid, signal.SIGSTOP)
    seen = set()

    def replaced() -> bool:
        caches.engine.wake()  # the look would come by itself, up to five seconds later
        seen.add(caches.describe(cluster)["CacheClusterStatus"])
        state = caches.cloud.running(process.name)
        return state is not None and state.pid != process.pid

    wait_for(replaced, 60)
    wait_for(lambda: caches.describe(cluster)["CacheClusterStatus"] == "available")
    assert "rebooting cluster nodes" in seen, seen
    with caches.client(cluster) as client:
        assert client.ask("PING") == "PONG"


def test_what_elasticache_forbids_is_forbidden_here(caches: Caches, cluster: str) -> None:
    with caches.client(cluster) as client:
        for words in (
            ("CONFIG", "SET", "maxmemory", "0"),
            ("SHUTDOWN",),
            ("SAVE",),
            ("ACL", "LIST"),
            ("DEBUG", "SLEEP", "1"),
        ):
            assert client.ask(*words).startswith("-"), words


def test_keys_survive_down_and_up_even_at_the_memory_limit_but_not_a_crash_after(caches: Caches, cluster: str) -> None:
    limit = 536_870_912 // 100  # all but one hundredth is reserved, so little fills the node
    set_parameters(caches, **{"reserved-memory-percent": "99"})
    wait_for(lambda: setting(caches, cluster, "maxmemory") == str(limit))
    with caches.client(cluster) as client:
        for number in range(400):
            client.ask("SET", f"key{number}", "x" * 16_384)
        keys = client.ask("DBSIZE")
    assert 100 < keys < 400  # the oldest were evicted
    address = caches.describe(cluster)["CacheNodes"][0]["Endpoint"]
    caches.end()
    caches.begin()
    wait_for(lambda: setting_or_none(caches, cluster, "maxmemory") == str(limit))
    assert caches.available(cluster)["CacheNodes"][0]["Endpoint"] == address
    with caches.client(cluster) as client:
        assert client.ask("DBSIZE") >= keys - 20
    process = caches.process(cluster)
    os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: (found := caches.process(cluster)) and found.pid != process.pid)
    wait_for(lambda: setting_or_none(caches, cluster, "maxmemory") == str(limit))
    with caches.client(cluster) as client:
        assert client.ask("DBSIZE") == 0


def test_files_of_a_node_are_private_and_go_with_the_cluster(caches: Caches) -> None:
    caches.create("two")
    folder = caches.home.root / "caches" / REGION / "two"
    for path in (folder, *folder.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path
    (node,) = caches.describe("two")["CacheNodes"]
    caches.delete("two")
    assert not folder.exists()
    with pytest.raises(ConnectionRefusedError):
        Connection(node["Endpoint"]["Address"], 6379)
    assert not [state for state in caches.cloud.blocking.list() if state.name.startswith("cache/")]


def test_the_files_of_the_home_hold_no_password_in_the_clear_but_the_key(caches: Caches, cluster: str) -> None:
    (key,) = (caches.home.root / "caches").glob("**/control.key")
    secret = key.read_text()
    others = [path for path in Path(caches.home.root).rglob("*") if path.is_file() and path != key]
    assert not [path for path in others if secret.encode() in path.read_bytes()]
