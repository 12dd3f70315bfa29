output "execution_role_arn" {
  description = "ARN of the role that pulls images, reads secrets and writes logs, once its policies are in place: a task started earlier fails."
  value       = aws_iam_role.execution.arn

  depends_on = [aws_iam_role_policy_attachment.execution, aws_iam_role_policy.execution_secrets]
}

output "task_role_arn" {
  description = "ARN of the role of the program in the task, once its policy is in place."
  value       = aws_iam_role.task.arn

  depends_on = [aws_iam_role_policy.task_exec]
}
