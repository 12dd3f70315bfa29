locals {
  service = { ClusterName = var.cluster_name, ServiceName = var.service_name }

  utilization = {
    cpu    = { metric = "CPUUtilization", threshold = var.cpu_threshold_percent }
    memory = { metric = "MemoryUtilization", threshold = var.memory_threshold_percent }
  }

  # The runbook's targets for what is in front of the service and behind it.
  targets = {
    "alb-response-time" = {
      description = "Targets of ${var.load_balancer_suffix} take over ${var.response_time_threshold_seconds * 1000} ms to answer"
      namespace   = "AWS/ApplicationELB"
      metric      = "TargetResponseTime"
      dimensions  = { LoadBalancer = var.load_balancer_suffix }
      comparison  = "GreaterThanThreshold"
      threshold   = var.response_time_threshold_seconds
    }
    "db-connections-high" = {
      description = "${var.database_identifier} has over ${var.connections_threshold} connections, of about 110 that an instance of 1 GiB allows"
      namespace   = "AWS/RDS"
      metric      = "DatabaseConnections"
      dimensions  = { DBInstanceIdentifier = var.database_identifier }
      comparison  = "GreaterThanThreshold"
      threshold   = var.connections_threshold
    }
    "cache-memory-high" = {
      description = "${var.cache_cluster_id} uses over ${var.cache_memory_threshold_percent} % of its memory"
      namespace   = "AWS/ElastiCache"
      metric      = "DatabaseMemoryUsagePercentage"
      dimensions  = { CacheClusterId = var.cache_cluster_id }
      comparison  = "GreaterThanThreshold"
      threshold   = var.cache_memory_threshold_percent
    }
    "cache-hit-ratio-low" = {
      description = "Under ${var.cache_hit_threshold_percent} % of the reads of ${var.cache_cluster_id} find something"
      namespace   = "AWS/ElastiCache"
      metric      = "CacheHitRate"
      dimensions  = { CacheClusterId = var.cache_cluster_id }
      comparison  = "LessThanThreshold"
      threshold   = var.cache_hit_threshold_percent
    }
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

# A metric of a part that has nothing to do has no datapoint: that is no reason to wake anybody.
resource "aws_cloudwatch_metric_alarm" "target" {
  for_each = local.targets

  alarm_name          = "${var.name}-${each.key}-${var.environment}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = "Average"
  period              = var.period_seconds
  evaluation_periods  = 2
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}

# Errors of the targets and of the load balancer itself, added up: neither has a datapoint where there was none. AWS
# publishes them late, and FILL makes the newest minutes 0 until then: an alarm on one minute might never see them.
resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.name}-alb-5xx-${var.environment}"
  alarm_description   = "Clients of ${var.load_balancer_suffix} get answers 5xx"
  evaluation_periods  = 5
  datapoints_to_alarm = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]

  metric_query {
    id          = "errors"
    expression  = "FILL(targets, 0) + FILL(balancer, 0)"
    label       = "5xx a minute"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { targets = "HTTPCode_Target_5XX_Count", balancer = "HTTPCode_ELB_5XX_Count" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        dimensions  = { LoadBalancer = var.load_balancer_suffix }
        stat        = "Sum"
        period      = 60
      }
    }
  }
}
