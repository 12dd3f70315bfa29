"""What a request needs: its action, the ARNs of what it is about, the roles that it passes."""

from __future__ import annotations

from typing import Any

import pytest

from miyabi.localcloud.control.authorization.accesses import accesses_of
from miyabi.localcloud.control.authorization.operations import rest_operation
from miyabi.localcloud.control.authorization.resources import Place

PLACE = Place("112530848482", "us-west-2")
HERE = "us-west-2:112530848482"
DEFINITION_ROLES = ("arn:aws:iam::112530848482:role/task",)


def needed(service: str, operation: str, params: dict[str, Any]) -> list[str]:
    found = accesses_of(service, operation, params, PLACE, lambda _region, _definition: DEFINITION_ROLES)
    return [f"{access.action} {access.resource}" for access in found]


@pytest.mark.parametrize(
    ("service", "operation", "params", "expected"),
    [
        (
            "ecs",
            "UpdateService",
            {"cluster": "c", "service": "s"},
            [f"ecs:UpdateService arn:aws:ecs:{HERE}:service/c/s"],
        ),
        (
            "ecs",
            "UpdateService",
            {"cluster": f"arn:aws:ecs:{HERE}:cluster/c", "service": "s"},
            [f"ecs:UpdateService arn:aws:ecs:{HERE}:service/c/s"],
        ),
        (
            "ecs",
            "DescribeServices",
            {"cluster": "c", "services": ["a", f"arn:aws:ecs:{HERE}:service/c/b"]},
            [f"ecs:DescribeServices arn:aws:ecs:{HERE}:service/c/{name}" for name in "ab"],
        ),
        ("ecs", "StopTask", {"task": "t"}, [f"ecs:StopTask arn:aws:ecs:{HERE}:task/default/t"]),
        ("ecs", "RegisterTaskDefinition", {"family": "f"}, ["ecs:RegisterTaskDefinition *"]),
        (
            "ecs",
            "RegisterTaskDefinition",
            {"family": "f", "taskRoleArn": "web", "executionRoleArn": "arn:aws:iam::112530848482:role/exec"},
            [
                "ecs:RegisterTaskDefinition *",
                "iam:PassRole arn:aws:iam::112530848482:role/web",
                "iam:PassRole arn:aws:iam::112530848482:role/exec",
            ],
        ),
        (
            "ecs",
            "RunTask",
            {"taskDefinition": "f", "overrides": {"taskRoleArn": "arn:aws:iam::112530848482:role/other"}},
            [
                f"ecs:RunTask arn:aws:ecs:{HERE}:task-definition/f:*",
                "iam:PassRole arn:aws:iam::112530848482:role/other",
                "iam:PassRole arn:aws:iam::112530848482:role/task",
            ],
        ),
        (
            "logs",
            "PutLogEvents",
            {"logGroupName": "/g", "logStreamName": "s"},
            [f"logs:PutLogEvents arn:aws:logs:{HERE}:log-group:/g:log-stream:s"],
        ),
        (
            "logs",
            "FilterLogEvents",
            {"logGroupIdentifier": f"arn:aws:logs:{HERE}:log-group:/g"},
            [f"logs:FilterLogEvents arn:aws:logs:{HERE}:log-group:/g:log-stream:"],
        ),
        ("rds", "DescribeDBInstances", {}, [f"rds:DescribeDBInstances arn:aws:rds:{HERE}:db:*"]),
        ("rds", "StopDBInstance", {"DBInstanceIdentifier": "d"}, [f"rds:StopDBInstance arn:aws:rds:{HERE}:db:d"]),
        (
            "elasticache",
            "RebootCacheCluster",
            {"CacheClusterId": "c"},
            [f"elasticache:RebootCacheCluster arn:aws:elasticache:{HERE}:cluster:c"],
        ),
        ("elasticloadbalancing", "DescribeTargetHealth", {}, ["elasticloadbalancing:DescribeTargetHealth *"]),
        (
            "elasticloadbalancing",
            "DeregisterTargets",
            {"TargetGroupArn": "arn:aws:elasticloadbalancing:r:a:targetgroup/t/1"},
            ["elasticloadbalancing:DeregisterTargets arn:aws:elasticloadbalancing:r:a:targetgroup/t/1"],
        ),
        ("ecr", "GetAuthorizationToken", {}, ["ecr:GetAuthorizationToken *"]),
        ("ecr", "PutImage", {"repositoryName": "r"}, [f"ecr:PutImage arn:aws:ecr:{HERE}:repository/r"]),
        (
            "ssm",
            "GetParameters",
            {"Names": ["/a/b", "c:3"]},
            [f"ssm:GetParameters arn:aws:ssm:{HERE}:parameter/{name}" for name in ("a/b", "c")],
        ),
        ("s3", "ListObjectsV2", {"Bucket": "b"}, ["s3:ListBucket arn:aws:s3:::b"]),
        ("s3", "HeadObject", {"Bucket": "b", "Key": "k/x"}, ["s3:GetObject arn:aws:s3:::b/k/x"]),
        ("s3", "GetObject", {"Bucket": "b", "Key": "k", "versionId": "1"}, ["s3:GetObjectVersion arn:aws:s3:::b/k"]),
        ("s3", "DeleteObjects", {"Bucket": "b", "Keys": ["x"]}, ["s3:DeleteObject arn:aws:s3:::b/x"]),
        (
            "s3",
            "CopyObject",
            {"Bucket": "b", "Key": "k", "x-amz-copy-source": "/a/s"},
            ["s3:PutObject arn:aws:s3:::b/k", "s3:GetObject arn:aws:s3:::a/s"],
        ),
        (
            "dynamodb",
            "Query",
            {"TableName": "t", "IndexName": "i"},
            [f"dynamodb:Query arn:aws:dynamodb:{HERE}:table/t{tail}" for tail in ("", "/index/i")],
        ),
        (
            "dynamodb",
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"TableName": "t"}}, {"Delete": {"TableName": "u"}}]},
            [
                f"dynamodb:PutItem arn:aws:dynamodb:{HERE}:table/t",
                f"dynamodb:DeleteItem arn:aws:dynamodb:{HERE}:table/u",
            ],
        ),
        ("sns", "Publish", {"TopicArn": f"arn:aws:sns:{HERE}:t"}, [f"sns:Publish arn:aws:sns:{HERE}:t"]),
        (
            "sqs",
            "SendMessageBatch",
            {"QueueUrl": "http://127.0.0.1:4566/112530848482/q"},
            [f"sqs:SendMessage arn:aws:sqs:{HERE}:q"],
        ),
        ("monitoring", "PutMetricData", {"Namespace": "n"}, ["cloudwatch:PutMetricData *"]),
        (
            "monitoring",
            "SetAlarmState",
            {"AlarmName": "a"},
            [f"cloudwatch:SetAlarmState arn:aws:cloudwatch:{HERE}:alarm:a"],
        ),
        (
            "monitoring",
            "PutAlarmMuteRule",
            {"Name": "r", "MuteTargets": {"AlarmNames": ["a", "b"]}},
            [
                f"cloudwatch:PutAlarmMuteRule arn:aws:cloudwatch:{HERE}:{resource}"
                for resource in ("alarm-mute-rule:r", "alarm:a", "alarm:b")
            ],
        ),
        (
            "monitoring",
            "GetAlarmMuteRule",
            {"AlarmMuteRuleName": "r"},
            [f"cloudwatch:GetAlarmMuteRule arn:aws:cloudwatch:{HERE}:alarm-mute-rule:r"],
        ),
        ("monitoring", "ListAlarmMuteRules", {}, ["cloudwatch:ListAlarmMuteRules *"]),
        (
            "budgets",
            "DescribeBudget",
            {"BudgetName": "b"},
            ["budgets:ViewBudget arn:aws:budgets::112530848482:budget/b"],
        ),
        ("kms", "Decrypt", {"KeyId": "k"}, [f"kms:Decrypt arn:aws:kms:{HERE}:key/k"]),
        (
            "application-autoscaling",
            "DescribeScalableTargets",
            {},
            ["application-autoscaling:DescribeScalableTargets *"],
        ),
        ("ec2", "DescribeVpcs", {}, ["ec2:DescribeVpcs *"]),
        ("tagging", "GetResources", {}, ["tag:GetResources *"]),
    ],
)
def test_a_request_needs(service: str, operation: str, params: dict[str, Any], expected: list[str]) -> None:
    assert needed(service, operation, params) == expected


