"""A service of real tasks behind a real load balancer that scales by itself, for the tests.

Its tasks burn the CPU that a request asks for, and are held to a quarter of a vCPU each.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from miyabi.aws.clients import Cloud
from miyabi.environment.home import Home, Instance
from miyabi.localcloud import lifecycle
from miyabi.operations.images import build_image, push_image

ACCOUNT, REGION = "112530848482", "us-west-2"
CLUSTER, SERVICE = "shop", "web"
RESOURCE = f"service/{CLUSTER}/{SERVICE}"
TARGET = {"ServiceNamespace": "ecs", "ResourceId": RESOURCE, "ScalableDimension": "ecs:service:DesiredCount"}
CPU = "ECSServiceAverageCPUUtilization"
MANIFEST = """
base = "python:3.11-slim"
command = ["python3", "app.py"]
listen_address_variable = "HOST"
[files]
"app.py" = "app.py"
"""
APP = """
import http.server, os, threading, time
one_at_a_time = threading.Lock()  # so that its health check is answered however many requests wait
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path.startswith("/burn/"):
            with one_at_a_time:
                until = time.thread_time() + float(self.path[6:]) / 1000
                while time.thread_time() < until: pass
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *args): pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 500
    daemon_threads = True
Server((os.environ["HOST"], 8080), Handler).serve_forever()
"""


@dataclass
class Scaled:
    """The service."""

    home: Home
    instance: Instance
    url: str
    balancer: str
    """What the load balancer's metrics are under."""

    def client(self, service: str) -> Any:
        return client(self.instance, service)

    @property
    def speed(self) -> int:
        return self.instance.clock_speed

    def policy(self, target_percent: float, metric: str = CPU) -> None:
        """Keep the average CPU at a target, with the runbook's cooldowns."""
        self.client("application-autoscaling").put_scaling_policy(
            **TARGET,
            PolicyName="cpu",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": target_percent,
                "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
                "ScaleOutCooldown": 60,
                "ScaleInCooldown": 300,
            },
        )

    def activities(self) -> list[dict[str, Any]]:
        """Return what scaling did, oldest first, without what the registration did."""
        found = self.client("application-autoscaling").describe_scaling_activities(
            ServiceNamespace="ecs", ResourceId=RESOURCE
        )["ScalingActivities"]
        return [one for one in reversed(found) if "monitor alarm" in one["Cause"]]

    def counts(self) -> list[tuple[int, str]]:
        """Return to how many tasks it scaled, and by which of the two alarms."""
        return [
            (int("".join(filter(str.isdigit, one["Description"]))), "High" if "AlarmHigh" in one["Cause"] else "Low")
            for one in self.activities()
        ]

    def service(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client("ecs").describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
        return found

    def alarm(self, side: str) -> dict[str, Any]:
        found = self.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"TargetTracking-{RESOURCE}-Alarm{side}")
        alarm: dict[str, Any] = found["MetricAlarms"][0]
        return alarm

    def until(self, condition: Callable[[], Any], *, minutes: float, what: str) -> Any:
        """Wait until something is so: minutes of the control loops, and half a minute more."""
        deadline = time.monotonic() + minutes * 60 / self.speed + 30
        while not (found := condition()):
            assert time.monotonic() < deadline, (
                f"waited in vain: {what}; {self.counts()}, {self.service()['events'][:3]}"
            )
            time.sleep(0.2)
        return found

    def metric(self, namespace: str, name: str, statistic: str = "Average", **dimensions: str) -> dict[datetime, float]:
        """Return the last hour's minutes."""
        now = datetime.now(UTC)
        points = self.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(minutes=1),
            Period=60,
            Statistics=[statistic],
        )["Datapoints"]
        return {point["Timestamp"]: point[statistic] for point in points}


def client(instance: Instance, service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=instance.endpoint,
        region_name=REGION,
        aws_access_key_id=instance.access_key,
        aws_secret_access_key=instance.secret_key,
        config=Config(proxies={}, retries={"mode": "standard"}),
    )


@contextlib.contextmanager
def scaled(root: Path, *, speed: int, block: int) -> Iterator[Scaled]:
    """Start a local cloud with the service on two tasks; end it."""
    home = Home(root / "home")
    home.create()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    instance = Instance(3, f"5ca1ed{speed:02d}", block, port, ACCOUNT, REGION, "AKIATESTTESTTESTTEST", "secret", speed)
    home.write_instance(instance)
    try:
        lifecycle.start(home)
        yield _with_service(home, instance, root)
    finally:
        lifecycle.stop(home, deadline_seconds=10)


def _with_service(home: Home, instance: Instance, root: Path) -> Scaled:
    _push(instance, root)
    ec2, elb, ecs, iam = (client(instance, name) for name in ("ec2", "elbv2", "ecs", "iam"))
    trust = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",'
    trust += ' "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]}'
    role = iam.create_role(RoleName="execution", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    allowed = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["ecr:*", "logs:*"], "Resource": "*"}]}'
    )
    iam.put_role_policy(RoleName="execution", PolicyName="p", PolicyDocument=allowed)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{net}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
            "SubnetId"
        ]
        for net, zone in ((1, "a"), (2, "b"))
    ]
    balancer = elb.create_load_balancer(Name="web", Subnets=subnets)["LoadBalancers"][0]
    group = elb.create_target_group(
        Name="web", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip", HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=4, UnhealthyThresholdCount=10, HealthCheckPath="/health",
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "5"}
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[delay])
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=8000, DefaultActions=forward)
    ecs.create_cluster(clusterName=CLUSTER)
    definition = ecs.register_task_definition(
        family="web", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        containerDefinitions=[{
            "name": "app",
            "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/web:v1",
            "portMappings": [{"containerPort": 8080}],
        }], executionRoleArn=role,
    )["taskDefinition"]["taskDefinitionArn"]  # fmt: skip
    ecs.create_service(
        cluster=CLUSTER,
        serviceName=SERVICE,
        taskDefinition=definition,
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets}},
        loadBalancers=[{"targetGroupArn": group, "containerName": "app", "containerPort": 8080}],
    )
    client(instance, "application-autoscaling").register_scalable_target(**TARGET, MinCapacity=2, MaxCapacity=4)
    url = f"http://{balancer['DNSName'].partition(':')[0]}:8000"
    made = Scaled(home, instance, url, balancer["LoadBalancerArn"].partition("loadbalancer/")[2])
    made.until(lambda: made.service()["runningCount"] == 2 and _steady(made.service()), minutes=0, what="two tasks")
    return made


def _steady(service: dict[str, Any]) -> bool:
    return any("has reached a steady state" in event["message"] for event in service["events"])


def _push(instance: Instance, root: Path) -> None:
    directory = root / "image"
    directory.mkdir()
    (directory / "app.py").write_text(APP)
    (directory / "image.toml").write_text(MANIFEST)
    client(instance, "ecr").create_repository(repositoryName="web")
    cloud = Cloud(
        region=REGION,
        account=ACCOUNT,
        endpoint=instance.endpoint,
        access_key=instance.access_key,
        secret_key=instance.secret_key,
    )
    push_image(cloud, build_image(directory / "image.toml"), "web", "v1")
