"""Takes each DB instance to what was asked of it, and reports what its server does."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.rds import parameters, reports
from miyabi.localcloud.control.rds.health import UNHEARD_PATIENCE, Health, Healths
from miyabi.localcloud.control.rds.service import Rds
from miyabi.localcloud.control.silence import Silences
from miyabi.localcloud.data.postgresql import Answer, PostgresDriver, Server
from miyabi.localcloud.data.postgresql_binaries import Binaries
from miyabi.localcloud.processes import ProcessState
from miyabi.model.errors import MiyabiError
from miyabi.model.rds import DbInstance, InstanceStatus, ParameterGroup, Running
from miyabi.policy.database_life import NextStep, Seen, Step, next_step
from miyabi.policy.database_parameters import at_boot, while_running
from miyabi.policy.restart import Part

log = logging.getLogger(__name__)

_IDLE = timedelta(seconds=5)
_AGAIN = timedelta(milliseconds=20)
_RETRY = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Look:
    """An instance as one look of the loop found it."""

    region: str
    row: DbInstance
    group: ParameterGroup

    @property
    def id(self) -> str:
        """The instance's resource id."""
        return self.row.resource_id


class DatabaseLoop:
    """Drives the servers through the driver."""

    name = "rds"

    def __init__(self, engine: Engine, service: Rds, driver: PostgresDriver, account: str) -> None:
        self._engine = engine
        self._service = service
        self._driver = driver
        self._account = account
        self._healths = Healths()
        self._silences = Silences(Part.DATABASE)
        self._refused: dict[str, Server] = {}
        self._doubted = False

    async def step(self) -> timedelta:
        """Take every instance one step further."""
        if not self._doubted:
            await self._engine.run(reports.doubt, self._service)
            self._doubted = True
        looks = await self._engine.run(self._observe)
        if not looks:
            return _IDLE
        processes = await self._driver.processes()
        pauses = await asyncio.gather(
            *(self._advance(look, processes.get(look.id)) for look in looks), return_exceptions=True
        )
        return min(self._pause(look, pause) for look, pause in zip(looks, pauses, strict=True))

    def _pause(self, look: Look, pause: timedelta | BaseException) -> timedelta:
        if isinstance(pause, timedelta):
            return pause
        if not isinstance(pause, Exception):
            raise pause
        log.error("database %s: %s; trying again", look.row.identifier, pause, exc_info=pause)
        return _RETRY

    def _observe(self) -> list[Look]:
        rows = self._service.instances
        return [
            Look(region, row, self._service.group_of(self._account, region, row))
            for region in rows.regions()
            for row in rows.list(region)
        ]

    async def _advance(self, look: Look, process: ProcessState | None) -> timedelta:
        now = self._engine.clock()
        seen = await self._see(look, process, now)
        step = next_step(look.row, seen, look.group, now=now)
        if step.step is Step.WAIT:
            known = self._healths.known.get(look.id)
            return min(step.look_again, _RETRY) if known is not None and known.failures else step.look_again
        log.info("database %s: %s: %s", look.row.identifier, step.step.name.lower(), step.reason)
        return await self._take(look, step) or _AGAIN

    async def _see(self, look: Look, process: ProcessState | None, now: datetime) -> Seen:
        initialised = self._driver.is_initialised(look.id)
        if process is None:
            return Seen(initialised)
        health = self._healths.of(look.id, process)
        health.follows_crash = health.follows_crash and look.row.status is InstanceStatus.AVAILABLE
        words = self._driver.last_words(look.id) if health.failed_starts else ""
        if not process.running:
            restarting = self._healths.restarting(look.id, process, now)
            return Seen(initialised, restarting=restarting, failed_starts=health.failed_starts, last_words=words)
        if health.probe_due(now) and health.stop_asked_at is None:
            self._note(health, await self._driver.ask(look.id, look.row.port), now)
        return Seen(
            initialised,
            running=True,
            started_at=datetime.fromtimestamp(process.started_at, UTC),
            answering=health.answering,
            silent_since=health.silent_since,
            failed_starts=health.failed_starts,
            last_words=words,
            stop_asked_at=health.stop_asked_at,
            crashed=health.follows_crash,
            hangs=self._silences.hangs(health.process, self._engine.clock()),
        )

    def _note(self, health: Health, answer: Answer, asked_at: datetime) -> None:
        if answer is Answer.NONE and health.answered_at is not None:
            self._silences.unheard(health.process, asked_at)
        else:
            self._silences.heard(health.process)
        if answer is Answer.SERVES:
            health.answered(asked_at)
        elif answer is Answer.NONE:
            health.silent(asked_at, patience=UNHEARD_PATIENCE)
        else:
            health.silent(asked_at)

    async def _take(self, look: Look, step: NextStep) -> timedelta | None:
        """Carry the step out. What only changes rows runs on the worker; the rest is the driver's."""
        match step.step:
            case Step.INITIALISE:
                return await self._initialise(look)
            case Step.START:
                return await self._start(look)
            case Step.STOP:
                self._healths.known[look.id].stop_asked_at = self._engine.clock()
                await self._driver.stop(look.id)
            case Step.KILL:
                await self._driver.kill(look.id)
            case Step.DESTROY:
                log.error("database %s: %s; killing it", look.row.identifier, step.reason)
                health = self._healths.known[look.id]
                health.stop_asked_at = health.stop_asked_at or self._engine.clock()
                self._silences.heard(health.process)
                await self._driver.destroy(look.id)
            case Step.PREPARE:
                await self._prepare(look)
            case Step.RELOAD:
                await self._reload(look)
            case Step.MAINTAIN:
                await self._engine.run(reports.maintain, self._service, look.region, look.row, self._engine.clock())
            case Step.REMOVE:
                await self._remove(look)
            case _:
                await self._settle(look, step.status or look.row.status, step.reason)
        return None

    async def _initialise(self, look: Look) -> timedelta | None:
        binaries = self._service.versions.for_data(look.row.engine_version)
        if binaries is None:
            return await self._fail(look, f"this machine has no PostgreSQL {look.row.major}")
        try:
            await self._driver.initialise(look.id, binaries)
        except MiyabiError as error:
            # It stays in creating: whatever was in the way (a full disk) may go away.
            log.error("database %s: %s", look.row.identifier, error.message)  # noqa: TRY400 - it is no bug
            return _IDLE
        return None

    async def _start(self, look: Look) -> timedelta | None:
        binaries = self._service.versions.for_data(look.row.engine_version)
        if binaries is None or self._driver.major(look.id) != binaries.major:
            made_by = self._driver.major(look.id)
            return await self._fail(look, f"its data is of PostgreSQL {made_by}, which this machine does not have")
        running = at_boot(look.group)
        server = self._server(look, running, binaries)
        if self._refused.get(look.id) == server:
            return _IDLE
        await self._engine.run(reports.booting, self._service, look.region, look.row, running, binaries.version)
        refusal = await self._driver.start(server, binaries)
        if refusal is not None:
            self._refused[look.id] = server
            await self._settle(look, InstanceStatus.INCOMPATIBLE_PARAMETERS, refusal)
            return _IDLE
        self._refused.pop(look.id, None)
        return None

    async def _prepare(self, look: Look) -> None:
        row = look.row
        if row.verifier is None:
            return
        # The database is made once: a user who drops it later has dropped it.
        database = row.database if row.status is InstanceStatus.CREATING else None
        await self._driver.prepare(look.id, row.port, row.username, row.verifier, database)
        await self._engine.run(reports.prepared, self._service, look.region, row)

    async def _reload(self, look: Look) -> None:
        binaries = self._service.versions.for_data(look.row.engine_version)
        if binaries is None or look.row.running is None:
            return
        running = while_running(look.row.running, look.group)
        await self._driver.reload(self._server(look, running, binaries))
        await self._engine.run(self._service.change_instance, look.region, look.id, running=running)

    async def _remove(self, look: Look) -> None:
        await self._driver.remove(look.id)
        self._healths.known.pop(look.id, None)
        self._refused.pop(look.id, None)
        await self._engine.run(reports.removed, self._service, look.region, look.row, self._engine.clock())

    async def _fail(self, look: Look, reason: str) -> timedelta:
        if look.row.reason != reason:
            await self._settle(look, InstanceStatus.FAILED, reason)
        return _IDLE

    async def _settle(self, look: Look, status: InstanceStatus, reason: str) -> None:
        now = self._engine.clock()
        await self._engine.run(reports.settled, self._service, look.region, look.row, status, reason, now)

    def _server(self, look: Look, running: Running, binaries: Binaries) -> Server:
        row, values = look.row, running.parameters
        return Server(
            resource_id=row.resource_id,
            address=row.address,
            port=row.port,
            configuration=parameters.configuration(binaries, values, row.instance_class, row.port),
            force_tls=parameters.forces_tls(binaries, values),
        )
