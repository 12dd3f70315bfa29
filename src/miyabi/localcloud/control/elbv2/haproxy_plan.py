"""What to change at HAProxy's servers so that they are as asked: pure, and nothing to do once it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from miyabi.localcloud.data.haproxy import Observed
from miyabi.localcloud.data.haproxy_config import Config, ServerState

Server = tuple[str, str]
"""Backend and `address:port`."""


@dataclass(frozen=True, slots=True)
class ServerChanges:
    """Changes in the order in which they are made."""

    add: tuple[Server, ...] = ()
    states: tuple[tuple[str, str, ServerState], ...] = ()
    delete: tuple[Server, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.add or self.states or self.delete)


def plan_servers(config: Config, seen: Observed) -> ServerChanges:
    """Return the changes that bring the servers of `seen` to `config`, which has the same backends."""
    wanted = {(backend.name, server): state for backend in config.backends for server, state in backend.servers.items()}
    current = seen.current.servers
    added = {server: ServerState.MAINT for server in wanted if server not in current}
    states = tuple(
        (*server, state) for server, state in wanted.items() if (added.get(server) or current[server]) is not state
    )
    gone = tuple(sorted(server for server in current if server not in wanted))
    return ServerChanges(tuple(added), states, gone)


def finished(draining: Mapping[str, Server], seen: Observed | None, *, serving: bool) -> frozenset[str]:
    """Return the keys of the draining targets that nothing is open on and that get no new request.

    A worker that a reload left behind cannot be told to drain: it ends with the connections that it had, each of which
    may bring one more request. Until then its targets are not finished, so none of those requests is lost.

    serving: whether HAProxy has anything to serve; where it has not, nothing can be open.
    """
    if not serving:
        return frozenset(draining)
    if seen is None:
        return frozenset()
    return frozenset(
        key
        for key, (backend, server) in draining.items()
        if not seen.takes_requests(backend, server) and seen.sessions(backend, server) == 0
    )
