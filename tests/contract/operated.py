"""An environment to operate: the control plane's API in process, with a service in it, and hands in place of tasks.

No loop runs and no process starts. Whenever an operation waits, `settle` does what ECS would have done by then.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from miyabi.aws.clients import Cloud
from miyabi.environment.config import Environment, load_project
from miyabi.localcloud.control.ecs.tables import EcsTables
from miyabi.localcloud.control.ecs.tasks import new_task
from miyabi.localcloud.control.service import Caller
from miyabi.model.ecs import RolloutState, Service, Task, TaskStatus
from miyabi.operations.execution.executor import PERMISSIONS, Outcome, Settings, execute
from miyabi.operations.registry import find
from tests.contract.control_api import ACCOUNT, REGION, Served

TOML = f"""\
project = "miyabi"
[environments.dev]
account = "{ACCOUNT}"
region = "{REGION}"
terraform = "."
"""
CLUSTER, SERVICE = "miyabi-cluster-dev", "miyabi-service-dev"
TARGET = {
    "ServiceNamespace": "ecs",
    "ResourceId": f"service/{CLUSTER}/{SERVICE}",
    "ScalableDimension": "ecs:service:DesiredCount",
}
ALARM = "miyabi-service-low-tasks-dev"
GROUP = "/miyabi/dev/audit"
TABLE = "miyabi-lock-dev"

Hook = Callable[[str, int], Any]


class HookedCloud(Cloud):
    """Notes the action of every request, and lets a hook do something before it is sent, with its number from 1.

    What the hook returns is the answer; None sends the request.
    """

    hook: Hook | None = None
    dead: frozenset[str] = frozenset()
    """Services that cannot be reached."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.actions: list[str] = []

    def _new_client(self, service: str) -> Any:
        endpoint = self.endpoint
        if service in self.dead:
            self.endpoint = "http://127.0.0.1:1"
        client = super()._new_client(service)
        self.endpoint = endpoint
        prefix = {"elbv2": "elasticloadbalancing"}.get(service, service)

        def send(event_name: str, **_: Any) -> Any:
            self.actions.append(f"{prefix}:{event_name.rpartition('.')[2]}")
            return self.hook(self.actions[-1], len(self.actions)) if self.hook else None

        client.meta.events.register_first("before-send.*.*", send)
        return client


