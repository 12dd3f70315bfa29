"""Shows a run of Terraform, resource by resource."""

from __future__ import annotations

from miyabi.cli.output import Output
from miyabi.environment.terraform.events import (
    Diagnostic,
    Event,
    LockWait,
    ResourceProgress,
    Stopping,
)

_PAST = {"create": "created", "update": "updated", "delete": "destroyed"}
_SAY_SECONDS = 20


class ResourceLines:
    """Writes a line for each resource that is done, and one now and then for those that take long."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._warned: set[str] = set()

    def show(self, event: Event) -> None:
        """Write what an event says to a person."""
        say = self._output.progress
        match event:
            case ResourceProgress(action="read"):
                pass
            case ResourceProgress(phase="done"):
                say(f"    {event.seconds:7} s  {_PAST.get(event.action, event.action):<16} {event.address}")
            case ResourceProgress(phase="failed"):
                say(f"    {event.seconds:7} s  {event.action + ' failed':<16} {event.address}")
            case ResourceProgress(phase="running") if event.seconds % _SAY_SECONDS == 0:
                say(f"    {event.seconds:7} s  {'…':<16} {event.address}")
            case LockWait():
                say("    waiting for another terraform that works on this state")
            case Stopping(seconds=seconds):
                say(f"    {seconds:7.0f} s  interrupted: terraform finishes what it began; Ctrl-C again: do not wait")
            case Diagnostic(severity="warning") if event.summary not in self._warned:
                self._warned.add(event.summary)
                say(f"    warning: {event.address or event.location or ''} {event.summary}")
            case _:
                pass
