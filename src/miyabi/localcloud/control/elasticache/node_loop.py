"""The loop that brings the nodes to what the rows say, and the rows' status to what the nodes do."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from miyabi.localcloud.control.elasticache.clusters import Clusters, owner, with_pending_applied
from miyabi.localcloud.control.elasticache.engines import version_of
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.silence import Silences
from miyabi.localcloud.data.cache_node import CacheDriver, NodeAt, Silent
from miyabi.localcloud.processes import ProcessState
from miyabi.model.elasticache import CacheCluster, CacheStatus
from miyabi.model.errors import Unavailable
from miyabi.policy.cache_life import NextStep, SeenNode, Step, in_window, next_step
from miyabi.policy.restart import Part

log = logging.getLogger(__name__)

_IDLE = timedelta(seconds=5)
_SOON = timedelta(milliseconds=50)
_STARTING = timedelta(milliseconds=250)


@dataclass(frozen=True, slots=True)
class Look:
    """A cluster as one look of the loop found it."""

    region: str
    account: str
    row: CacheCluster
    wanted: Mapping[str, str]

    @property
    def node(self) -> NodeAt:
        row = self.row
        return NodeAt(self.region, row.id, row.generation, row.address, row.port)


class NodeLoop:
    """Drives the cache nodes through the supervisor."""

    name = "elasticache-nodes"

    def __init__(self, engine: Engine, service: Clusters, driver: CacheDriver, account: str) -> None:
        self._engine = engine
        self._service = service
        self._driver = driver
        self._account = account
        self._silences = Silences(Part.CACHE)

    async def step(self) -> timedelta:
        """Take every cluster one step further."""
        looks = await self._engine.run(self._observe)
        processes = await self._driver.nodes()
        prefixes = tuple(look.node.cluster for look in looks)
        orphans = {name: state for name, state in processes.items() if not name.startswith(prefixes)}
        await self._driver.end(orphans)
        pauses = await asyncio.gather(*(self._advance(look, processes) for look in looks))
        return min([_SOON if orphans else _IDLE, *pauses])

    def _observe(self) -> list[Look]:
        now = self._engine.clock()
        looks = []
        for region in self._service.clusters.regions():
            for found in self._service.clusters.list(region):
                row = found
                if row.pending and row.status is CacheStatus.AVAILABLE and in_window(row.maintenance_window, now):
                    row = dataclasses.replace(with_pending_applied(row), status=CacheStatus.MODIFYING)
                    self._service.clusters.put(region, row.id, row)
                looks.append(Look(region, self._account, row, self._service.settings(region, row)))
        return looks

    async def _advance(self, look: Look, processes: Mapping[str, ProcessState]) -> timedelta:
        mine = {name: state for name, state in processes.items() if name.startswith(look.node.cluster)}
        current = mine.pop(look.node.name, None)
        deleting = look.row.status is CacheStatus.DELETING
        running = current is not None and (current.running or deleting)
        run_id = await self._run_id(look, current) if current is not None and running and not deleting else None
        seen = SeenNode(former=bool(mine), running=running, run_id=run_id)
        step = next_step(look.row, seen, look.wanted)
        if current is not None and deleting:
            mine[look.node.name] = current
        try:
            return await self._take(look, step, run_id, mine)
        except (OSError, TimeoutError, Unavailable) as error:
            log.warning("cache cluster %s: %s; looking again", look.row.id, error)
            return _STARTING

    async def _run_id(self, look: Look, process: ProcessState) -> str | None:
        """Ask the node who it is; kill one that hangs: the next look starts it again."""
        asked_at, key = self._engine.clock(), (process.name, process.pid)
        try:
            found = await self._driver.run_id(look.node)
        except Silent:
            self._silences.unheard(key, asked_at)
        else:
            self._silences.heard(key)
            return found
        if (hangs := self._silences.hangs(key, self._engine.clock())) is not None:
            log.error("cache cluster %s: %s; killing it", look.row.id, hangs)
            self._silences.heard(key)
            await self._driver.end({process.name: process})
        return None

    async def _take(
        self, look: Look, step: NextStep, run_id: str | None, former: Mapping[str, ProcessState]
    ) -> timedelta:
        match step.step:
            case Step.END_FORMER:
                await self._driver.end(former)
            case Step.START:
                await self._start(look, step)
                return _STARTING
            case Step.CONFIGURE:
                refused = await self._driver.configure(look.node, step.settings)
                await self._engine.run(self._configured, look, step, run_id, refused)
            case Step.REMOVE:
                await asyncio.to_thread(self._driver.remove, look.node)
                await self._engine.run(self._removed, look)
                return _IDLE
            case Step.REPORT | Step.WAIT:
                if step.step is Step.REPORT:
                    await self._engine.run(self._reported, look, step)
                return _IDLE if step.status is CacheStatus.AVAILABLE else _STARTING
        return _SOON

    async def _start(self, look: Look, step: NextStep) -> None:
        version = version_of(look.row.engine, look.row.engine_version)
        server = self._service.server(version)
        if server is None:
            raise Unavailable(f"no server on this machine can stand for {version.engine} {version.asked}")
        settings = await self._engine.run(self._service.start_settings, look.region, look.row)
        await self._driver.start(look.node, server.path, settings)
        if step.status is not look.row.status:
            await self._engine.run(self._reported, look, step)
        log.info("cache cluster %s: %s at %s:%d", look.row.id, server, look.row.address, look.row.port)

    def _configured(self, look: Look, step: NextStep, run_id: str | None, refused: Mapping[str, str]) -> None:
        row = self._current(look)
        if row is None:
            return
        for name, reason in refused.items():
            log.error("cache cluster %s does not take %s: %s", row.id, name, reason)
        not_taken = {*refused, *(row.refused.keys() - step.settings.keys())}
        row = dataclasses.replace(
            row,
            run_id=run_id,
            applied={name: value for name, value in look.wanted.items() if name not in not_taken},
            refused={name: value for name, value in look.wanted.items() if name in not_taken},
        )
        self._service.clusters.put(look.region, row.id, row)

    def _reported(self, look: Look, step: NextStep) -> None:
        row = self._current(look)
        if row is None or row.status is not look.row.status:
            return
        log.info("cache cluster %s is %s: %s", row.id, step.status.value, step.reason)
        self._service.clusters.put(look.region, row.id, dataclasses.replace(row, status=step.status))

    def _removed(self, look: Look) -> None:
        self._service.clusters.delete(look.region, look.row.id)
        self._service.tags.delete(
            look.region, f"arn:aws:elasticache:{look.region}:{self._account}:cluster:{look.row.id}"
        )
        self._service.addresses.release(owner(look.region, look.row.id))
        log.info("cache cluster %s is deleted", look.row.id)

    def _current(self, look: Look) -> CacheCluster | None:
        """Return the row as it is now, unless a request has begun something else since the look."""
        row = self._service.clusters.get(look.region, look.row.id)
        return row if row is not None and row.generation == look.row.generation else None
