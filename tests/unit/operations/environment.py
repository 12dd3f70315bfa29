"""An environment to describe: what AWS would answer, in a form that tests change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.unit.operations.scripted_cloud import Answer, Refused, ScriptedCloud

NOW = datetime(2025, 11, 18, 12, tzinfo=UTC)
ECS = "arn:aws:ecs:us-west-2:112530848482"
ELB = "arn:aws:elasticloadbalancing:us-west-2:112530848482"
GROUP = f"{ELB}:targetgroup/miyabi-tg-dev/1"


@dataclass(frozen=True)
class Names:
    cluster: str = "miyabi-cluster-dev"
    service: str = "miyabi-service-dev"
    container: str = "miyabi-app"
    log_group: str = "/ecs/miyabi-dev"
    load_balancer: str = "miyabi-alb-dev"
    target_group: str = "miyabi-tg-dev"
    image_parameter: str = "/miyabi/dev/image"


def deployment(number: int = 1, state: str = "COMPLETED", status: str = "PRIMARY", **more: Any) -> dict[str, Any]:
    return {
        "id": f"ecs-svc/{number}",
        "status": status,
        "taskDefinition": f"{ECS}:task-definition/miyabi-app-dev:{number}",
        "desiredCount": 2,
        "runningCount": 2,
        "pendingCount": 0,
        "failedTasks": 0,
        "rolloutState": state,
        "createdAt": NOW,
        **more,
    }


def running_task(number: int) -> dict[str, Any]:
    return {
        "taskArn": f"{ECS}:task/miyabi-cluster-dev/run{number}",
        "taskDefinitionArn": f"{ECS}:task-definition/miyabi-app-dev:1",
        "availabilityZone": f"us-west-2{'ab'[number % 2]}",
        "lastStatus": "RUNNING",
        "createdAt": NOW,
        "startedAt": NOW,
        "attachments": [
            {
                "type": "ElasticNetworkInterface",
                "details": [{"name": "privateIPv4Address", "value": f"10.0.11.{number}"}],
            }
        ],
        "containers": [
            {"name": "sidecar", "image": "x"},
            {"name": "miyabi-app", "image": "web:v1", "imageDigest": f"sha256:{number}"},
        ],
    }


def stopped_task(
    number: int, reason: str = "Essential container in task exited", exit_code: int | None = 1
) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "miyabi-app"}
    if exit_code is not None:
        container["exitCode"] = exit_code
    return {
        "taskArn": f"{ECS}:task/miyabi-cluster-dev/stop{number}",
        "taskDefinitionArn": f"{ECS}:task-definition/miyabi-app-dev:1",
        "lastStatus": "STOPPED",
        "stopCode": "EssentialContainerExited" if exit_code is not None else "TaskFailedToStart",
        "stoppedReason": reason,
        "stoppedAt": NOW.replace(second=number),
        "containers": [container],
    }


class World:
    """A steady service with two tasks; change its attributes to make another."""

    def __init__(self) -> None:
        self.service: dict[str, Any] | None = {
            "serviceName": "miyabi-service-dev",
            "status": "ACTIVE",
            "desiredCount": 2,
            "runningCount": 2,
            "pendingCount": 0,
            "taskDefinition": f"{ECS}:task-definition/miyabi-app-dev:1",
            "loadBalancers": [{"targetGroupArn": GROUP, "containerName": "miyabi-app", "containerPort": 8080}],
            "deployments": [deployment()],
            "events": [
                {"id": str(n), "createdAt": NOW, "message": f"(service miyabi-service-dev) event {n}."}
                for n in range(9)
            ],
        }
        self.cluster = True
        self.running = [running_task(1), running_task(2)]
        self.stopped: list[dict[str, Any]] = []
        self.health = {"10.0.11.1": "healthy", "10.0.11.2": "healthy"}
        self.balancer = True
        self.balancer_state = {"Code": "active"}
        self.image: str | None = "web:v1"
        self.lines = ["Traceback", "ValueError: no"]
        self._listed_stopped = False

    def cloud(self, **answers: Answer) -> ScriptedCloud:
        cloud = ScriptedCloud(
            {
                "ecs:DescribeClusters": self._clusters,
                "ecs:DescribeServices": lambda: {"services": [self.service] if self.service else [], "failures": []},
                "ecs:ListTasks": lambda: self._list_tasks(cloud),
                "ecs:DescribeTasks": lambda: {"tasks": self._asked(cloud), "failures": []},
                "ecs:DescribeTaskDefinition": self._task_definition,
                "elbv2:DescribeLoadBalancers": self._balancers,
                "elbv2:DescribeTargetGroups": self._groups,
                "elbv2:DescribeTargetHealth": self._targets,
                "ssm:GetParameter": self._parameter,
                "logs:GetLogEvents": lambda: {"events": [{"message": line} for line in self.lines]},
                "sts:GetCallerIdentity": lambda: {"Account": "112530848482", "Arn": "arn:aws:iam::112530848482:user/x"},
                **{name.replace("__", ":"): answer for name, answer in answers.items()},
            }
        )
        return cloud

    def _clusters(self) -> dict[str, Any]:
        found = [{"clusterName": "miyabi-cluster-dev", "status": "ACTIVE"}] if self.cluster else []
        return {"clusters": found, "failures": []}

    def _list_tasks(self, cloud: ScriptedCloud) -> dict[str, Any]:
        stopped = cloud.calls[-1][1]["desiredStatus"] == "STOPPED"
        return {"taskArns": [task["taskArn"] for task in (self.stopped if stopped else self.running)]}

    def _asked(self, cloud: ScriptedCloud) -> list[dict[str, Any]]:
        arns = cloud.calls[-1][1]["tasks"]
        return [task for task in [*self.running, *self.stopped] if task["taskArn"] in arns]

    def _task_definition(self) -> dict[str, Any]:
        options = {"awslogs-group": "/ecs/miyabi-dev", "awslogs-stream-prefix": "ecs", "awslogs-region": "us-west-2"}
        container = {
            "name": "miyabi-app",
            "image": "112530848482.dkr.ecr.us-west-2.amazonaws.com/team/miyabi-web-api:v1",
            "essential": True,
            "logConfiguration": {"logDriver": "awslogs", "options": options},
        }
        return {"taskDefinition": {"containerDefinitions": [{"name": "sidecar", "essential": False}, container]}}

    def _balancers(self) -> dict[str, Any]:
        if not self.balancer:
            raise Refused("LoadBalancerNotFound", "One or more load balancers not found")
        balancer = {
            "LoadBalancerName": "miyabi-alb-dev",
            "LoadBalancerArn": f"{ELB}:loadbalancer/app/miyabi-alb-dev/1",
            "DNSName": "alb.example",
            "State": self.balancer_state,
        }
        return {"LoadBalancers": [balancer]}

    def _groups(self) -> dict[str, Any]:
        if not self.balancer:
            raise Refused("TargetGroupNotFound", "One or more target groups not found")
        group = {
            "TargetGroupName": "miyabi-tg-dev",
            "TargetGroupArn": GROUP,
            "HealthCheckPath": "/health",
            "LoadBalancerArns": [f"{ELB}:loadbalancer/app/miyabi-alb-dev/1"],
        }
        return {"TargetGroups": [group]}

    def _targets(self) -> dict[str, Any]:
        return {
            "TargetHealthDescriptions": [
                {
                    "Target": {"Id": address, "Port": 8080},
                    "TargetHealth": {"State": state}
                    if state == "healthy"
                    else {"State": state, "Reason": "Target.Timeout"},
                }
                for address, state in self.health.items()
            ]
        }

    def _parameter(self) -> dict[str, Any]:
        if self.image is None:
            raise Refused("ParameterNotFound")
        return {"Parameter": {"Name": "/miyabi/dev/image", "Value": self.image}}
