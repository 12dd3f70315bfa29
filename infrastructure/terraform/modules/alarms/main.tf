locals {
  service = { ClusterName = var.cluster_name, ServiceName = var.service_name }

  utilization = {
    cpu    = { metric = "CPUUtilization", threshold = var.cpu_threshold_percent }
    memory = { metric = "MemoryUtilization", threshold = var.memory_threshold_percent }
  }
}

resource "aws_sns_topic" "this" {
  # checkov:skip=CKV_AWS_26:alarms and budgets cannot write to a topic under the key alias/aws/sns; the messages hold no secret

  name = "${var.name}-alerts-${var.environment}"
}

# Who may write to it: alarms and budgets of this account, nobody else's.
data "aws_iam_policy_document" "topic" {
  statement {
    sid       = "AlarmsAndBudgets"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "this" {
  arn    = aws_sns_topic.this.arn
  policy = data.aws_iam_policy_document.topic.json
}

# Each address gets a message and must confirm it, or nothing is sent to it.
resource "aws_sns_topic_subscription" "email" {
  for_each = var.emails

  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_cloudwatch_metric_alarm" "utilization" {
  for_each = local.utilization

  alarm_name          = "${var.name}-service-${each.key}-high-${var.environment}"
  alarm_description   = "${each.value.metric} of ${var.service_name} is over ${each.value.threshold} %"
  namespace           = "AWS/ECS"
  metric_name         = each.value.metric
  dimensions          = local.service
  statistic           = "Average"
  period              = var.period_seconds
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}

# Container Insights counts the tasks, also when there are none. No datapoint at all: nobody knows that they run.
resource "aws_cloudwatch_metric_alarm" "low_tasks" {
  alarm_name          = "${var.name}-service-low-tasks-${var.environment}"
  alarm_description   = "Fewer than ${var.minimum_tasks} tasks of ${var.service_name} run"
  namespace           = "ECS/ContainerInsights"
  metric_name         = "RunningTaskCount"
  dimensions          = local.service
  statistic           = "Minimum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "LessThanThreshold"
  threshold           = var.minimum_tasks
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]

  # `miyabi service stop` silences it until the service is resumed.
  lifecycle {
    ignore_changes = [actions_enabled]
  }
}
