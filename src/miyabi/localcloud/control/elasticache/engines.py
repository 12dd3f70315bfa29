"""Engine versions: those of AWS that a server on this machine can stand for."""

from __future__ import annotations

from miyabi.localcloud.control.elasticache.catalogue import ENGINE_VERSIONS, NODE_TYPES, EngineVersion
from miyabi.localcloud.control.elasticache.nouns import Nouns, combination, invalid, page
from miyabi.localcloud.control.service import Caller, Params, Result
from miyabi.localcloud.data.cache_servers import CacheServer
from miyabi.policy.cache_life import serves


class Engines(Nouns):
    """Operations on engine versions and node types."""

    def describe_cache_engine_versions(self, caller: Caller, params: Params) -> Result:  # noqa: ARG002
        """Describe the versions that can be served, and by what."""
        wanted = {"engine": params.get("Engine"), "family": params.get("CacheParameterGroupFamily")}
        rows = [row for row in self.offered() if all(v in {None, getattr(row, k)} for k, v in wanted.items())]
        if params.get("EngineVersion"):
            rows = [row for row in rows if params["EngineVersion"] in {row.asked, row.full}]
        if params.get("DefaultOnly"):
            rows = list({row.engine: row for row in rows}.values())
        found, marker = page(rows, params, lambda row: f"{row.engine}-{row.full}")
        described = [
            {
                "Engine": row.engine,
                "EngineVersion": row.full,
                "CacheParameterGroupFamily": row.family,
                "CacheEngineDescription": row.engine.capitalize(),
                "CacheEngineVersionDescription": f"{row.engine} version {row.full}, served by {self.server(row)}",
            }
            for row in found
        ]
        return {"CacheEngineVersions": described} | marker

    def list_allowed_node_type_modifications(self, caller: Caller, params: Params) -> Result:
        """List the node types that a cluster can be changed to."""
        if not params.get("CacheClusterId"):
            raise combination("CacheClusterId must be given: there are no replication groups.")
        row = self.find_cluster(caller.region, params["CacheClusterId"])
        memory = NODE_TYPES[row.node_type]
        return {
            "ScaleUpModifications": [name for name, size in NODE_TYPES.items() if size > memory],
            "ScaleDownModifications": [name for name, size in NODE_TYPES.items() if size < memory],
        }

    def offered(self) -> list[EngineVersion]:
        """Return the versions that can be served here."""
        return [version for version in ENGINE_VERSIONS if self.server(version) is not None]

    def server(self, version: EngineVersion) -> CacheServer | None:
        """Return what serves a version: a server of the same name rather than one that only stands for it."""
        able = [server for server in self.servers if serves(server.kind, server.version, version.engine, version.full)]
        return next((server for server in able if server.kind == version.engine), able[0] if able else None)

    def engine_version(self, engine: str, asked: str | None) -> EngineVersion:
        """Return the version that was asked for, else the newest.

        InvalidParameterValue: AWS has no such version. InvalidParameterCombination: nothing here serves it.
        """
        if engine not in {"redis", "valkey"}:
            raise invalid(f"The engine {engine} is not offered by the local cloud: redis and valkey are.")
        known = [version for version in ENGINE_VERSIONS if version.engine == engine]
        offered = [version for version in self.offered() if version.engine == engine]
        names = ", ".join(version.asked for version in offered) or "none"
        if asked is None:
            if not offered:
                raise combination(_unserved(engine, "", names))
            return offered[-1]
        found = next((version for version in known if asked in {version.asked, version.full}), None)
        if found is None:
            raise invalid(f"Invalid version {asked} of the engine {engine}. Versions that can be served here: {names}.")
        if found not in offered:
            raise combination(_unserved(engine, f" {asked}", names))
        return found


def _unserved(engine: str, version: str, offered: str) -> str:
    return (
        f"No server on this machine can stand for {engine}{version}; versions that can be served: {offered}. "
        "Install the package redis-server, or Miyabi with its extra `local`."
    )


def version_of(engine: str, full: str) -> EngineVersion:
    """Return the version of a cluster."""
    return next(version for version in ENGINE_VERSIONS if version.engine == engine and version.full == full)
