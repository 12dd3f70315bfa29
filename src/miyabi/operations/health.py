"""`health check`: whether the service answers those who use it."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

from miyabi.aws.errors import translated
from miyabi.model.errors import Failed, NotFound
from miyabi.operations.execution.declaration import Effect, operation
from miyabi.operations.execution.parameters import param
from miyabi.operations.execution.run import Run
from miyabi.operations.service.found import find_service
from miyabi.operations.status import TargetStatus, describe_load_balancer, describe_targets

_BODY_BYTES = 2048


@dataclass(frozen=True, slots=True)
class CheckParams:
    """What is asked."""

    path: str | None = param("Path of the request (default: health_path of miyabi.toml)", default=None)
    timeout_seconds: float = param(
        "How long an answer may take", default=10.0, unit="seconds", minimum=0.1, maximum=120
    )


@dataclass(frozen=True, slots=True)
class Health:
    """A service that answers, whose targets are healthy and whose tasks run."""

    url: str
    http_status: int
    milliseconds: float
    body: str
    """Its first 2,048 bytes."""
    healthy_targets: int
    targets: int
    running_count: int
    desired_count: int


@operation(
    "health.check",
    effect=Effect.READ,
    permissions=(
        "ecs:DescribeServices",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTargetHealth",
    ),
)
def check_health(run: Run, params: CheckParams) -> Health:
    """Ask the service through its load balancer, and look at its targets and tasks.

    Exit code 1 with everything that is wrong: no answer, an answer that is an error, unhealthy targets, tasks missing.
    """
    names = run.environment
    found = find_service(run)
    with translated(f"describing load balancer '{names.load_balancer}'"):
        balancer = describe_load_balancer(run.cloud, names)
    if balancer is None:
        raise NotFound(f"load balancer '{names.load_balancer}' not found in {run.cloud.region}")
    targets: list[TargetStatus] = []
    for group in found.target_groups:
        with translated(f"describing the targets of {group}"):
            targets += describe_targets(run.cloud, group)
    healthy = sum(target.health == "healthy" for target in targets)
    url = f"http://{balancer.dns_name}{params.path or names.health_path}"
    status, milliseconds, body, problem = _get(url, params.timeout_seconds)
    problems = [problem] if problem else []
    problems += [
        f"target {one.id}:{one.port} is {one.health} ({one.reason or 'no reason'})"
        for one in targets
        if one.health not in {"healthy", "draining"}
    ]
    seen = found.status
    if seen.running_count < seen.desired_count:
        problems.append(f"{seen.running_count} of {seen.desired_count} tasks run")
    if not seen.desired_count:
        problems.append("no task is desired")
    if problems:
        raise Failed(f"service '{seen.name}' is not healthy: {'; '.join(problems)}", hint="`miyabi service events`")
    return Health(url, status, milliseconds, body, healthy, len(targets), seen.running_count, seen.desired_count)


def _get(url: str, timeout_seconds: float) -> tuple[int, float, str, str | None]:
    """Return status (0: none), milliseconds, the body's beginning, and what is wrong."""
    begun = time.perf_counter()
    try:
        with urllib.request.urlopen(url, timeout=timeout_seconds) as answer:  # noqa: S310 - http, built above
            status, body = int(answer.status), answer.read(_BODY_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            status, body = error.code, error.read(_BODY_BYTES)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        return 0, round((time.perf_counter() - begun) * 1000, 1), "", f"{url} does not answer: {reason}"
    milliseconds = round((time.perf_counter() - begun) * 1000, 1)
    text = body.decode("utf-8", "replace").strip()
    problem = None if 200 <= status < 300 else f"{url} answers {status}: {' '.join(text.split())[:200]}"
    return status, milliseconds, text, problem
