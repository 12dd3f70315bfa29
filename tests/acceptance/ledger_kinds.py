"""Kinds of resources for a ledger: made, read back and deleted, of stock moto and of the live services."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Protocol

Clients = Callable[[str], Any]
"""The name of a service → a client of boto3."""
LOG_GROUP = "/ledger/events"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


class Kind(Protocol):
    """One kind of resource."""

    def create(self, aws: Clients, name: str) -> None:
        """Make it; a return is the acknowledgement."""

    def read(self, aws: Clients, name: str) -> dict[str, Any] | None:
        """Return what must not change, or None where it is not there."""

    def delete(self, aws: Clients, name: str) -> None:
        """Remove it."""


class Parameter:
    """SSM: stock moto, rebuilt from the journal."""

    def create(self, aws: Clients, name: str) -> None:
        aws("ssm").put_parameter(Name=f"/ledger/{name}", Value=name, Type="String")

    def read(self, aws: Clients, name: str) -> dict[str, Any] | None:
        found = aws("ssm").get_parameters(Names=[f"/ledger/{name}"])["Parameters"]
        return picked(found, "Value", "Version", "LastModifiedDate", "ARN")

    def delete(self, aws: Clients, name: str) -> None:
        aws("ssm").delete_parameter(Name=f"/ledger/{name}")


class Role:
    """IAM: stock moto, with an id made from dice."""

    def create(self, aws: Clients, name: str) -> None:
        aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)

    def read(self, aws: Clients, name: str) -> dict[str, Any] | None:
        try:
            return picked([aws("iam").get_role(RoleName=name)["Role"]], "RoleId", "Arn", "CreateDate")
        except aws("iam").exceptions.NoSuchEntityException:
            return None

    def delete(self, aws: Clients, name: str) -> None:
        aws("iam").delete_role(RoleName=name)


class Secret:
    """Secrets Manager: stock moto, with dice in the ARN."""

    def create(self, aws: Clients, name: str) -> None:
        aws("secretsmanager").create_secret(Name=name, SecretString=name)

    def read(self, aws: Clients, name: str) -> dict[str, Any] | None:
        try:
            found = aws("secretsmanager").describe_secret(SecretId=name)
            value = aws("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
        except aws("secretsmanager").exceptions.ResourceNotFoundException:
            return None
        return picked([{**found, "value": value}], "ARN", "CreatedDate", "VersionIdsToStages", "value")

    def delete(self, aws: Clients, name: str) -> None:
        aws("secretsmanager").delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


class Queue:
    """SQS: stock moto."""

    def create(self, aws: Clients, name: str) -> None:
        aws("sqs").create_queue(QueueName=name)

    def read(self, aws: Clients, name: str) -> dict[str, Any] | None:
        try:
            url = aws("sqs").get_queue_url(QueueName=name)["QueueUrl"]
        except aws("sqs").exceptions.QueueDoesNotExist:
            return None
        found = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["CreatedTimestamp", "QueueArn"])
        return {"url": url, **found["Attributes"]}

    def delete(self, aws: Clients, name: str) -> None:
        aws("sqs").delete_queue(QueueUrl=aws("sqs").get_queue_url(QueueName=name)["QueueUrl"])


class LogGroup:
    """CloudWatch Logs: live."""

    def create(self, aws: Clients, name: str) -> None:
        aws("logs").create_log_group(logGroupName=f"/ledger/{name}")

    def read(self, aws: Clients, name: str) -> dict[str, Any] | None:
        found = aws("logs").describe_log_groups(logGroupNamePrefix=f"/ledger/{name}")["logGroups"]
        return picked([one for one in found if one["logGroupName"] == f"/ledger/{name}"], "arn", "creationTime")

    def delete(self, aws: Clients, name: str) -> None:
        aws("logs").delete_log_group(logGroupName=f"/ledger/{name}")


class LogEvent:
    """An event of CloudWatch Logs in a stream of its own: live, in a file of its own."""

    def create(self, aws: Clients, name: str) -> None:
        aws("logs").create_log_stream(logGroupName=LOG_GROUP, logStreamName=name)
        event = {"timestamp": int(time.time() * 1000), "message": name}
        aws("logs").put_log_events(logGroupName=LOG_GROUP, logStreamName=name, logEvents=[event])

    def read(self, aws: Clients, name: str) -> dict[str, Any] | None:
        try:
            found = aws("logs").get_log_events(logGroupName=LOG_GROUP, logStreamName=name, startFromHead=True)
        except aws("logs").exceptions.ResourceNotFoundException:
            return None
        return picked(found["events"], "timestamp", "message", "ingestionTime")

    def delete(self, aws: Clients, name: str) -> None:
        aws("logs").delete_log_stream(logGroupName=LOG_GROUP, logStreamName=name)


class TargetGroup:
    """Elastic Load Balancing: live, with dice in the ARN."""

    def create(self, aws: Clients, name: str) -> None:
        vpc = aws("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
        aws("elbv2").create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")

    def read(self, aws: Clients, name: str) -> dict[str, Any] | None:
        try:
            return picked(aws("elbv2").describe_target_groups(Names=[name])["TargetGroups"], "TargetGroupArn", "VpcId")
        except aws("elbv2").exceptions.TargetGroupNotFoundException:
            return None

    def delete(self, aws: Clients, name: str) -> None:
        found = self.read(aws, name)
        if found is not None:
            aws("elbv2").delete_target_group(TargetGroupArn=found["TargetGroupArn"])


class Cluster:
    """ECS: live."""

    def create(self, aws: Clients, name: str) -> None:
        aws("ecs").create_cluster(clusterName=name)

    def read(self, aws: Clients, name: str) -> dict[str, Any] | None:
        found = aws("ecs").describe_clusters(clusters=[name])["clusters"]
        return picked([one for one in found if one["status"] == "ACTIVE"], "clusterArn")

    def delete(self, aws: Clients, name: str) -> None:
        aws("ecs").delete_cluster(cluster=name)


KINDS: tuple[Kind, ...] = (
    Parameter(),
    Role(),
    Secret(),
    Queue(),
    LogGroup(),
    LogEvent(),
    TargetGroup(),
    Cluster(),
)


def picked(found: list[dict[str, Any]], *names: str) -> dict[str, Any] | None:
    """Return these fields of the one that was found; None where there is none; more than one is an error."""
    assert len(found) <= 1, found
    return {name: found[0].get(name) for name in names} if found else None
