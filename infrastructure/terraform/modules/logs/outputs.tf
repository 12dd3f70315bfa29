output "log_group_name" {
  description = "Name of the tasks' log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "audit_log_group_name" {
  description = "Name of the audit's log group."
  value       = aws_cloudwatch_log_group.audit.name
}
