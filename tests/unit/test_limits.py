"""Every live API call is in docs/limits.md, and nothing is there that is not offered."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from botocore import xform_name

from miyabi.localcloud.control.autoscaling import ApplicationAutoScaling
from miyabi.localcloud.control.budgets import Budgets
from miyabi.localcloud.control.cloudwatch import CloudWatch
from miyabi.localcloud.control.credentials import Identities
from miyabi.localcloud.control.ecr import EcrLayers
from miyabi.localcloud.control.ecs.api import Ecs
from miyabi.localcloud.control.elasticache import ElastiCache
from miyabi.localcloud.control.elbv2 import Elbv2
from miyabi.localcloud.control.logs import Logs
from miyabi.localcloud.control.rds import Rds
from miyabi.localcloud.control.service import LiveService, service_model

LIMITS = (Path(__file__).parents[2] / "docs" / "limits.md").read_text()
HEADINGS: dict[str, type[LiveService]] = {
    "ECS": Ecs,
    "Elastic Load Balancing v2": Elbv2,
    "CloudWatch Logs": Logs,
    "CloudWatch": CloudWatch,
    "ECR": EcrLayers,
    "STS": Identities,
    "RDS": Rds,
    "ElastiCache": ElastiCache,
    "Application Auto Scaling": ApplicationAutoScaling,
    "Budgets": Budgets,
}


@pytest.mark.parametrize("heading", HEADINGS)
def test_the_calls_that_a_service_offers_are_those_that_the_limits_list(heading: str) -> None:
    service = HEADINGS[heading]
    offered = {name for name in service_model(service.name).operation_names if hasattr(service, xform_name(name))}
    section = LIMITS.split(f"\n### {heading}\n")[1].split("\n#")[0]
    listed = {name for row in re.findall(r"^\| ([A-Z][\w, ]+) \|", section, re.MULTILINE) for name in row.split(", ")}
    assert listed == offered
