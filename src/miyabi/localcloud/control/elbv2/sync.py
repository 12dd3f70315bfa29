"""The loop that brings HAProxy to what the rows say, and the rows' observed state to what HAProxy does."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from miyabi.localcloud.control.elbv2.acceptance import Acceptance, leave_out
from miyabi.localcloud.control.elbv2.desired import Desired, Draining, desired
from miyabi.localcloud.control.elbv2.haproxy_plan import finished, plan_servers
from miyabi.localcloud.control.elbv2.nouns import Nouns
from miyabi.localcloud.control.elbv2.ports import refusal
from miyabi.localcloud.control.elbv2.targets import Targets
from miyabi.localcloud.control.engine import Engine
from miyabi.localcloud.control.silence import Silences
from miyabi.localcloud.data.haproxy import NAME, HaproxyDriver, Observed
from miyabi.localcloud.data.haproxy_config import Config, LogTo
from miyabi.model.errors import NotFound, Unavailable
from miyabi.model.load_balancing import LoadBalancer
from miyabi.policy.restart import Part

log = logging.getLogger(__name__)

_NOTHING: Mapping[str, str] = {}
_IDLE = timedelta(seconds=5)
_SOON = timedelta(milliseconds=100)
_RETRY = timedelta(seconds=1)


class SyncLoop:
    """Observes HAProxy, changes what differs, reports what is served and what has drained."""

    name = "elbv2-haproxy"

    def __init__(self, engine: Engine, service: Targets, driver: HaproxyDriver, *, log: LogTo | None = None) -> None:
        self._engine = engine
        self._service = service
        self._driver = driver
        self._log = log
        self._acceptance = Acceptance(driver)
        self._refused: Mapping[str, str] = {}
        self._silences = Silences(Part.BALANCER)

    async def step(self) -> timedelta:
        """Look once; soon again while something is under way."""
        asked_at = self._engine.clock()
        seen = await self._driver.observe()
        # After the look, which takes longer: what changes meanwhile needs no look of its own.
        wanted = await self._engine.run(desired, self._service)
        if seen is None and wanted.config.frontends and await self._driver.is_running():
            return await self._await_answer(asked_at)
        self._silences.heard(NAME)
        taken = self._refusals(wanted.config, seen)
        if taken and seen is None and await self._driver.is_running():
            return _SOON  # the supervisor restarted it just now: it may hold those ports itself
        config = dataclasses.replace(_without(wanted.config, taken), log=self._log)
        try:
            invalid = await self._acceptance.refused(config, starting=seen is None)
            config = leave_out(config, invalid)
            self._log_refusals(taken | invalid)
            changed = await self._apply(config, seen)
        except NotFound as error:
            await self._report(wanted, None, dict.fromkeys(_names(wanted.config), error.message))
            raise
        if changed:
            seen = await self._driver.observe()
        await self._report(wanted, seen, taken, invalid)
        waiting = await self._finish(wanted.draining, seen, serving=bool(config.frontends))
        if changed or waiting:
            return _SOON
        return _RETRY if taken else _IDLE

    async def _await_answer(self, asked_at: datetime) -> timedelta:
        self._silences.unheard(NAME, asked_at)
        if (hangs := self._silences.hangs(NAME, self._engine.clock())) is not None:
            log.error("%s; replacing it", hangs)
            self._silences.heard(NAME)
            await self._driver.kill()
        return _SOON

    async def _apply(self, config: Config, seen: Observed | None) -> bool:
        """Bring HAProxy to the configuration; say whether anything had to change."""
        if not config.frontends:
            if seen is not None or await self._driver.is_running():
                log.info("no listener is left: stopping HAProxy")
                await self._driver.stop()
            return False
        if seen is None:
            log.info("starting HAProxy with %d listeners", len(config.frontends))
            await self._driver.start(config)
            return True
        if seen.generation != config.generation:
            log.info("reloading HAProxy: %s", ", ".join(_names(config)))
            await self._driver.reload(config)
            return True
        self._driver.write(config)
        changes = plan_servers(config, seen)
        if changes.add:
            await self._driver.add_servers(seen, changes.add)
            refreshed = await self._driver.observe()
            if refreshed is None:
                raise Unavailable("HAProxy ended while targets were added")
            seen = refreshed
        if changes.states:
            await self._driver.set_states(seen, changes.states)
        if changes.delete:
            await self._driver.delete_servers(seen, changes.delete)
        return bool(changes)

    def _refusals(self, config: Config, seen: Observed | None) -> dict[str, str]:
        """Return the listeners whose port cannot be bound, and why: one of them would fail the whole reload."""
        bound = seen.current.frontends if seen is not None else frozenset()
        found = {}
        for frontend in config.frontends:
            if frontend.name not in bound:
                reason = refusal(frontend.address, frontend.port)
                if reason is not None:
                    found[frontend.name] = reason
        return found

    def _log_refusals(self, refused: Mapping[str, str]) -> None:
        for name, reason in refused.items():
            if self._refused.get(name) != reason:
                log.error("listener %s cannot serve: %s", name, reason)
        for name in self._refused.keys() - refused.keys():
            log.info("listener %s can serve again", name)
        self._refused = dict(refused)

    async def _report(
        self, wanted: Desired, seen: Observed | None, taken: Mapping[str, str], invalid: Mapping[str, str] = _NOTHING
    ) -> None:
        """Write down each load balancer's state where it differs from what is observed.

        taken, invalid: why listeners cannot serve, for their port or for their configuration.
        """
        served = seen.current.frontends if seen is not None else frozenset()
        changes = []
        for balancer in wanted.balancers:
            problems = [taken[name] for name in balancer.frontends if name in taken]
            invalids = [invalid[name] for name in balancer.frontends if name in invalid]
            ready = all(name in served for name in balancer.frontends)
            if not balancer.frontends:
                reason = refusal(balancer.row.address, 0)
                problems, ready = ([reason] if reason else []), reason is None
            state = _state(balancer.row, problems, invalids, ready=ready)
            if state != (balancer.row.state, balancer.row.state_reason):
                changes.append((balancer.region, balancer.row.arn, *state))
        if changes:
            await self._engine.run(_set_states, self._service, changes)

    async def _finish(self, draining: tuple[Draining, ...], seen: Observed | None, *, serving: bool) -> bool:
        """Remove the targets that have drained; say whether others still do."""
        if not draining:
            return False
        now = self._engine.clock()
        done = finished({d.key: (d.backend, d.server) for d in draining}, seen, serving=serving)
        over = [d for d in draining if d.key in done or now >= d.until or not d.backend]
        by_region = {d.region: [other.key for other in over if other.region == d.region] for d in over}
        if over:
            await self._engine.run(self._service.finish_draining, by_region)
        return len(over) < len(draining)


def _names(config: Config) -> list[str]:
    return [frontend.name for frontend in config.frontends]


def _without(config: Config, refused: Mapping[str, str]) -> Config:
    kept = tuple(frontend for frontend in config.frontends if frontend.name not in refused)
    return dataclasses.replace(config, frontends=kept)


def _state(row: LoadBalancer, taken: list[str], invalid: list[str], *, ready: bool) -> tuple[str, str | None]:
    """Return state and reason. A load balancer that was active once does not become provisioning again."""
    if taken or invalid:
        never_up = taken and row.state in {"provisioning", "failed"}
        return ("failed" if never_up else "active_impaired"), "; ".join([*taken, *invalid])
    return ("active", None) if ready else (row.state, row.state_reason)


def _set_states(rows: Nouns, changes: list[tuple[str, str, str, str | None]]) -> None:
    for region, arn, state, reason in changes:
        row = rows.load_balancers.get(region, arn)
        if row is not None:
            rows.load_balancers.put(region, arn, dataclasses.replace(row, state=state, state_reason=reason))
    rows.on_change()
