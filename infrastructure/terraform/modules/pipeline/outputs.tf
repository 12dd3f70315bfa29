output "deploy_role_arn" {
  description = "Role that the deploying job assumes."
  value       = aws_iam_role.deploy.arn
}

output "plan_role_arn" {
  description = "Role that the planning job of a pull request assumes."
  value       = aws_iam_role.plan.arn
}