def test_a_passed_role_says_to_whom() -> None:
    params = {"family": "f", "taskRoleArn": "arn:aws:iam::1:role/r"}
    *_, passed = accesses_of("ecs", "RegisterTaskDefinition", params, PLACE, lambda _region, _definition: ())
    assert passed.context["iam:passedtoservice"] == ("ecs-tasks.amazonaws.com",)


def test_tags_and_the_cluster_are_condition_keys() -> None:
    params = {"cluster": "c", "service": "s", "tags": [{"key": "Team", "value": "web"}]}
    (access,) = accesses_of("ecs", "UpdateService", params, PLACE, lambda _region, _definition: ())
    assert access.context["aws:requesttag/team"] == ("web",)
    assert access.context["aws:tagkeys"] == ("Team",)
    assert access.context["ecs:cluster"] == (f"arn:aws:ecs:{HERE}:cluster/c",)


@pytest.mark.parametrize(
    ("method", "target", "headers", "operation", "params"),
    [
        ("GET", "/", {}, "ListBuckets", {}),
        ("GET", "/b", {}, "ListObjects", {"Bucket": "b"}),
        ("GET", "/b?list-type=2&prefix=x", {}, "ListObjectsV2", {"Bucket": "b", "prefix": "x"}),
        ("GET", "/b?versioning", {}, "GetBucketVersioning", {"Bucket": "b"}),
        ("GET", "/b/k/with/slashes", {}, "GetObject", {"Bucket": "b", "Key": "k/with/slashes"}),
        ("GET", "/b/k%20x", {}, "GetObject", {"Bucket": "b", "Key": "k x"}),
        ("GET", "/b%2Fk", {}, "GetObject", {"Bucket": "b", "Key": "k"}),
        ("GET", "/b/k%2520", {}, "GetObject", {"Bucket": "b", "Key": "k%20"}),
        ("HEAD", "/b/k", {}, "HeadObject", {"Bucket": "b", "Key": "k"}),
        ("PUT", "/b/k", {}, "PutObject", {"Bucket": "b", "Key": "k"}),
        ("PUT", "/b/k", {"x-amz-copy-source": "/a/b"}, "CopyObject", {"Bucket": "b", "Key": "k"}),
        ("PUT", "/b/k?partNumber=1&uploadId=u", {}, "UploadPart", {"Bucket": "b", "partNumber": "1"}),
        ("POST", "/b?delete", {}, "DeleteObjects", {"Bucket": "b"}),
        ("POST", "/b/k?uploads", {}, "CreateMultipartUpload", {"Key": "k"}),
        ("PATCH", "/b/k", {}, "", {}),
    ],
)
def test_a_rest_request_is_its_method_path_query_and_headers(
    method: str, target: str, headers: dict[str, str], operation: str, params: dict[str, str]
) -> None:
    found, given = rest_operation("s3", method, target, headers)
    assert found == operation
    assert params.items() <= given.items()
