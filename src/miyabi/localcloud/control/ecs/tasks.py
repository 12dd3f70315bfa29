"""ECS's operations on tasks, and how a task's row is made."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from miyabi.localcloud.control import network
from miyabi.localcloud.control.ecs.base import EcsPart, invalid, page, tags_in, tags_out
from miyabi.localcloud.control.ecs.definitions import sizes_in
from miyabi.localcloud.control.ecs.service_checks import check_active
from miyabi.localcloud.control.ecs.tables import EcsTables, arn, last_part, new_id
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result
from miyabi.model.ecs import Cluster, Container, Json, Task, TaskDefinition, TaskStatus
from miyabi.policy.placement import Place, place_task


class Tasks(EcsPart):
    """Run, stop, describe and list tasks."""

    def run_task(self, caller: Caller, params: Params) -> Result:
        """Start tasks that no service keeps."""
        cluster = self.tables.cluster(caller.region, params.get("cluster"))
        count = 1 if params.get("count") is None else params["count"]
        if not 1 <= count <= 10:
            raise invalid("Count must be between 1 and 10.")
        if (params.get("launchType") or "FARGATE") != "FARGATE":
            raise ApiError("UnsupportedFeatureException", "The local cloud offers the launch type FARGATE only.")
        if (params.get("group") or "").startswith("service:"):
            raise invalid("The group prefix service: is reserved for the tasks of services.")
        definition = check_active(self.tables.definition(caller.region, params["taskDefinition"]))
        configuration = params.get("networkConfiguration") or {}
        self.check_network(caller, configuration)
        overrides = _overrides(params.get("overrides") or {}, definition)
        tasks = [
            new_task(
                self.tables,
                caller,
                cluster,
                definition,
                group=params.get("group") or f"family:{definition.family}",
                started_by=params.get("startedBy") or "",
                network_configuration=configuration,
                load_balancers=[],
                tags=tags_in(params),
                overrides=overrides,
                exec_enabled=bool(params.get("enableExecuteCommand")),
            )
            for _ in range(count)
        ]
        return {"tasks": [task_shape(task, []) for task in tasks], "failures": []}

    def stop_task(self, caller: Caller, params: Params) -> Result:
        """Stop a task; its service starts another."""
        found = self.tables.task(caller.region, params.get("cluster"), params["task"])
        if found is None:
            raise invalid("The referenced task was not found.")
        stopped = stop(found, params.get("reason") or "Task stopped by user", "UserInitiated", now=caller.now)
        self.tables.put_task(caller.region, stopped)
        return {"task": task_shape(stopped, [])}

    def describe_tasks(self, caller: Caller, params: Params) -> Result:
        """Describe the named tasks; unknown ones are `failures`."""
        cluster = self.tables.cluster(caller.region, params.get("cluster"))
        tasks, failures = [], []
        for name in params["tasks"]:
            found = self.tables.task(caller.region, cluster.name, name)
            if found is None:
                failures.append({"arn": arn(caller, f"task/{cluster.name}/{last_part(name)}"), "reason": "MISSING"})
            else:
                tasks.append(task_shape(found, params.get("include") or []))
        return {"tasks": tasks, "failures": failures}

    def list_tasks(self, caller: Caller, params: Params) -> Result:
        """List task ARNs by service, family and desired status (default RUNNING), newest first."""
        cluster = self.tables.cluster(caller.region, params.get("cluster"))
        service, family = params.get("serviceName"), params.get("family")
        if service is not None:
            self.tables.service(caller.region, cluster.name, service)
        desired = params.get("desiredStatus") or "RUNNING"
        rows = [
            row
            for row in self.tables.tasks.list(caller.region, prefix=f"{cluster.name}/")
            if row.desired_status == desired
            and (service is None or row.service_name == last_part(service))
            and (family is None or last_part(row.task_definition).partition(":")[0] == family)
            and params.get("startedBy") in {None, row.started_by}
        ]
        rows.sort(key=lambda row: row.created_at, reverse=True)
        arns, token = page([row.arn for row in rows], params)
        return {"taskArns": arns, **({"nextToken": token} if token else {})}

    def list_container_instances(self, caller: Caller, params: Params) -> Result:
        """List none: every task runs on Fargate."""
        self.tables.cluster(caller.region, params.get("cluster"))
        return {"containerInstanceArns": []}


def _overrides(given: Params, definition: TaskDefinition) -> Params:
    """Return a request's overrides; refuse those of containers that there are not."""
    names = {container["name"] for container in definition.definition["containerDefinitions"]}
    for entry in given.get("containerOverrides") or []:
        if entry.get("name") not in names:
            raise invalid(f"Override for container named {entry.get('name')} is not a container in the TaskDefinition.")
    return {**given, **sizes_in(given)}


def stop(task: Task, reason: str, code: str, *, now: datetime) -> Task:
    """Return the task with the wish that it stops; the first reason stays."""
    if task.desired_status is TaskStatus.STOPPED:
        return task
    return dataclasses.replace(
        task,
        desired_status=TaskStatus.STOPPED,
        stopped_reason=reason,
        stop_code=code,
        stopping_at=now,
        version=task.version + 1,
    )


