"""What ElastiCache offers here: engine versions, node types and parameters.

Source: docs.aws.amazon.com, "Redis OSS-specific parameters", "Supported node types"; values as
`describe-cache-parameters` shows them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineVersion:
    """A version of an engine, as AWS names it."""

    engine: str
    asked: str
    """What a cluster is created with: `7.0`."""
    full: str
    """What a cluster then reports: `7.0.7`."""
    family: str


ENGINE_VERSIONS = (
    EngineVersion("redis", "6.2", "6.2.6", "redis6.x"),
    EngineVersion("redis", "7.0", "7.0.7", "redis7"),
    EngineVersion("redis", "7.1", "7.1.0", "redis7"),
    EngineVersion("valkey", "7.2", "7.2.6", "valkey7"),
    EngineVersion("valkey", "8.0", "8.0.1", "valkey8"),
    EngineVersion("valkey", "8.1", "8.1.0", "valkey8"),
)
FAMILIES = tuple(dict.fromkeys(version.family for version in ENGINE_VERSIONS))

NODE_TYPES: Mapping[str, int] = {
    "cache.t2.micro": 581_959_680,
    "cache.t2.small": 1_665_138_688,
    "cache.t2.medium": 3_461_349_376,
    "cache.t3.micro": 536_870_912,
    "cache.t3.small": 1_471_026_299,
    "cache.t3.medium": 3_317_862_236,
    "cache.t4g.micro": 536_870_912,
    "cache.t4g.small": 1_471_026_299,
    "cache.t4g.medium": 3_317_862_236,
    "cache.m5.large": 6_854_542_746,
    "cache.m6g.large": 6_854_542_746,
    "cache.m7g.large": 6_854_542_746,
    "cache.r5.large": 14_037_181_030,
    "cache.r6g.large": 14_037_181_030,
    "cache.r7g.large": 14_037_181_030,
}
"""`maxmemory` of a node in bytes, before any reserve."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a family."""

    name: str
    default: str
    allowed: str
    description: str
    data_type: str = "integer"
    static: bool = False
    """It takes effect at a reboot."""
    modifiable: bool = True

    def takes(self, value: str) -> bool:
        """Say whether the value is allowed."""
        if self.name == "notify-keyspace-events":
            return re.fullmatch(r"[AKEg$lshzxetdmn]*", value) is not None
        return any(_within(part, value) for part in self.allowed.split(","))


def _within(part: str, value: str) -> bool:
    bounds = re.fullmatch(r"(-?\d+)-(\d*)", part)
    if bounds is None:
        return value == part
    if not re.fullmatch(r"-?\d{1,18}", value):
        return False
    return int(bounds[1]) <= int(value) and (not bounds[2] or int(value) <= int(bounds[2]))


