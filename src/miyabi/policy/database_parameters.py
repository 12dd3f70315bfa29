"""Which parameters a DB instance's server should have now, and which wait for a reboot.

Source: docs.aws.amazon.com, "Working with parameter groups": an immediate change of a dynamic parameter is applied at
once, everything else and another parameter group with the next reboot.
"""

from __future__ import annotations

from miyabi.model.rds import ApplyMethod, ParameterGroup, Running

IN_SYNC = "in-sync"
APPLYING = "applying"
PENDING_REBOOT = "pending-reboot"


def at_boot(group: ParameterGroup) -> Running:
    """Return what a server that starts now gets."""
    values = {name: each.value for name, each in group.parameters.items() if each.value is not None}
    return Running(group.name, values)


def while_running(running: Running, group: ParameterGroup) -> Running:
    """Return what a server that runs with `running` should have now."""
    if running.parameter_group != group.name:
        return running
    values: dict[str, str] = dict(running.parameters)
    for name, each in group.parameters.items():
        if each.apply_method is ApplyMethod.IMMEDIATE:
            values.pop(name, None)
            if each.value is not None:
                values[name] = each.value
    return Running(group.name, values)


def apply_status(running: Running | None, group: ParameterGroup) -> str:
    """Return the group's `ParameterApplyStatus` on an instance."""
    if running is None or running == at_boot(group):
        return IN_SYNC
    return PENDING_REBOOT if while_running(running, group) == running else APPLYING
