output "topic_arn" {
  description = "ARN of the topic that tells people, once alarms and budgets may write to it."
  value       = aws_sns_topic.this.arn

  depends_on = [aws_sns_topic_policy.this]
}

output "alarm_names" {
  description = "Names of the alarms."
  value = concat(
    values(aws_cloudwatch_metric_alarm.utilization)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.target)[*].alarm_name,
    [aws_cloudwatch_metric_alarm.errors.alarm_name, aws_cloudwatch_metric_alarm.low_tasks.alarm_name],
  )
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "low_tasks_alarm_name" {
  description = "Alarm that goes off when too few tasks run."
  value       = aws_cloudwatch_metric_alarm.low_tasks.alarm_name
}