_YES_NO = "yes,no"
_POLICIES = "volatile-lru,allkeys-lru,volatile-lfu,allkeys-lfu,volatile-random,allkeys-random,volatile-ttl,noeviction"
_BUFFERS = tuple(
    Parameter(
        f"client-output-buffer-limit-{kind}-{limit}",
        default,
        "0-",
        f"{kind.capitalize()} client output buffer {limit.replace('-', ' ')}.",
    )
    for kind, defaults in (("normal", ("0", "0", "0")), ("pubsub", ("33554432", "8388608", "60")))
    for limit, default in zip(("hard-limit", "soft-limit", "soft-seconds"), defaults, strict=True)
)
_COMMON = (
    Parameter("acllog-max-len", "128", "0-10000", "The maximum length of the ACL log."),
    Parameter("activedefrag", "no", _YES_NO, "Enabled active memory defragmentation.", "string", modifiable=False),
    Parameter("activerehashing", "yes", _YES_NO, "Apply rehashing or not.", "string", static=True),
    Parameter("appendonly", "no", "no", "Enable Redis persistence.", "string", modifiable=False),
    *_BUFFERS,
    Parameter(
        "client-query-buffer-limit", "1073741824", "1048576-1073741824", "Max size of a single client query buffer."
    ),
    Parameter("cluster-enabled", "no", "no", "Enable cluster mode.", "string", static=True, modifiable=False),
    Parameter("databases", "16", "1-10000", "Set the number of databases.", static=True),
    Parameter(
        "hash-max-listpack-entries",
        "512",
        "0-",
        "The maximum number of hash entries in order for the dataset to be compressed.",
    ),
    Parameter(
        "hash-max-listpack-value",
        "64",
        "0-",
        "The threshold of biggest hash entries in order for the dataset to be compressed.",
    ),
    Parameter("hll-sparse-max-bytes", "3000", "1-16000", "HyperLogLog sparse representation bytes limit."),
    Parameter("lazyfree-lazy-eviction", "no", _YES_NO, "Perform an asynchronous delete on evictions.", "string"),
    Parameter("lazyfree-lazy-expire", "no", _YES_NO, "Perform an asynchronous delete on expired keys.", "string"),
    Parameter("lazyfree-lazy-server-del", "no", _YES_NO, "Perform an asynchronous delete on key updates.", "string"),
    Parameter("lazyfree-lazy-user-del", "no", _YES_NO, "Make DEL act as UNLINK.", "string"),
    Parameter("lfu-decay-time", "1", "0-", "Minutes to decrement the key counter for the LFU eviction policy."),
    Parameter("lfu-log-factor", "10", "1-", "The log factor for incrementing the key counter for LFU eviction."),
    Parameter("list-compress-depth", "0", "0-", "Number of list nodes at either end that are not compressed."),
    Parameter("maxclients", "65000", "65000", "The maximum number of clients.", static=True, modifiable=False),
    Parameter("maxmemory-policy", "volatile-lru", _POLICIES, "Max memory policy.", "string"),
    Parameter("maxmemory-samples", "3", "1-64", "Max memory samples."),
    Parameter("notify-keyspace-events", "", "", "The keyspace events to notify Pub/Sub clients about.", "string"),
    Parameter("proto-max-bulk-len", "536870912", "1048576-536870912", "Max size of a single element request."),
    Parameter("reserved-memory-percent", "25", "0-99", "The percent of memory reserved for non-cache usage."),
    Parameter("set-max-intset-entries", "512", "0-", "The limit of a set's size to use a special encoding."),
    Parameter("slowlog-log-slower-than", "10000", "0-", "Microseconds that a command takes before it is logged."),
    Parameter("slowlog-max-len", "128", "0-1000", "The length of the slow log."),
    Parameter("stream-node-max-bytes", "4096", "0-", "The maximum size of a stream's node in bytes."),
    Parameter("stream-node-max-entries", "100", "0-", "The maximum number of items of a stream's node."),
    Parameter("tcp-keepalive", "300", "0-", "Seconds between probes of idle connections."),
    Parameter("timeout", "0", "0,20-", "Close the connection after a client is idle for N seconds."),
    Parameter("tracking-table-max-keys", "1000000", "1-100000000", "Keys that client-side caching tracks."),
    Parameter(
        "zset-max-listpack-entries",
        "128",
        "0-",
        "The maximum number of sorted set entries in order for the dataset to be compressed.",
    ),
    Parameter(
        "zset-max-listpack-value",
        "64",
        "0-",
        "The threshold of biggest sorted set entries in order for the dataset to be compressed.",
    ),
)
_NOT_SET = {"cluster-enabled", "maxclients", "activedefrag", "appendonly"}
"""The server keeps its own values: clients are limited by the machine's open files, the rest is off there too."""


def parameters(family: str) -> dict[str, Parameter]:
    """Return a family's parameters by name."""
    return {parameter.name: parameter for parameter in (_of(family, common) for common in _COMMON)}


def _of(family: str, parameter: Parameter) -> Parameter:
    """Return the parameter as this family has it."""
    if family == "redis6.x":  # Redis 7 renamed the compact encoding
        return dataclasses.replace(parameter, name=parameter.name.replace("-listpack-", "-ziplist-"))
    if family == "valkey8" and parameter.name.startswith("lazyfree-"):
        return dataclasses.replace(parameter, default="yes")
    return parameter


def values(family: str, changed: Mapping[str, str], *, static: bool) -> dict[str, str]:
    """Return the values that the server is to have: the static ones, or those that take effect immediately."""
    return {
        name: changed.get(name, parameter.default)
        for name, parameter in parameters(family).items()
        if parameter.static is static and name not in _NOT_SET
    }
