"""How alarms look."""

from __future__ import annotations

from miyabi.cli.output import Output
from miyabi.cli.views import cell
from miyabi.operations.alarms import Alarm, AlarmHistory, AlarmList, Silenced

_COLOURS = {"ALARM": "red", "INSUFFICIENT_DATA": "yellow", "OK": "green"}


def list_(output: Output, result: AlarmList) -> None:
    """Two lines an alarm: how it stands, and when it goes off; why, where it has."""
    for one in result.alarms:
        state = output.colour(f"{one.state:<18}", _COLOURS.get(one.state, "dim"))
        output.line(f"{state}{one.name}  since {cell(one.since)}")
        output.line(f"{'':<18}{one.condition}; {_actions(one)}")
        if one.state == "ALARM":
            output.line(f"{'':<18}{one.reason}")
    if not result.alarms:
        output.line("there is no alarm")


def _actions(one: Alarm) -> str:
    if one.silenced_until is not None:
        return f"silenced until {cell(one.silenced_until)}"
    return {"none": "nobody is told", "off": "its actions are switched off"}.get(one.actions, "actions on")


def history(output: Output, result: AlarmHistory) -> None:
    """A line an event."""
    for one in result.events:
        output.line(f"{cell(one.at)}  {one.kind:<19}  {one.alarm}  {one.summary}")
    if not result.events:
        output.line("nothing in that time")


def silence(output: Output, result: Silenced) -> None:
    """Say until when."""
    if result.until is None:
        output.line(f"alarm '{result.alarm}' is not silenced; it is {result.state}")
    else:
        output.line(f"alarm '{result.alarm}' is silenced until {cell(result.until)}; it is {result.state}")
        output.commands({f"miyabi alarms silence {result.alarm} --off": "ends it now"})
