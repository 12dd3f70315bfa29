"""Live Application Auto Scaling for ECS services: scalable targets, policies and the alarms that they make.

What was asked is kept; nothing acts on the alarms yet, so there are no scaling activities.
"""

from miyabi.localcloud.control.autoscaling.service import ApplicationAutoScaling

__all__ = ["ApplicationAutoScaling"]
