resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_158:AWS encrypts it with a key of its own; programs write no secrets to their log
  # checkov:skip=CKV_AWS_338:a week of output is enough to mend a fault; what must last is the audit

  name              = "/ecs/${var.name}-${var.environment}"
  retention_in_days = var.retention_days
}

# Who changed what. Kept longer than the tasks' output: questions come late.
resource "aws_cloudwatch_log_group" "audit" {
  # checkov:skip=CKV_AWS_158:AWS encrypts it with a key of its own; records name what was done, never a secret

  name              = "/${var.name}/${var.environment}/audit"
  retention_in_days = var.audit_retention_days
}
