"""CloudWatch Logs' nouns as operations see them."""

from __future__ import annotations

from dataclasses import dataclass

RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545),
    *(731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""The numbers of days that a log group can keep its events. Source: PutRetentionPolicy."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One line of a log stream. Times are milliseconds since 1970."""

    id: str
    stream: str
    timestamp: int
    """When it happened, as its writer says."""
    ingestion: int
    """When CloudWatch Logs took it."""
    message: str

    @property
    def task(self) -> str:
        """The start of the task's id. The awslogs driver names a stream `prefix/container/task-id`."""
        return self.stream.rpartition("/")[2][:8]
