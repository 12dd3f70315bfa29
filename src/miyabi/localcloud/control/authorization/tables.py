"""Templates of resource ARNs: signing name -> operations (`Describe*`: all that begin so) -> templates.

The first entry that names the operation counts. How templates are filled: `resources.py`.
"""

from __future__ import annotations

Templates = dict[str, tuple[str, ...]]

_ECS = "arn:aws:ecs:{region}:{account}:"
_CLUSTER = f"{_ECS}cluster/{{cluster=default}}"
_LB = "arn:aws:elasticloadbalancing:{region}:{account}:"
_LOGS = "arn:aws:logs:{region}:{account}:log-group:"
_GROUP = (f"{_LOGS}{{logGroupName}}:log-stream:", f"{_LOGS}{{logGroupIdentifier}}:log-stream:")
_RDS = "arn:aws:rds:{region}:{account}:"
_CACHE = "arn:aws:elasticache:{region}:{account}:"
_ECR = "arn:aws:ecr:{region}:{account}:repository/"
_SSM = "arn:aws:ssm:{region}:{account}:"
_SQS = "arn:aws:sqs:{region}:{account}:"
_SNS = "arn:aws:sns:{region}:{account}:"
_CW = "arn:aws:cloudwatch:{region}:{account}:"
_TABLE = "arn:aws:dynamodb:{region}:{account}:table/"
_IAM = "arn:aws:iam::{account}:"
_BUCKET, _OBJECT = ("arn:aws:s3:::{Bucket}",), ("arn:aws:s3:::{Bucket}/{Key}",)

