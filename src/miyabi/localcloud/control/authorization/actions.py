"""IAM's names of operations, where they are not the operation's own. Source: AWS's Service Authorization Reference."""

from __future__ import annotations

_PREFIXES = {"monitoring": "cloudwatch", "email": "ses", "tagging": "tag"}
"""IAM's prefixes of the signing names that differ from them."""

_NAMES = {
    "s3": {
        "CompleteMultipartUpload": "PutObject",
        "CopyObject": "PutObject",
        "CreateMultipartUpload": "PutObject",
        "DeleteBucketCors": "PutBucketCORS",
        "DeleteBucketEncryption": "PutEncryptionConfiguration",
        "DeleteBucketLifecycle": "PutLifecycleConfiguration",
        "DeleteBucketReplication": "PutReplicationConfiguration",
        "DeleteBucketTagging": "PutBucketTagging",
        "DeleteObjects": "DeleteObject",
        "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
        "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
        "GetBucketEncryption": "GetEncryptionConfiguration",
        "GetBucketLifecycle": "GetLifecycleConfiguration",
        "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
        "GetBucketNotificationConfiguration": "GetBucketNotification",
        "GetBucketReplication": "GetReplicationConfiguration",
        "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
        "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
        "HeadBucket": "ListBucket",
        "HeadObject": "GetObject",
        "ListBuckets": "ListAllMyBuckets",
        "ListMultipartUploads": "ListBucketMultipartUploads",
        "ListObjectVersions": "ListBucketVersions",
        "ListObjects": "ListBucket",
        "ListObjectsV2": "ListBucket",
        "ListParts": "ListMultipartUploadParts",
        "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
        "PutBucketEncryption": "PutEncryptionConfiguration",
        "PutBucketLifecycle": "PutLifecycleConfiguration",
        "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
        "PutBucketNotificationConfiguration": "PutBucketNotification",
        "PutBucketReplication": "PutReplicationConfiguration",
        "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
        "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
        "SelectObjectContent": "GetObject",
        "UploadPart": "PutObject",
        "UploadPartCopy": "PutObject",
    },
    "sqs": {
        "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
        "DeleteMessageBatch": "DeleteMessage",
        "SendMessageBatch": "SendMessage",
    },
    "sns": {"PublishBatch": "Publish"},
    "lambda": {"Invoke": "InvokeFunction"},
}
_VERSIONED = {"DeleteObject", "GetObject", "GetObjectAcl", "GetObjectTagging", "PutObjectAcl", "PutObjectTagging"}


def action_of(service: str, operation: str, params: dict[str, object]) -> str:
    """Return the action that allows an operation: `monitoring`, `PutMetricData` -> `cloudwatch:PutMetricData`."""
    prefix = _PREFIXES.get(service, service)
    name = _NAMES.get(service, {}).get(operation, operation) or "Unknown"
    if service == "budgets" and not operation.endswith(("TagResource", "TagsForResource", "UntagResource")):
        name = "ViewBudget" if operation.startswith("Describe") else "ModifyBudget"
    if service == "s3" and name in _VERSIONED and "versionId" in params:
        name = name.replace("Object", "ObjectVersion", 1)
    return f"{prefix}:{name}"
