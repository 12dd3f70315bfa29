"""Live Elastic Load Balancing: application load balancers that HAProxy really serves.

The service's operations, one file per noun, keep what was asked; `CheckLoop` probes the targets, `SyncLoop` brings
HAProxy to what the rows say. Only the two loops do I/O beyond the store.
"""

from miyabi.localcloud.control.elbv2.checks import CheckLoop
from miyabi.localcloud.control.elbv2.service import Elbv2
from miyabi.localcloud.control.elbv2.sync import SyncLoop

__all__ = ["CheckLoop", "Elbv2", "SyncLoop"]
