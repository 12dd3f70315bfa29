locals {
  ecs  = "arn:aws:ecs:${var.region}:${var.account_id}"
  logs = "arn:aws:logs:${var.region}:${var.account_id}"
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "LogInToRegistry"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid = "PushImage"
    actions = [
      "ecr:BatchCheckLayerAvailability",
      "ecr:BatchGetImage",
      "ecr:CompleteLayerUpload",
      "ecr:DescribeImages",
      "ecr:DescribeRepositories",
      "ecr:GetDownloadUrlForLayer",
      "ecr:InitiateLayerUpload",
      "ecr:PutImage",
      "ecr:UploadLayerPart",
    ]
    resources = [var.repository_arn]
  }

  # These know no resources: a revision has no ARN before it is registered.
  statement {
    sid = "Revisions"
    actions = [
      "ecs:DeregisterTaskDefinition",
      "ecs:DescribeTaskDefinition",
      "ecs:ListTaskDefinitions",
      "ecs:RegisterTaskDefinition",
      "elasticloadbalancing:DescribeTargetHealth",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "Service"
    actions   = ["ecs:DescribeServices", "ecs:UpdateService"]
    resources = ["${local.ecs}:service/${var.cluster_name}/${var.service_name}"]
  }

  # Tags on a revision say that it ran steadily.
  statement {
    sid       = "TagRevisions"
    actions   = ["ecs:TagResource"]
    resources = ["${local.ecs}:task-definition/${var.task_family}:*"]
  }

  # What is said of a deployment that failed: why its tasks stopped, and what they printed last.
  statement {
    sid       = "ListTasks"
    actions   = ["ecs:ListTasks"]
    resources = ["*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = ["${local.ecs}:cluster/${var.cluster_name}"]
    }
  }

  statement {
    sid       = "DescribeTasks"
    actions   = ["ecs:DescribeTasks"]
    resources = ["${local.ecs}:task/${var.cluster_name}/*"]
  }

  statement {
    sid       = "LastLines"
    actions   = ["logs:GetLogEvents"]
    resources = ["${local.logs}:log-group:${var.log_group_name}:*"]
  }

  # Each change holds the environment's lock and is written down.
  statement {
    sid       = "Lock"
    actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    resources = ["arn:aws:dynamodb:${var.region}:${var.account_id}:table/${var.lock_table_name}"]
  }

  statement {
    sid       = "Audit"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.logs}:log-group:${var.audit_log_group_name}:*"]
  }

  statement {
    sid       = "ImageParameter"
    actions   = ["ssm:GetParameter", "ssm:PutParameter"]
    resources = ["arn:aws:ssm:${var.region}:${var.account_id}:parameter${var.image_parameter_name}"]
  }

  # Whoever registers a revision hands these two roles to its tasks, no other ones and to nobody else.
  statement {
    sid       = "PassTheTwoRoles"
    actions   = ["iam:PassRole"]
    resources = [var.execution_role_arn, var.task_role_arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
}

resource "aws_iam_policy" "this" {
  name        = "${var.name}-deploy-policy-${var.environment}"
  description = "Push an image and deploy it to ${var.name} ${var.environment}"
  policy      = data.aws_iam_policy_document.this.json
}