_ECS_TEMPLATES: Templates = {
    "CreateService": (f"{_ECS}service/{{cluster=default}}/{{serviceName}}",),
    "DescribeServices": (f"{_ECS}service/{{cluster=default}}/{{services}}",),
    "UpdateService DeleteService ListServiceDeployments": (f"{_ECS}service/{{cluster=default}}/{{service}}",),
    "DescribeTasks": (f"{_ECS}task/{{cluster=default}}/{{tasks}}",),
    "StopTask ExecuteCommand": (f"{_ECS}task/{{cluster=default}}/{{task}}",),
    "RunTask StartTask": (f"{_ECS}task-definition/{{taskDefinition}}",),
    "DeleteTaskDefinitions": (f"{_ECS}task-definition/{{taskDefinitions}}",),
    "DescribeClusters": (f"{_ECS}cluster/{{clusters=default}}",),
    "DeleteCluster UpdateCluster UpdateClusterSettings PutClusterCapacityProviders": (_CLUSTER,),
    "DescribeServiceDeployments": ("{serviceDeploymentArns}",),
    "TagResource UntagResource ListTagsForResource": ("{resourceArn}",),
}
_ELB_TEMPLATES: Templates = {
    "Describe*": (),
    "CreateLoadBalancer": (f"{_LB}loadbalancer/app/{{Name}}/*",),
    "CreateTargetGroup": (f"{_LB}targetgroup/{{Name}}/*",),
    "CreateListener SetSecurityGroups SetSubnets SetIpAddressType DeleteLoadBalancer": ("{LoadBalancerArn}",),
    "ModifyLoadBalancerAttributes": ("{LoadBalancerArn}",),
    "CreateRule ModifyListener DeleteListener ModifyListenerAttributes": ("{ListenerArn}",),
    "AddListenerCertificates RemoveListenerCertificates": ("{ListenerArn}",),
    "ModifyRule DeleteRule": ("{RuleArn}",),
    "SetRulePriorities": ("{RulePriorities.RuleArn}",),
    "RegisterTargets DeregisterTargets DeleteTargetGroup ModifyTargetGroup ModifyTargetGroupAttributes": (
        "{TargetGroupArn}",
    ),
    "AddTags RemoveTags": ("{ResourceArns}",),
}
_LOGS_TEMPLATES: Templates = {
    "CreateLogStream DeleteLogStream GetLogEvents PutLogEvents": (
        f"{_LOGS}{{logGroupName}}:log-stream:{{logStreamName}}",
        f"{_LOGS}{{logGroupIdentifier}}:log-stream:{{logStreamName}}",
    ),
    "DescribeLogGroups": (f"{_LOGS}:log-stream:",),
    "StartQuery": (
        *_GROUP,
        f"{_LOGS}{{logGroupNames}}:log-stream:",
        f"{_LOGS}{{logGroupIdentifiers}}:log-stream:",
    ),
    "TagResource UntagResource ListTagsForResource": ("{resourceArn}",),
    "*": _GROUP,
}
_RDS_TEMPLATES: Templates = {
    "DescribeDBInstances": (f"{_RDS}db:{{DBInstanceIdentifier=*}}",),
    "DescribeDBSubnetGroups": (f"{_RDS}subgrp:{{DBSubnetGroupName=*}}",),
    "DescribeDBParameterGroups": (f"{_RDS}pg:{{DBParameterGroupName=*}}",),
    "DescribeDBSnapshots": (f"{_RDS}snapshot:{{DBSnapshotIdentifier=*}}",),
    "CreateDBInstance": (
        f"{_RDS}db:{{DBInstanceIdentifier}}",
        f"{_RDS}subgrp:{{DBSubnetGroupName}}",
        f"{_RDS}pg:{{DBParameterGroupName}}",
    ),
    "CreateDBSnapshot": (f"{_RDS}db:{{DBInstanceIdentifier}}", f"{_RDS}snapshot:{{DBSnapshotIdentifier}}"),
    "RestoreDBInstanceFromDBSnapshot": (
        f"{_RDS}db:{{DBInstanceIdentifier}}",
        f"{_RDS}snapshot:{{DBSnapshotIdentifier}}",
        f"{_RDS}subgrp:{{DBSubnetGroupName}}",
        f"{_RDS}pg:{{DBParameterGroupName}}",
    ),
    "RestoreDBInstanceToPointInTime": (
        f"{_RDS}db:{{SourceDBInstanceIdentifier}}",
        f"{_RDS}db:{{TargetDBInstanceIdentifier}}",
    ),
    "AddTagsToResource RemoveTagsFromResource ListTagsForResource": ("{ResourceName}",),
    "*": (
        f"{_RDS}db:{{DBInstanceIdentifier}}",
        f"{_RDS}snapshot:{{DBSnapshotIdentifier}}",
        f"{_RDS}subgrp:{{DBSubnetGroupName}}",
        f"{_RDS}pg:{{DBParameterGroupName}}",
    ),
}
_CACHE_TEMPLATES: Templates = {
    "DescribeCacheClusters": (f"{_CACHE}cluster:{{CacheClusterId=*}}",),
    "DescribeReplicationGroups": (f"{_CACHE}replicationgroup:{{ReplicationGroupId=*}}",),
    "DescribeCacheSubnetGroups": (f"{_CACHE}subnetgroup:{{CacheSubnetGroupName=*}}",),
    "DescribeCacheParameterGroups": (f"{_CACHE}parametergroup:{{CacheParameterGroupName=*}}",),
    "DescribeSnapshots": (f"{_CACHE}snapshot:{{SnapshotName=*}}",),
    "AddTagsToResource RemoveTagsFromResource ListTagsForResource": ("{ResourceName}",),
    "*": (
        f"{_CACHE}cluster:{{CacheClusterId}}",
        f"{_CACHE}replicationgroup:{{ReplicationGroupId}}",
        f"{_CACHE}subnetgroup:{{CacheSubnetGroupName}}",
        f"{_CACHE}parametergroup:{{CacheParameterGroupName}}",
        f"{_CACHE}snapshot:{{SnapshotName}}",
    ),
}
_S3_TEMPLATES: Templates = {
    "ListBuckets": (),
    "HeadObject PutObject DeleteObject CopyObject RestoreObject SelectObjectContent ListParts": _OBJECT,
    "GetObject GetObjectAcl GetObjectTagging GetObjectAttributes GetObjectRetention GetObjectLegalHold": _OBJECT,
    "PutObjectAcl PutObjectTagging PutObjectRetention PutObjectLegalHold DeleteObjectTagging": _OBJECT,
    "CreateMultipartUpload UploadPart UploadPartCopy CompleteMultipartUpload AbortMultipartUpload": _OBJECT,
    "DeleteObjects": ("arn:aws:s3:::{Bucket}/{Keys}",),
    "*": _BUCKET,
}
_DYNAMODB_TEMPLATES: Templates = {
    "ListTables": (f"{_TABLE}*",),
    "BatchGetItem BatchWriteItem": (f"{_TABLE}{{RequestItems.#}}",),
    "TagResource UntagResource ListTagsOfResource": ("{ResourceArn}",),
    "*": (f"{_TABLE}{{TableName}}",),
}
_IAM_TEMPLATES: Templates = {
    "CreatePolicy": (f"{_IAM}policy/{{PolicyName}}",),
    "CreatePolicyVersion DeletePolicy DeletePolicyVersion GetPolicy GetPolicyVersion ListPolicyVersions": (
        "{PolicyArn}",
    ),
    "ListEntitiesForPolicy SetDefaultPolicyVersion TagPolicy UntagPolicy ListPolicyTags": ("{PolicyArn}",),
    "AddUserToGroup RemoveUserFromGroup": (f"{_IAM}group/{{GroupName}}",),
    "AddRoleToInstanceProfile RemoveRoleFromInstanceProfile": (f"{_IAM}instance-profile/{{InstanceProfileName}}",),
    "*": (
        f"{_IAM}role/{{RoleName}}",
        f"{_IAM}user/{{UserName}}",
        f"{_IAM}group/{{GroupName}}",
        f"{_IAM}instance-profile/{{InstanceProfileName}}",
    ),
}