def new_task(
    tables: EcsTables,
    caller: Caller,
    cluster: Cluster,
    definition: TaskDefinition,
    *,
    group: str,
    started_by: str,
    network_configuration: Json,
    load_balancers: list[Json],
    tags: dict[str, str],
    overrides: Json,
    exec_enabled: bool,
) -> Task:
    """Place a task, keep its row and return it."""
    given = network_configuration.get("awsvpcConfiguration") or {}
    if not given.get("subnets"):
        raise invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    subnets = {found: network.subnet(caller.account, caller.region, found) for found in given["subnets"]}
    taken = [
        Place(row.subnet_id, row.zone)
        for row in tables.tasks.list(caller.region, prefix=f"{cluster.name}/")
        if row.group == group
        and row.desired_status is TaskStatus.RUNNING
        and (not started_by.startswith("ecs-svc/") or row.started_by == started_by)
    ]
    place = place_task([Place(found.subnet_id, found.zone) for found in subnets.values()], taken)
    task_id = new_id()
    override = {item["name"]: item for item in overrides.get("containerOverrides") or []}
    task = Task(
        id=task_id,
        arn=arn(caller, f"task/{cluster.name}/{task_id}"),
        cluster_arn=cluster.arn,
        cluster_name=cluster.name,
        task_definition=definition.arn,
        group=group,
        started_by=started_by,
        zone=place.zone,
        subnet_id=place.subnet_id,
        cidr=subnets[place.subnet_id].cidr,
        cpu=str(overrides.get("cpu") or definition.definition.get("cpu") or "256"),
        memory=str(overrides.get("memory") or definition.definition.get("memory") or "512"),
        created_at=caller.now,
        containers=[
            Container(
                name=container["name"],
                image=container["image"],
                essential=container["essential"],
                runtime_id=f"{task_id}-{new_id(5)}",
            )
            for container in definition.definition["containerDefinitions"]
        ],
        load_balancers=load_balancers,
        network=network_configuration,
        platform_version="1.4.0",
        interface_id=f"eni-{new_id(8)}1"[:21],
        attachment_id=f"{new_id(4)}-{new_id(2)}-{new_id(2)}-{new_id(2)}-{new_id(6)}",
        secret=new_id(24),
        tags=tags,
        overrides={"containerOverrides": list(override.values())},
        enable_execute_command=exec_enabled,
    )
    tables.put_task(caller.region, task)
    return task


def task_shape(task: Task, include: list[str]) -> Result:
    """Return the task in the shape of DescribeTasks."""
    times = {
        "pullStartedAt": task.pull_started_at,
        "pullStoppedAt": task.pull_stopped_at,
        "startedAt": task.started_at,
        "stoppingAt": task.stopping_at,
        "executionStoppedAt": task.execution_stopped_at,
        "stoppedAt": task.stopped_at,
        "stopCode": task.stop_code,
        "stoppedReason": task.stopped_reason,
        "connectivityAt": task.pull_started_at,
    }
    return {
        "taskArn": task.arn,
        "clusterArn": task.cluster_arn,
        "taskDefinitionArn": task.task_definition,
        "group": task.group,
        "startedBy": task.started_by,
        "lastStatus": task.last_status,
        "desiredStatus": task.desired_status,
        "launchType": "FARGATE",
        "platformVersion": task.platform_version,
        "platformFamily": "Linux",
        "availabilityZone": task.zone,
        "cpu": task.cpu,
        "memory": task.memory,
        "version": task.version,
        "connectivity": "CONNECTED",
        "createdAt": task.created_at,
        "enableExecuteCommand": task.enable_execute_command,
        "healthStatus": "UNKNOWN",
        "overrides": task.overrides,
        "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
        "attachments": [_attachment(task)],
        "containers": [_container(task, container) for container in task.containers],
        "ephemeralStorage": {"sizeInGiB": 20},
        "tags": tags_out(task.tags) if "TAGS" in include else [],
        **{name: value for name, value in times.items() if value is not None},
    }


def _attachment(task: Task) -> Result:
    details = [
        {"name": "subnetId", "value": task.subnet_id},
        {"name": "networkInterfaceId", "value": task.interface_id},
    ]
    if task.address is not None:
        details.append({"name": "privateIPv4Address", "value": task.address})
    ended = task.last_status is TaskStatus.STOPPED
    status = "DELETED" if ended else "ATTACHED" if task.address else "PRECREATED"
    return {"id": task.attachment_id, "type": "ElasticNetworkInterface", "status": status, "details": details}


def _container(task: Task, container: Container) -> Result:
    interface = {"attachmentId": task.attachment_id, "privateIpv4Address": task.address or ""}
    optional = {
        "imageDigest": container.image_digest,
        "exitCode": container.exit_code,
        "reason": container.reason,
    }
    return {
        "containerArn": task.arn.replace(":task/", ":container/") + f"/{container.runtime_id}",
        "taskArn": task.arn,
        "name": container.name,
        "image": container.image,
        "runtimeId": container.runtime_id,
        "lastStatus": container.last_status,
        "networkBindings": [],
        "networkInterfaces": [interface] if task.address else [],
        "healthStatus": "UNKNOWN",
        "cpu": "0",
        **{name: value for name, value in optional.items() if value is not None},
    }
