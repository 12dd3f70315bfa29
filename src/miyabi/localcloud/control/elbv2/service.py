"""Live Elastic Load Balancing v2 as one service."""

from __future__ import annotations

from miyabi.localcloud.control.elbv2.limits import Limits
from miyabi.localcloud.control.elbv2.load_balancer_settings import LoadBalancerSettings
from miyabi.localcloud.control.elbv2.target_groups import TargetGroups
from miyabi.localcloud.control.elbv2.targets import Targets


class Elbv2(LoadBalancerSettings, TargetGroups, Targets, Limits):
    """Elastic Load Balancing: application load balancers with HTTP listeners.

    on_change: called after a change that a loop should look at.
    ensure_network: called before EC2's records of a region are read.
    """
