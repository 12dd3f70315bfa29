"""`service events`: what ECS says it did."""

from __future__ import annotations

from dataclasses import dataclass

from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run
from miyabi.operations.service.found import find_service
from miyabi.operations.status import ServiceEvent


@dataclass(frozen=True, slots=True)
class EventsParams:
    """How much is shown."""

    limit: int = param("How many, newest first", default=20, minimum=1, maximum=100, short="n")


@dataclass(frozen=True, slots=True)
class Events:
    """The service's latest events, newest first."""

    service: str
    events: tuple[ServiceEvent, ...]


@operation("service.events", effect=Effect.READ, permissions=("ecs:DescribeServices",))
def service_events(run: Run, params: EventsParams) -> Events:
    """Show what ECS says it did with the service, newest first."""
    found = find_service(run, events=params.limit)
    return Events(found.status.name, found.status.events)
