"""The alarm that goes off when too few tasks run: it must not while the service is stopped on purpose."""

from __future__ import annotations

from typing import Any

from miyabi.aws.errors import translated
from miyabi.operations.execution.run import Run


def alarm_actions(run: Run) -> bool | None:
    """Say whether the low-tasks alarm tells anybody; None where there is no such alarm."""
    name = run.environment.low_tasks_alarm
    client: Any = run.cloud.client("cloudwatch")
    with translated(f"describing alarm '{name}'"):
        answer = client.describe_alarms(AlarmNames=[name])
    for alarm in answer["MetricAlarms"]:
        return bool(alarm["ActionsEnabled"])
    return None


def set_alarm_actions(run: Run, *, enabled: bool) -> None:
    """Let the alarm tell somebody, or nobody."""
    name = run.environment.low_tasks_alarm
    client: Any = run.cloud.client("cloudwatch")
    with translated(f"setting the actions of alarm '{name}'"):
        if enabled:
            client.enable_alarm_actions(AlarmNames=[name])
        else:
            client.disable_alarm_actions(AlarmNames=[name])
