"""Live CloudWatch: metrics that samplers and callers put in, alarms on them, and what alarms do.

Samples are in a SQLite file of their own; alarms are rows beside the other services'. Dashboards are stock moto's.
"""

from miyabi.localcloud.control.cloudwatch.alarms import CloudWatch
from miyabi.localcloud.control.cloudwatch.database import MetricDatabase
from miyabi.localcloud.control.cloudwatch.loop import MetricRetentionLoop, MetricsLoop, record_rest
from miyabi.localcloud.control.cloudwatch.recorded import install_cloudwatch, take_over
from miyabi.localcloud.control.cloudwatch.tables import AlarmTables
from miyabi.localcloud.control.cloudwatch.transitions import Transitions

__all__ = [
    "AlarmTables",
    "CloudWatch",
    "MetricDatabase",
    "MetricRetentionLoop",
    "MetricsLoop",
    "Transitions",
    "install_cloudwatch",
    "record_rest",
    "take_over",
]
