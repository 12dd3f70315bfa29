"""Nouns of Application Auto Scaling: scalable targets and scaling policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Suspended:
    """Which scaling is suspended."""

    dynamic_in: bool = False
    dynamic_out: bool = False
    scheduled: bool = False


@dataclass(frozen=True, slots=True)
class ScalableTarget:
    """A service whose desired count may be scaled between two bounds."""

    arn: str
    resource_id: str
    """`service/<cluster>/<service>`."""
    dimension: str
    min_capacity: int
    max_capacity: int
    role_arn: str
    created_at: datetime
    suspended: Suspended = Suspended()

    @property
    def key(self) -> str:
        """Key of the row."""
        return f"{self.resource_id}|{self.dimension}"

    @property
    def cluster_and_service(self) -> tuple[str, str]:
        """The names in the resource id."""
        _, cluster, service = self.resource_id.split("/")
        return cluster, service


@dataclass(frozen=True, slots=True)
class ScalingPolicy:
    """A rule of a scalable target, and the alarms that it made."""

    arn: str
    name: str
    resource_id: str
    dimension: str
    type: str
    """`TargetTrackingScaling` or `StepScaling`."""
    created_at: datetime
    configuration: Mapping[str, Any]
    """As the API takes it."""
    alarms: tuple[str, ...] = field(default=())
    """Names, the high one first."""

    @property
    def key(self) -> str:
        """Key of the row."""
        return f"{self.resource_id}|{self.dimension}|{self.name}"


@dataclass(frozen=True, slots=True)
class TrackingAlarm:
    """An alarm that a target tracking policy makes: average or sum over periods of 60 s, or a metric of its own."""

    name: str
    namespace: str
    metric_name: str
    dimensions: Mapping[str, str]
    statistic: str
    unit: str | None
    comparison_operator: str
    threshold: float
    evaluation_periods: int
    period_seconds: int = 60


@dataclass(frozen=True, slots=True)
class ScheduledAction:
    """A change of a scalable target's bounds at a given time, once or again and again."""

    arn: str
    name: str
    resource_id: str
    dimension: str
    schedule: str
    """`at(...)`, `rate(...)` or `cron(...)`."""
    timezone: str
    created_at: datetime
    start: datetime | None = None
    end: datetime | None = None
    min_capacity: int | None = None
    max_capacity: int | None = None
    next_due: datetime | None = None
    """None: it will not be due again."""

    @property
    def key(self) -> str:
        """Key of the row."""
        return f"{self.resource_id}|{self.dimension}|{self.name}"


@dataclass(frozen=True, slots=True)
class NotScaled:
    """Why an activity changed nothing, and between which bounds."""

    code: str
    """AWS's, or ours where AWS has none."""
    minimum: int
    maximum: int
    current: int


@dataclass(frozen=True, slots=True)
class ScalingActivity:
    """What scaling did, and why."""

    id: str
    resource_id: str
    dimension: str
    description: str
    cause: str
    started_at: datetime
    status: str
    """`InProgress` until the service has as many tasks as it should, then `Successful`."""
    message: str
    ended_at: datetime | None = None
    desired_count: int | None = None
    """What the service was set to; None where only the bounds were."""
    not_scaled: NotScaled | None = None

    @property
    def key(self) -> str:
        """Key of the row: they sort by time."""
        return f"{self.resource_id}|{self.dimension}|{self.started_at.isoformat()}|{self.id}"
