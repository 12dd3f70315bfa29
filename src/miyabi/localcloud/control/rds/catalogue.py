"""What can be ordered: instance classes, and the versions of PostgreSQL that this machine has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from miyabi.localcloud.control.service import ApiError
from miyabi.localcloud.data.postgresql_binaries import Binaries

ENGINE = "postgres"
_GIB = 1024**3

_BURSTABLE = {
    "micro": (2, 1),
    "small": (2, 2),
    "medium": (2, 4),
    "large": (2, 8),
    "xlarge": (4, 16),
    "2xlarge": (8, 32),
}
_SIZES = {"large": 2, "xlarge": 4, "2xlarge": 8, "4xlarge": 16, "8xlarge": 32, "12xlarge": 48, "16xlarge": 64}
_GIB_PER_VCPU = {"m5": 4, "m6g": 4, "m6i": 4, "m7g": 4, "r5": 8, "r6g": 8, "r6i": 8, "r7g": 8}

CLASSES: Mapping[str, tuple[int, int]] = {
    **{f"db.{family}.{size}": spec for family in ("t3", "t4g") for size, spec in _BURSTABLE.items()},
    **{
        f"db.{family}.{size}": (vcpus, vcpus * ratio)
        for family, ratio in _GIB_PER_VCPU.items()
        for size, vcpus in _SIZES.items()
    },
}
"""vCPUs and GiB of memory by instance class. Source: docs.aws.amazon.com, "Hardware specifications for DB instance
classes"."""


def variables(instance_class: str, port: int) -> dict[str, int]:
    """Return what formulas in parameters may name."""
    vcpus, gib = CLASSES[instance_class]
    return {"DBInstanceClassMemory": gib * _GIB, "DBInstanceVCPU": vcpus, "EndPointPort": port}


class Versions:
    """The versions of PostgreSQL that can run here."""

    def __init__(self, find: Callable[[], tuple[Binaries, ...]]) -> None:
        self._find = find

    @cached_property
    def all(self) -> tuple[Binaries, ...]:
        """Every installation, newest first."""
        return self._find()

    def choose(self, asked: str | None) -> Binaries:
        """Return the installation for `17` or `17.10`, the newest for None; InvalidParameterCombination."""
        for each in self.all:
            if asked in {None, each.major, each.version}:
                return each
        listed = ", ".join(each.version for each in self.all) or "none"
        raise ApiError(
            "InvalidParameterCombination",
            f"Cannot find version {asked} for postgres. The local cloud has the PostgreSQL versions of this machine:"
            f" {listed}",
        )

    def for_data(self, version: str) -> Binaries | None:
        """Return the installation that can run data of a version: the same, or another minor version."""
        same = [each for each in self.all if each.major == version.partition(".")[0]]
        return next((each for each in same if each.version == version), same[0] if same else None)

    def for_family(self, family: str) -> Binaries:
        """Return the newest installation of a parameter group's family; InvalidParameterValue."""
        for each in self.all:
            if family == f"postgres{each.major}":
                return each
        listed = ", ".join(sorted({f"postgres{each.major}" for each in self.all})) or "none"
        raise ApiError(
            "InvalidParameterValue",
            f"ParameterGroupFamily {family} is not a valid parameter group family. This machine has: {listed}",
        )
