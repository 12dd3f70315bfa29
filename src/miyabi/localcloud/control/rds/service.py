"""Live Amazon RDS as one service."""

from __future__ import annotations

from miyabi.localcloud.control.rds.instance_changes import InstanceChanges
from miyabi.localcloud.control.rds.offers import Offers
from miyabi.localcloud.control.rds.parameter_groups import ParameterGroups
from miyabi.localcloud.control.rds.tags import Tags


class Rds(InstanceChanges, ParameterGroups, Offers, Tags):
    """Amazon RDS: DB instances of PostgreSQL."""
