"""The environment's load balancer, as CloudWatch knows it."""

from __future__ import annotations

from dataclasses import dataclass

from miyabi.aws.errors import translated
from miyabi.model.errors import NotFound
from miyabi.operations.execution.run import Run


@dataclass(frozen=True, slots=True)
class Balancer:
    """A load balancer that exists."""

    arn: str
    dns_name: str

    @property
    def suffix(self) -> str:
        """What its metrics are under: `app/<name>/<id>`."""
        return self.arn.partition(":loadbalancer/")[2]


def find_balancer(run: Run) -> Balancer:
    """Return the environment's load balancer. NotFound."""
    name = run.environment.load_balancer
    with translated(f"describing load balancer '{name}'"):
        answer = run.cloud.client("elbv2").describe_load_balancers(Names=[name])
    for one in answer["LoadBalancers"]:
        return Balancer(one["LoadBalancerArn"], one.get("DNSName", ""))
    raise NotFound(
        f"load balancer '{name}' not found in {run.cloud.region}",
        hint="`miyabi up` makes it; `load_balancer` in miyabi.toml names another.",
    )
