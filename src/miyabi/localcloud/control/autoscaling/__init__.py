"""Live Application Auto Scaling for ECS services: scalable targets, policies and their alarms, scheduled actions.

Bounds and scheduled actions act; nothing acts on the policies' alarms yet.
"""

from miyabi.localcloud.control.autoscaling.scheduled import ScheduleLoop
from miyabi.localcloud.control.autoscaling.service import ApplicationAutoScaling

__all__ = ["ApplicationAutoScaling", "ScheduleLoop"]