class Operated:
    """An environment with a service of two tasks, autoscaling between 2 and 4, an alarm, a lock table, an audit."""

    def __init__(self, served: Served, root: Path) -> None:
        self.served = served
        self.root = root
        self.clock = datetime.now(UTC).replace(microsecond=0)
        (root / "miyabi.toml").write_text(TOML)
        self.environment: Environment = load_project(root / "miyabi.toml").environment("dev")
        self.ecs = served.client("ecs")
        self.scaling = served.client("application-autoscaling")
        self.cloudwatch = served.client("cloudwatch")
        self.logs = served.client("logs")
        self.dynamodb = served.client("dynamodb")
        self._make()
        self.reset()

    def reset(self) -> None:
        """Make everything as it was at the beginning, but the numbers that only grow."""
        self.clock = datetime.now(UTC).replace(microsecond=0)
        shutil.rmtree(self.root / "audit", ignore_errors=True)
        self.ecs.update_service(cluster=CLUSTER, service=SERVICE, desiredCount=2)
        self.ecs.untag_resource(resourceArn=self.service()["serviceArn"], tagKeys=list(self.tags()))
        self.settle()
        with contextlib.suppress(ClientError):
            self.scaling.deregister_scalable_target(**TARGET)
        self.scaling.register_scalable_target(**TARGET, MinCapacity=2, MaxCapacity=4)
        self.cloudwatch.enable_alarm_actions(AlarmNames=[ALARM])
        with contextlib.suppress(ClientError):
            self.logs.delete_log_group(logGroupName=GROUP)
        self.logs.create_log_group(logGroupName=GROUP)
        with contextlib.suppress(ClientError):
            self.dynamodb.delete_table(TableName=TABLE)
        self.dynamodb.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "lock_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "lock_id", "AttributeType": "S"}],
        )

    def _make(self) -> None:
        ec2 = self.served.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.11.0/24")["Subnet"]["SubnetId"]
        self.ecs.create_cluster(clusterName=CLUSTER)
        self.ecs.register_task_definition(
            family="miyabi-app-dev",
            cpu="256",
            memory="512",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            containerDefinitions=[{"name": "miyabi-app", "image": "x", "essential": True}],
        )
        self.ecs.create_service(
            cluster=CLUSTER,
            serviceName=SERVICE,
            taskDefinition="miyabi-app-dev",
            desiredCount=2,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}},
        )
        self.cloudwatch.put_metric_alarm(
            AlarmName=ALARM,
            Namespace="ECS/ContainerInsights",
            MetricName="RunningTaskCount",
            Statistic="Minimum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=2,
            ComparisonOperator="LessThanThreshold",
        )

    def cloud(self, **options: Any) -> HookedCloud:
        """Return a connection of its own."""
        instance = self.served.instance
        usual = {
            "region": REGION,
            "account": ACCOUNT,
            "endpoint": instance.endpoint,
            "access_key": instance.access_key,
            "secret_key": instance.secret_key,
        }
        return HookedCloud(**usual | options)

    def settings(self, cloud: Cloud | None = None, **options: Any) -> Settings:
        """Return the settings of one caller."""
        usual: dict[str, Any] = {
            "cloud": cloud or self.cloud(),
            "environment": self.environment,
            "account": ACCOUNT,
            "audit_directory": self.root / "audit" / "dev",
            "caller": "ann@desk",
            "sleep": lambda _: self.settle(),
            "now": lambda: self.clock,
        }
        return Settings(**usual | options)

    def run(self, name: str, settings: Settings | None = None, /, **values: object) -> Any:
        """Carry out an operation; every call that it makes must be declared."""
        return self.outcome(name, settings, **values).result

    def outcome(
        self, name: str, settings: Settings | None = None, /, *, dry_run: bool = False, **values: object
    ) -> Outcome:
        """Carry out an operation and return its whole outcome."""
        operation = find(name)
        settings = settings or self.settings()
        try:
            return execute(operation, values, settings, dry_run=dry_run)
        finally:
            declared = {*operation.permissions, *PERMISSIONS, "sts:GetCallerIdentity"}
            assert isinstance(settings.cloud, HookedCloud)
            assert set(settings.cloud.actions) <= declared

    def service(self) -> dict[str, Any]:
        """Describe the service."""
        answer: dict[str, Any] = self.ecs.describe_services(cluster=CLUSTER, services=[SERVICE], include=["TAGS"])
        return answer["services"][0]

    def tags(self) -> dict[str, str]:
        return {tag["key"]: tag["value"] for tag in self.service().get("tags", [])}

    def standing(self) -> dict[str, Any]:
        """Return all that stop, resume and scale may change."""
        (target,) = self.scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
        (alarm,) = self.cloudwatch.describe_alarms(AlarmNames=[ALARM])["MetricAlarms"]
        actions = self.scaling.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]
        return {
            "desired": self.service()["desiredCount"],
            "tags": self.tags(),
            "bounds": (target["MinCapacity"], target["MaxCapacity"]),
            "suspended": target["SuspendedState"],
            "alarm": alarm["ActionsEnabled"],
            "scheduled": [(one["Schedule"], one["ScalableTargetAction"]) for one in actions],
        }

    def lock_item(self) -> dict[str, Any]:
        item: dict[str, Any] = self.dynamodb.get_item(TableName=TABLE, Key={"lock_id": {"S": "miyabi-dev"}}).get(
            "Item", {}
        )
        return item

    def records(self) -> list[str]:
        """Return the messages of the audit, in the order of their arrival."""
        events = self.logs.filter_log_events(logGroupName=GROUP)["events"]
        return [event["message"] for event in events]

    def pass_time(self, time: timedelta) -> None:
        """Let the clock go on, and what is due then run."""
        self.clock += time
        self.on_worker(lambda: self.served.autoscaling.run_due(self.clock))

    def settle(self) -> None:
        """Start and stop tasks until they are those that the service wants, and complete its deployment."""
        self.on_worker(self._settle)

    def _settle(self) -> None:
        tables = self.served.tables
        service = tables.service(REGION, CLUSTER, SERVICE)
        caller = Caller(ACCOUNT, REGION, self.served.instance.access_key, datetime.now(UTC))
        every = tables.service_tasks(REGION, service)
        tasks = [task for task in every if task.started_by == service.primary.id]
        for task in [task for task in every if task not in tasks] + tasks[service.desired_count :]:
            ended = dataclasses.replace(task, last_status=TaskStatus.STOPPED, desired_status=TaskStatus.STOPPED)
            tables.put_task(REGION, ended)
        for _ in range(service.desired_count - len(tasks)):
            tables.put_task(REGION, started(tables, service, caller))
        primary = dataclasses.replace(service.primary, rollout_state=RolloutState.COMPLETED)
        tables.put_service(REGION, dataclasses.replace(service, deployments=[primary], steady=True))

    def on_worker(self, call: Callable[[], Any]) -> None:
        """Run a call where the API's calls run, in a transaction."""

        def inside() -> None:
            with self.served.engine.store.transaction():
                call()

        self.served.engine._worker.submit(inside).result(10)


def started(tables: EcsTables, service: Service, caller: Caller) -> Task:
    """Return a task of the service that runs."""
    deployment = service.primary
    task = new_task(
        tables,
        caller,
        tables.cluster(REGION, CLUSTER),
        tables.definition(REGION, deployment.task_definition),
        group=f"service:{service.name}",
        started_by=deployment.id,
        network_configuration=deployment.network,
        load_balancers=[],
        tags={},
        overrides={},
        exec_enabled=False,
    )
    return dataclasses.replace(task, last_status=TaskStatus.RUNNING, started_at=caller.now)
