"""Which listeners HAProxy would refuse: one that cannot be served must not keep the others from changing."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from miyabi.localcloud.data.haproxy_config import Config, Frontend

log = logging.getLogger(__name__)

_REASON = "The listener on port {port} cannot be served: its rules, attributes or target groups are not valid"


class Judge(Protocol):
    """The part of the driver that reads a configuration without putting it in force."""

    async def refusal(self, config: Config) -> str | None: ...


class Acceptance:
    """Asks about each configuration once, and remembers the answer."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._judged: str | None = None
        self._why: Mapping[str, str] = {}

    async def refused(self, config: Config, *, starting: bool) -> dict[str, str]:
        """Return the listeners to leave out, by name, and why in words for the user; the log has HAProxy's own.

        starting: HAProxy is about to read the servers too, so what was said about the structure is not enough.
        """
        judged = _identity(config, servers=starting or bool(self._why))
        if judged is None or judged != self._judged:
            why = await self._left_out(config)
            for name in why.keys() - self._why.keys():
                log.error("listener %s is left out: %s", name, why[name])
            self._why = why
            self._judged = _identity(config, servers=bool(why))
        return {
            frontend.name: _REASON.format(port=frontend.listener_port)
            for frontend in config.frontends
            if frontend.name in self._why
        }

    async def _left_out(self, config: Config) -> dict[str, str]:
        """Return what HAProxy says about each frontend that it refuses after those before it were accepted."""
        if not config.frontends or await self._judge.refusal(config) is None:
            return {}
        why: dict[str, str] = {}
        later = {frontend.name for frontend in config.frontends}
        for frontend in config.frontends:
            later.discard(frontend.name)
            said = await self._judge.refusal(leave_out(config, {*why, *later}))
            if said is not None:
                why[frontend.name] = said
        return why


def leave_out(config: Config, names: Collection[str]) -> Config:
    """Return the configuration without these frontends, and without the backends that only they use."""
    kept = tuple(frontend for frontend in config.frontends if frontend.name not in names)
    left_out = [frontend for frontend in config.frontends if frontend.name in names]
    gone = _backends(left_out, config.backend_names) - _backends(kept, config.backend_names)
    backends = tuple(backend for backend in config.backends if backend.name not in gone)
    return dataclasses.replace(config, frontends=kept, backends=backends)


def _backends(frontends: Iterable[Frontend], names: Mapping[str, str]) -> set[str]:
    groups = (group for frontend in frontends for rule in frontend.rules for group in rule.action.forward)
    return {names.get(group.target_group_arn, "") for group in groups}


def _identity(config: Config, *, servers: bool) -> str | None:
    """Return what tells configurations apart; None for one that cannot even be written."""
    try:
        return config.text() if servers else config.generation
    except (KeyError, ValueError):
        return None
