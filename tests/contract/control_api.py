"""The control plane's API on a free port, without loops and processes: what was asked, and nothing that runs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import uvicorn
from botocore.config import Config
from moto.cloudwatch.models import cloudwatch_backends

from miyabi.environment.home import Home, Instance
from miyabi.localcloud.control.addresses import AddressBook
from miyabi.localcloud.control.app import Api
from miyabi.localcloud.control.autoscaling import ApplicationAutoScaling
from miyabi.localcloud.control.budgets import Budgets
from miyabi.localcloud.control.cloudwatch import PolicyAlarms, TrueAlarms
from miyabi.localcloud.control.credentials import Identities, Keys
from miyabi.localcloud.control.ecs.api import Ecs
from miyabi.localcloud.control.ecs.tables import EcsTables
from miyabi.localcloud.control.elasticache import ElastiCache
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.journal import Journal
from miyabi.localcloud.control.stock import StockServices
from miyabi.localcloud.control.store import Store
from miyabi.localcloud.control.task_endpoint import TaskEndpoint
from miyabi.localcloud.data.cache_servers import CacheServer

ACCOUNT = "112530848482"
REGION = "us-west-2"
SERVERS = (CacheServer("/usr/bin/redis-server", "redis", "7.0.15"),)


@dataclass
class Served:
    """A running API."""

    instance: Instance
    tables: EcsTables
    engine: Engine

    def client(self, service: str, **overrides: Any) -> Any:
        keys = {"aws_access_key_id": self.instance.access_key, "aws_secret_access_key": self.instance.secret_key}
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.instance.endpoint,
            region_name=REGION,
            config=Config(retries={"max_attempts": 1}, proxies={}),
            **{**keys, **overrides},
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serve(root: Path) -> Iterator[Served]:
    """Serve a home's state until the block ends."""
    home = Home(root)
    home.create()
    instance = home.read_instance() or Instance(
        format=1,
        instance_id="0badcafe",
        block=77,
        api_port=free_port(),
        account=ACCOUNT,
        region=REGION,
        access_key="AKIATESTTESTTESTTEST",
        secret_key="secret",
    )
    home.write_instance(instance)
    engine = Engine(Store(home.state / "control.sqlite"))
    stock = StockServices(ACCOUNT)
    cloudwatch_backends.backend = TrueAlarms
    journal = Journal(home.state, stock)
    journal.replay()
    tables = EcsTables(engine.store)
    keys = Keys(engine.store, instance)
    addresses = AddressBook(engine.store, instance.block)
    network = partial(stock.ensure, "ec2")
    services = (
        Ecs(tables, keys, network),
        Identities(keys),
        ElastiCache(engine.store, addresses, SERVERS, engine.wake, network),
        ApplicationAutoScaling(engine.store, tables, PolicyAlarms(journal), engine.wake),
        Budgets(engine.store),
    )
    api = Api(instance, engine, journal, keys, {s.name: s for s in services}, TaskEndpoint(tables, keys))
    config = uvicorn.Config(
        api, host="127.0.0.1", port=instance.api_port, lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), name="api")
    thread.start()
    try:
        deadline = threading.Event()
        while not server.started and thread.is_alive():
            deadline.wait(0.01)
        yield Served(instance, tables, engine)
    finally:
        server.should_exit = True
        thread.join(10)
        engine.close()
        journal.close()
