"""How an item of the inventory is written down, and the forms that several items share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REGION = "us-west-2"
ZONES = ("us-west-2a", "us-west-2b")
CLUSTER, SERVICE = "miyabi-cluster-dev", "miyabi-service-dev"
SCALED = {"ServiceNamespace": "ecs", "ResourceIds": [f"service/{CLUSTER}/{SERVICE}"]}
OF_SERVICE = {"ServiceNamespace": "ecs", "ResourceId": f"service/{CLUSTER}/{SERVICE}"}


@dataclass(frozen=True)
class Ref:
    """The id of another item."""

    name: str


@dataclass(frozen=True)
class Item:
    """A resource as AWS's API shows it."""

    table: str
    name: str
    address: str
    """In Terraform's state."""
    call: tuple[str, str, Mapping[str, Any]]
    """Client, operation, parameters."""
    found: str
    """JMESPath to a list with just this resource."""
    identity: str = "@"
    """JMESPath from the resource to what others refer to it by."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """JMESPath from the resource to the value that must be there; a set: in any order."""


def by_tag(operation: str, name: str) -> tuple[str, str, Mapping[str, Any]]:
    """Describe what has this Name tag."""
    filters = "Filter" if operation == "describe_nat_gateways" else "Filters"
    states = [{"Name": "state", "Values": ["available"]}] if filters == "Filter" else []
    return "ec2", operation, {filters: [{"Name": "tag:Name", "Values": [name]}, *states]}


def subnet(kind: str, zone: str, cidr: str) -> Item:
    name = f"miyabi-{kind}-{zone}-dev"
    return Item(
        "network",
        name,
        f'module.network.aws_subnet.{kind}["{zone}"]',
        by_tag("describe_subnets", name),
        "Subnets",
        "SubnetId",
        {"CidrBlock": cidr, "AvailabilityZone": zone, "VpcId": Ref("miyabi-vpc-dev")},
    )


def route_table(kind: str, target: str, gateway: Ref) -> Item:
    name = f"miyabi-{kind}-rt-dev"
    return Item(
        "network",
        name,
        f"module.network.aws_route_table.{kind}",
        by_tag("describe_route_tables", name),
        "RouteTables",
        "RouteTableId",
        {
            f"Routes[?DestinationCidrBlock=='0.0.0.0/0'].{target}": [gateway],
            "Associations[].SubnetId": {Ref(f"miyabi-{kind}-{zone}-dev") for zone in ZONES},
            "VpcId": Ref("miyabi-vpc-dev"),
        },
    )


def security_group(kind: str, port: int, source: Mapping[str, Any], *, egress: int) -> Item:
    name = f"miyabi-{kind}-sg-dev"
    return Item(
        "security",
        name,
        f"module.security_groups.aws_security_group.{kind}",
        ("ec2", "describe_security_groups", {"Filters": [{"Name": "group-name", "Values": [name]}]}),
        "SecurityGroups",
        "GroupId",
        {
            "IpPermissions[].[IpProtocol, FromPort, ToPort]": [["tcp", port, port]],
            **source,
            "length(IpPermissionsEgress)": egress,
            "VpcId": Ref("miyabi-vpc-dev"),
        },
    )


def role(kind: str, attached: list[str], inline: str) -> list[Item]:
    name, address = f"miyabi-ecs-{kind}-role-dev", f"module.roles.aws_iam_role.{kind}"
    given = {"RoleName": name}
    managed = "module.roles.aws_iam_role_policy_attachment.execution" if attached else ""
    return [
        Item("iam", name, address, ("iam", "get_role", given), "[Role]", "Arn"),
        Item(
            "iam", f"{name} attached", managed, ("iam", "list_attached_role_policies", given),
            "[AttachedPolicies]", settings={"[].PolicyName": attached},
        ),
        Item(
            "iam", f"{name} inline", f"module.roles.aws_iam_role_policy.{kind}_{inline}",
            ("iam", "list_role_policies", given), "[PolicyNames]", settings={"@": [inline]},
        ),
    ]  # fmt: skip


def scaling_policy(kind: str, metric: str, target: float) -> Item:
    name = f"miyabi-{kind}-autoscaling-dev"
    tracking = "TargetTrackingScalingPolicyConfiguration"
    return Item(
        "compute",
        name,
        f'module.scaling.aws_appautoscaling_policy.this["{kind}"]',
        ("application-autoscaling", "describe_scaling_policies", {**OF_SERVICE, "PolicyNames": [name]}),
        "ScalingPolicies",
        "PolicyARN",
        {
            "PolicyType": "TargetTrackingScaling",
            f"{tracking}.TargetValue": target,
            f"{tracking}.PredefinedMetricSpecification.PredefinedMetricType": metric,
            f"{tracking}.ScaleOutCooldown": 60,
            f"{tracking}.ScaleInCooldown": 300,
        },
    )


def alarm(name: str, address: str, settings: Mapping[str, Any], *, of_service: bool = True) -> Item:
    watched = {
        "Dimensions[?Name=='ServiceName'].Value": [SERVICE],
        "Dimensions[?Name=='ClusterName'].Value": [CLUSTER],
    }
    return Item(
        "monitoring",
        name,
        f"module.alarms.aws_cloudwatch_metric_alarm.{address}",
        ("cloudwatch", "describe_alarms", {"AlarmNames": [name]}),
        "MetricAlarms",
        "AlarmArn",
        {
            **settings,
            **(watched if of_service else {}),
            "AlarmActions": [Ref("miyabi-alerts-dev")],
        },
    )


def log_group(name: str, resource: str, days: int) -> Item:
    return Item(
        "monitoring",
        name,
        f"module.logs.aws_cloudwatch_log_group.{resource}",
        ("logs", "describe_log_groups", {"logGroupNamePrefix": name}),
        "logGroups",
        "logGroupName",
        {"logGroupName": name, "retentionInDays": days},
    )


def secret(key: str) -> Item:
    name = f"miyabi/dev/{key}"
    return Item(
        "secrets",
        name,
        f'module.secrets.aws_secretsmanager_secret.this["{key}"]',
        ("secretsmanager", "describe_secret", {"SecretId": name}),
        "[@]",
        "ARN",
        {"Name": name, "length(values(VersionIdsToStages)[?contains(@, 'AWSCURRENT')])": 1},
    )