TEMPLATES: dict[str, Templates] = {
    "ecs": _ECS_TEMPLATES,
    "elasticloadbalancing": _ELB_TEMPLATES,
    "logs": _LOGS_TEMPLATES,
    "rds": _RDS_TEMPLATES,
    "elasticache": _CACHE_TEMPLATES,
    "s3": _S3_TEMPLATES,
    "dynamodb": _DYNAMODB_TEMPLATES,
    "iam": _IAM_TEMPLATES,
    "ecr": {
        "GetAuthorizationToken": (),
        "DescribeRepositories": (f"{_ECR}{{repositoryNames=*}}",),
        "TagResource UntagResource ListTagsForResource": ("{resourceArn}",),
        "*": (f"{_ECR}{{repositoryName}}",),
    },
    "ssm": {
        "DescribeParameters": (f"{_SSM}*",),
        "GetParameters DeleteParameters": (f"{_SSM}parameter/{{Names}}",),
        "GetParametersByPath": (f"{_SSM}parameter/{{Path}}",),
        "AddTagsToResource RemoveTagsFromResource ListTagsForResource": (f"{_SSM}parameter/{{ResourceId}}",),
        "GetParameter GetParameterHistory PutParameter DeleteParameter LabelParameterVersion": (
            f"{_SSM}parameter/{{Name}}",
        ),
    },
    "secretsmanager": {
        "CreateSecret": ("arn:aws:secretsmanager:{region}:{account}:secret:{Name}",),
        "*": ("arn:aws:secretsmanager:{region}:{account}:secret:{SecretId}",),
    },
    "sns": {
        "CreateTopic": (f"{_SNS}{{Name}}",),
        "ListTopics": (f"{_SNS}*",),
        "*": ("{TopicArn}", "{TargetArn}", "{ResourceArn}"),
    },
    "sqs": {
        "ListQueues": (_SQS,),
        "CreateQueue GetQueueUrl": (f"{_SQS}{{QueueName}}",),
        "*": (f"{_SQS}{{Queue}}",),
    },
    "monitoring": {
        "DescribeAlarms": (f"{_CW}alarm:{{AlarmNames=*}}",),
        "PutMetricAlarm SetAlarmState PutCompositeAlarm": (f"{_CW}alarm:{{AlarmName}}",),
        "DescribeAlarmHistory": (f"{_CW}alarm:{{AlarmName=*}}",),
        "DeleteAlarms EnableAlarmActions DisableAlarmActions": (f"{_CW}alarm:{{AlarmNames}}",),
        "GetAlarmMuteRule DeleteAlarmMuteRule": (f"{_CW}alarm-mute-rule:{{AlarmMuteRuleName}}",),
        "PutAlarmMuteRule": (f"{_CW}alarm-mute-rule:{{Name}}", f"{_CW}alarm:{{MuteTargets.AlarmNames}}"),
        "GetDashboard PutDashboard": ("arn:aws:cloudwatch::{account}:dashboard/{DashboardName}",),
        "DeleteDashboards": ("arn:aws:cloudwatch::{account}:dashboard/{DashboardNames}",),
        "TagResource UntagResource ListTagsForResource": ("{ResourceARN}",),
    },
    "application-autoscaling": {
        "Describe*": (),
        "TagResource UntagResource ListTagsForResource": ("{ResourceARN}",),
        "*": ("arn:aws:application-autoscaling:{region}:{account}:scalable-target/*",),
    },
    "sts": {"AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity": ("{RoleArn}",)},
    "kms": {
        "CreateAlias UpdateAlias": (
            "arn:aws:kms:{region}:{account}:key/{TargetKeyId}",
            "arn:aws:kms:{region}:{account}:{AliasName}",
        ),
        "DeleteAlias": ("arn:aws:kms:{region}:{account}:{AliasName}",),
        "*": ("arn:aws:kms:{region}:{account}:key/{KeyId}",),
    },
    "budgets": {
        "TagResource UntagResource ListTagsForResource": ("{ResourceARN}",),
        "*": ("arn:aws:budgets::{account}:budget/{BudgetName=*}",),
        "CreateBudget": ("arn:aws:budgets::{account}:budget/{Budget.BudgetName}",),
    },
    "events": {"*": ("arn:aws:events:{region}:{account}:rule/{Name}", "arn:aws:events:{region}:{account}:rule/{Rule}")},
    "lambda": {"*": ("arn:aws:lambda:{region}:{account}:function:{FunctionName}",)},
}
