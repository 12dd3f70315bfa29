"""Live Application Auto Scaling for ECS services: scalable targets, policies and their alarms, scheduled actions."""

from miyabi.localcloud.control.autoscaling.scaler import Scaler
from miyabi.localcloud.control.autoscaling.scheduled import ScheduleLoop
from miyabi.localcloud.control.autoscaling.service import ApplicationAutoScaling

__all__ = ["ApplicationAutoScaling", "Scaler", "ScheduleLoop"]
