"""The control plane's API on a free port, without loops and processes: what was asked, and nothing that runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import boto3
import uvicorn
from botocore.config import Config
from moto.cloudwatch.models import cloudwatch_backends

from miyabi.environment.home import Home, Instance
from miyabi.localcloud.control.addresses import AddressBook
from miyabi.localcloud.control.app import Api
from miyabi.localcloud.control.autoscaling import ApplicationAutoScaling
from miyabi.localcloud.control.budgets import Budgets
from miyabi.localcloud.control.cloudwatch import AlarmTables, CloudWatch, MetricDatabase, Transitions
from miyabi.localcloud.control.cloudwatch.recorded import RecordedAlarms
from miyabi.localcloud.control.credentials import Identities, Keys
from miyabi.localcloud.control.deliveries import DeliveryLoop, Outbox
from miyabi.localcloud.control.ecs.api import Ecs
from miyabi.localcloud.control.ecs.tables import EcsTables
from miyabi.localcloud.control.elasticache import ElastiCache
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.journal import Journal
from miyabi.localcloud.control.logs import Logs
from miyabi.localcloud.control.sns import begin_deliveries, end_deliveries
from miyabi.localcloud.control.stock import StockServices
from miyabi.localcloud.control.store import Store
from miyabi.localcloud.control.task_endpoint import TaskEndpoint
from miyabi.localcloud.control.topics import Topics
from miyabi.localcloud.data.cache_servers import CacheServer
from miyabi.policy.tempo import Tempo

T = TypeVar("T")

ACCOUNT = "112530848482"
REGION = "us-west-2"
SERVERS = (CacheServer("/usr/bin/redis-server", "redis", "7.0.15"),)


@dataclass
class Served:
    """A running API."""

    instance: Instance
    tables: EcsTables
    engine: Engine
    journal: Journal
    autoscaling: ApplicationAutoScaling
    cloudwatch: CloudWatch
    outbox: Outbox
    deliveries: DeliveryLoop
    loop: asyncio.AbstractEventLoop

    def on_worker(self, act: Callable[..., T], *given: Any) -> T:
        """Do something where API calls and loops change state, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(self.engine.run(act, *given), self.loop).result(30)

    def client(self, service: str, **overrides: Any) -> Any:
        return client(self.instance, service, **overrides)


def client(instance: Instance, service: str, **overrides: Any) -> Any:
    """Return a boto3 client with the instance's keys, which tries once."""
    usual = {
        "endpoint_url": instance.endpoint,
        "region_name": REGION,
        "aws_access_key_id": instance.access_key,
        "aws_secret_access_key": instance.secret_key,
        "config": Config(retries={"total_max_attempts": 1}, proxies={}),
    }
    return boto3.client(service, **usual | overrides)  # type: ignore[call-overload]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def new_instance() -> Instance:
    """Return an instance on a free port."""
    return Instance(
        format=1,
        instance_id="0badcafe",
        block=77,
        api_port=free_port(),
        account=ACCOUNT,
        region=REGION,
        access_key="AKIATESTTESTTESTTEST",
        secret_key="secret",
    )


@contextlib.contextmanager
def serve(root: Path) -> Iterator[Served]:
    """Serve a home's state until the block ends."""
    home = Home(root)
    home.create()
    instance = home.read_instance() or new_instance()
    home.write_instance(instance)
    engine = Engine(Store(home.state / "control.sqlite"))
    stock = StockServices(ACCOUNT)
    cloudwatch_backends.backend = RecordedAlarms
    journal = Journal(home.state, stock)
    journal.replay()
    tables = EcsTables(engine.store)
    keys = Keys(engine.store, instance)
    addresses = AddressBook(engine.store, instance.block)
    network = partial(stock.ensure, "ec2")
    begin_deliveries()
    outbox = Outbox(engine.store)
    deliveries = DeliveryLoop(engine, outbox, home.mail)
    tempo = Tempo(instance.clock_speed)
    alarms = AlarmTables(engine.store)
    cloudwatch = CloudWatch(
        MetricDatabase(home.state / "metrics.sqlite", tempo),
        alarms,
        Transitions(alarms, Topics(journal, outbox), ACCOUNT, lambda: instance.access_key),
        tempo,
        engine.clock,
        engine.wake,
    )
    logs = Logs(home.state / "logs.sqlite", engine.clock, engine.wake, cloudwatch.heard)
    autoscaling = ApplicationAutoScaling(engine.store, tables, cloudwatch, engine.wake)
    services = (
        Ecs(tables, keys, network),
        Identities(keys),
        ElastiCache(engine.store, addresses, SERVERS, engine.wake, network),
        autoscaling,
        cloudwatch,
        Budgets(engine.store),
        logs,
    )
    api = Api(instance, engine, journal, keys, {s.name: s for s in services}, TaskEndpoint(tables, keys), outbox)
    config = uvicorn.Config(
        api, host="127.0.0.1", port=instance.api_port, lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(server.serve(),), name="api")
    thread.start()
    try:
        deadline = threading.Event()
        while not server.started and thread.is_alive():
            deadline.wait(0.01)
        yield Served(instance, tables, engine, journal, autoscaling, cloudwatch, outbox, deliveries, loop)
    finally:
        asyncio.run_coroutine_threadsafe(deliveries.close(), loop).result(10)
        server.should_exit = True
        thread.join(10)
        end_deliveries()
        loop.close()
        engine.close()
        cloudwatch.database.close()
        logs.close()
        journal.close()


@contextlib.contextmanager
def serve_apart(root: Path) -> Iterator[Instance]:
    """Serve a home's state from another process, which is killed at the end of the block."""
    environment = os.environ | {"PYTHONHASHSEED": str(secrets.randbelow(2**32))}
    command = [sys.executable, "-m", "tests.contract.control_api", str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            instance = Home(root).read_instance()
            assert instance is not None
            yield instance
        finally:
            server.kill()


if __name__ == "__main__":
    with serve(Path(sys.argv[1])):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
