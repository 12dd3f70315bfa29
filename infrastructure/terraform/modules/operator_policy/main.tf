locals {
  ecs  = "arn:aws:ecs:${var.region}:${var.account_id}"
  logs = "arn:aws:logs:${var.region}:${var.account_id}"
}

data "aws_iam_policy_document" "this" {
  # These know no resources.
  statement {
    sid = "Look"
    actions = [
      "application-autoscaling:DescribeScalableTargets",
      "application-autoscaling:DescribeScalingActivities",
      "application-autoscaling:DescribeScalingPolicies",
      "application-autoscaling:DescribeScheduledActions",
      "cloudwatch:DescribeAlarmHistory",
      "cloudwatch:DescribeAlarms",
      "cloudwatch:GetMetricData",
      "cloudwatch:ListAlarmMuteRules",
      "ecs:DescribeTaskDefinition",
      "elasticloadbalancing:DescribeLoadBalancers",
      "elasticloadbalancing:DescribeTargetGroups",
      "elasticloadbalancing:DescribeTargetHealth",
      "logs:DescribeLogGroups",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "Cluster"
    actions   = ["ecs:DescribeClusters"]
    resources = ["${local.ecs}:cluster/${var.cluster_name}"]
  }

  # Tags on the service remember what it was before a stop, and until when an override holds.
  statement {
    sid       = "Service"
    actions   = ["ecs:DescribeServices", "ecs:TagResource", "ecs:UntagResource", "ecs:UpdateService"]
    resources = ["${local.ecs}:service/${var.cluster_name}/${var.service_name}"]
  }

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
    sid       = "Tasks"
    actions   = ["ecs:DescribeTasks", "ecs:StopTask"]
    resources = ["${local.ecs}:task/${var.cluster_name}/*"]
  }

  # A scalable target's ARN is not known beforehand: what it scales is in the request.
  statement {
    sid = "Autoscaling"
    actions = [
      "application-autoscaling:DeleteScheduledAction",
      "application-autoscaling:PutScheduledAction",
      "application-autoscaling:RegisterScalableTarget",
    ]
    resources = ["arn:aws:application-autoscaling:${var.region}:${var.account_id}:scalable-target/*"]

    condition {
      test     = "StringEquals"
      variable = "application-autoscaling:service-namespace"
      values   = ["ecs"]
    }
  }

  # Others' rules silence alarms too.
  statement {
    sid       = "SeeWhatIsSilenced"
    actions   = ["cloudwatch:GetAlarmMuteRule"]
    resources = ["arn:aws:cloudwatch:${var.region}:${var.account_id}:alarm-mute-rule:*"]
  }

  # A mute rule and the alarm that it silences are both asked about.
  statement {
    sid     = "SilenceAlarms"
    actions = ["cloudwatch:DeleteAlarmMuteRule", "cloudwatch:PutAlarmMuteRule"]
    resources = [
      "arn:aws:cloudwatch:${var.region}:${var.account_id}:alarm-mute-rule:miyabi-silence-*",
      "arn:aws:cloudwatch:${var.region}:${var.account_id}:alarm:*",
    ]
  }

  statement {
    sid       = "SilenceTheLowTasksAlarm"
    actions   = ["cloudwatch:DisableAlarmActions", "cloudwatch:EnableAlarmActions"]
    resources = ["arn:aws:cloudwatch:${var.region}:${var.account_id}:alarm:${var.low_tasks_alarm_name}"]
  }

  statement {
    sid       = "LogsOfTheTasks"
    actions   = ["logs:FilterLogEvents", "logs:GetLogEvents", "logs:PutRetentionPolicy"]
    resources = ["${local.logs}:log-group:${var.log_group_name}", "${local.logs}:log-group:${var.log_group_name}:*"]
  }

  # Each change holds the environment's lock and is written down.
  statement {
    sid       = "Lock"
    actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    resources = ["arn:aws:dynamodb:${var.region}:${var.account_id}:table/${var.lock_table_name}"]
  }

  statement {
    sid       = "Audit"
    actions   = ["logs:CreateLogStream", "logs:FilterLogEvents", "logs:PutLogEvents"]
    resources = ["${local.logs}:log-group:${var.audit_log_group_name}:*"]
  }

  statement {
    sid       = "Secrets"
    actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    resources = var.secret_arns
  }

  statement {
    sid       = "ImageParameter"
    actions   = ["ssm:GetParameter"]
    resources = ["arn:aws:ssm:${var.region}:${var.account_id}:parameter${var.image_parameter_name}"]
  }
}

resource "aws_iam_policy" "this" {
  name        = "${var.name}-operator-policy-${var.environment}"
  description = "Operate ${var.name} ${var.environment}: look, restart, scale, stop, read logs and secrets"
  policy      = data.aws_iam_policy_document.this.json
}
