"""Puts the control plane together and serves it: state, live services, loops, API."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import time
from datetime import timedelta
from functools import partial

import uvicorn

from miyabi.environment.home import Home, Instance
from miyabi.localcloud.control.addresses import AddressBook
from miyabi.localcloud.control.app import Api
from miyabi.localcloud.control.autoscaling import ApplicationAutoScaling, Scaler, ScheduleLoop
from miyabi.localcloud.control.budgets import Budgets
from miyabi.localcloud.control.cloudwatch import (
    AlarmTables,
    CloudWatch,
    MetricDatabase,
    MetricRetentionLoop,
    MetricsLoop,
    Transitions,
    record_rest,
    take_over,
)
from miyabi.localcloud.control.compaction import CompactionLoop
from miyabi.localcloud.control.credentials import Identities, Keys
from miyabi.localcloud.control.deliveries import DeliveryLoop, Outbox
from miyabi.localcloud.control.ecr import EcrLayers, resolve
from miyabi.localcloud.control.ecs.api import Ecs
from miyabi.localcloud.control.ecs.service_loop import ServiceLoop
from miyabi.localcloud.control.ecs.tables import EcsTables
from miyabi.localcloud.control.ecs.task_loop import TaskLoop
from miyabi.localcloud.control.elasticache import ElastiCache, NodeLoop
from miyabi.localcloud.control.elbv2 import CheckLoop, Elbv2, SyncLoop
from miyabi.localcloud.control.engine import Engine, Loop
from miyabi.localcloud.control.journal import Journal
from miyabi.localcloud.control.log_rotation import LogRotationLoop
from miyabi.localcloud.control.logs import IngestLoop, Logs, RetentionLoop
from miyabi.localcloud.control.rds import DatabaseLoop, Rds, Versions
from miyabi.localcloud.control.rebuilding import stock_services
from miyabi.localcloud.control.samplers.caches import CacheSampler
from miyabi.localcloud.control.samplers.databases import DatabaseSampler
from miyabi.localcloud.control.samplers.ecs import HIGH_RESOLUTION, EcsSampler, InsightsSampler, TaskUsage
from miyabi.localcloud.control.samplers.load_balancers import LoadBalancerSampler
from miyabi.localcloud.control.samplers.requests import RequestLog, log_of
from miyabi.localcloud.control.sns import begin_deliveries
from miyabi.localcloud.control.stock import StockServices
from miyabi.localcloud.control.store import Store
from miyabi.localcloud.control.task_endpoint import TaskEndpoint
from miyabi.localcloud.control.topics import Topics
from miyabi.localcloud.data.cache_node import CacheDriver
from miyabi.localcloud.data.cache_servers import find_servers
from miyabi.localcloud.data.haproxy import HaproxyDriver
from miyabi.localcloud.data.images import Blobs, discard_unfinished
from miyabi.localcloud.data.postgresql import PostgresDriver
from miyabi.localcloud.data.postgresql_binaries import Launch, find_binaries
from miyabi.localcloud.data.server_certificate import Authority
from miyabi.localcloud.supervisor.wire import CONTROL
from miyabi.localcloud.supervisor_client import SupervisorClient
from miyabi.model.errors import MiyabiError, Unavailable
from miyabi.policy.tempo import Tempo

log = logging.getLogger(__name__)

_ALIVE_EVERY = timedelta(seconds=2)


def serve(home: Home, instance: Instance) -> None:
    """Run the control plane until SIGTERM."""
    began = time.monotonic()
    store = Store(home.state / "control.sqlite")
    engine = Engine(store)
    stock = stock_services(home, instance)
    discard_unfinished(home)
    journal = Journal(home.state, stock)
    replayed = journal.replay()
    log.info("replayed %d requests; ready after %.2f s", replayed, time.monotonic() - began)
    gc.freeze()
    gc.enable()
    try:
        asyncio.run(_serve(home, instance, engine, stock, journal))
    finally:
        engine.close()
        journal.close()


async def _serve(home: Home, instance: Instance, engine: Engine, stock: StockServices, journal: Journal) -> None:
    supervisor = SupervisorClient(home.run)
    addresses = AddressBook(engine.store, instance.block)
    keys = Keys(engine.store, instance)
    tables = EcsTables(engine.store)
    ensure_network = partial(stock.ensure, "ec2")
    elbv2 = Elbv2(engine.store, addresses, engine.wake, ensure_network)
    elasticache = ElastiCache(engine.store, addresses, find_servers(), engine.wake, ensure_network)
    authority = Authority(home.databases)
    rds = Rds(engine.store, addresses, Versions(find_binaries), authority, engine.wake, ensure_network)
    begin_deliveries()
    outbox = Outbox(engine.store)
    deliveries = DeliveryLoop(engine, outbox, home.mail)
    tempo = Tempo(instance.clock_speed)
    alarms = AlarmTables(engine.store)
    take_over(engine.store, alarms, instance.account, engine.clock())
    cloudwatch = CloudWatch(
        MetricDatabase(home.state / "metrics.sqlite", tempo),
        alarms,
        Transitions(alarms, Topics(journal, outbox), instance.account, lambda: instance.access_key),
        tempo,
        engine.clock,
        engine.wake,
    )
    logs = Logs(home.state / "logs.sqlite", engine.clock, engine.wake, cloudwatch.heard)
    autoscaling = ApplicationAutoScaling(engine.store, tables, cloudwatch, engine.wake)
    scaler = Scaler(autoscaling, engine.store, tables, alarms, tempo)
    services = (
        Ecs(tables, keys, ensure_network),
        elbv2,
        elasticache,
        autoscaling,
        cloudwatch,
        Budgets(engine.store),
        logs,
        rds,
        EcrLayers(Blobs(home)),
        Identities(keys),
    )
    haproxy = HaproxyDriver(home, supervisor)
    postgres = PostgresDriver(home, supervisor, authority, Launch())
    caches = CacheDriver(home, supervisor)
    log_to = log_of(instance)
    requests = RequestLog(log_to, home.run)
    balancers = LoadBalancerSampler(engine, elbv2, haproxy, requests.take)
    samplers = (
        EcsSampler(TaskUsage(engine, tables, supervisor), engine),
        EcsSampler(
            TaskUsage(engine, tables, supervisor),
            engine,
            period=HIGH_RESOLUTION,
            wanted=autoscaling.high_resolution_services,
        ),
        InsightsSampler(TaskUsage(engine, tables, supervisor), engine, tables),
        balancers,
        DatabaseSampler(engine, rds, postgres, supervisor),
        CacheSampler(engine, elasticache, caches),
    )
    checks = CheckLoop(engine, elbv2, tempo)
    loops: tuple[Loop, ...] = (
        # A wake-up reaches them in this order: first those between a task's death and its last lost request.
        TaskLoop(home, instance, engine, tables, elbv2, logs, addresses, keys, supervisor, resolve),
        SyncLoop(engine, elbv2, haproxy, log=log_to),
        ServiceLoop(engine, tables, elbv2, instance.account, tempo),
        checks,
        NodeLoop(engine, elasticache, caches, instance.account),
        DatabaseLoop(engine, rds, postgres, instance.account),
        IngestLoop(engine, logs),
        RetentionLoop(engine, logs),
        ScheduleLoop(engine, autoscaling),
        MetricsLoop(engine, cloudwatch, samplers, scaler),
        MetricRetentionLoop(engine, cloudwatch),
        deliveries,
        CompactionLoop(engine, journal, home),
        LogRotationLoop(home),
    )
    api = Api(
        instance,
        engine,
        journal,
        keys,
        {service.name: service for service in services},
        TaskEndpoint(tables, keys),
        outbox,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            api,
            host="127.0.0.1",
            port=instance.api_port,
            http="httptools",
            loop="asyncio",
            lifespan="off",
            access_log=False,
            log_config=None,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=3,
        )
    )
    running = [asyncio.create_task(engine.supervise(loop), name=loop.name) for loop in loops]
    running.append(asyncio.create_task(_wake_on_exits(engine, supervisor), name="exits"))
    running.append(asyncio.create_task(_say_alive(engine, supervisor), name="alive"))
    try:
        try:
            await requests.listen()
        except OSError as error:
            log.error("requests cannot be counted: %s:%d: %s", log_to.address, log_to.port, error)  # noqa: TRY400
        await server.serve()
    finally:
        await requests.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await record_rest(engine, cloudwatch, balancers)
        await checks.close()
        await deliveries.close()
        # On the worker: a call that began may still use them.
        await engine.run(logs.close)
        await engine.run(cloudwatch.database.close)


async def _wake_on_exits(engine: Engine, supervisor: SupervisorClient) -> None:
    """Let the loops look whenever a process starts or ends."""
    while True:
        try:
            async for _ in supervisor.watch():
                engine.wake()
        except Unavailable:
            pass  # the supervisor ends, or is not there yet
        except Exception:
            log.exception("watching the supervisor failed; trying again")
        await asyncio.sleep(timedelta(seconds=1).total_seconds())


async def _say_alive(engine: Engine, supervisor: SupervisorClient) -> None:
    """Tell the supervisor regularly that both the loop and the worker thread get on with their work."""
    while True:
        await engine.idle()
        with contextlib.suppress(MiyabiError, OSError):
            await supervisor.alive(CONTROL)
        await asyncio.sleep(_ALIVE_EVERY.total_seconds())
